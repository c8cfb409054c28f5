// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/type_name.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/segments.hpp>
#include <procpool/os/symbols.hpp>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <span>

namespace procpool::inline v0::detail::os {

/// A file mapped for reading; empty when it cannot be read.
class MappedFile {
public:
    explicit MappedFile(const char* path) noexcept {
        const Descriptor file{::open(path, O_RDONLY | O_CLOEXEC)};
        struct stat status = {};
        if (!file || ::fstat(file.number(), &status) != 0 || status.st_size <= 0) { return; }
        void* const address =
            ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file.number(), 0);
        if (address != MAP_FAILED) {
            bytes_ = {static_cast<const std::byte*>(address), static_cast<std::size_t>(status.st_size)};
        }
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile() {
        if (!bytes_.empty()) { ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size()); }
    }

    /// Returns: `count` objects at `offset`, none when they are not all in the file.
    template <class T>
    [[nodiscard]] std::span<const T> array(std::uint64_t offset, std::uint64_t count) const noexcept {
        if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T)) { return {}; }
        return {reinterpret_cast<const T*>(bytes_.data() + offset), static_cast<std::size_t>(count)};
    }

private:
    std::span<const std::byte> bytes_;
};

/// Returns: the mangled name of the function at `address`, an offset in the module `file`; empty when there is none.
[[nodiscard]] PROCPOOL_DECL std::string find_function(const MappedFile& file, std::uint64_t address) {
    const auto header = file.array<ElfW(Ehdr)>(0, 1);
    if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) { return {}; }
    const auto sections = file.array<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
    for (const auto& section : sections) {
        if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) || section.sh_link >= sections.size()) {
            continue;
        }
        const auto names = file.array<char>(sections[section.sh_link].sh_offset, sections[section.sh_link].sh_size);
        for (const auto& symbol : file.array<ElfW(Sym)>(section.sh_offset, section.sh_size / sizeof(ElfW(Sym)))) {
            const bool is_function = (symbol.st_info & 0xf) == STT_FUNC && symbol.st_shndx != SHN_UNDEF;
            if (is_function && address >= symbol.st_value && address < symbol.st_value + symbol.st_size &&
                symbol.st_name < names.size()) {
                return {&names[symbol.st_name], ::strnlen(&names[symbol.st_name], names.size() - symbol.st_name)};
            }
        }
    }
    return {};
}

PROCPOOL_DECL CodePlace place_of_code(std::uintptr_t address) {
    CodePlace found{address, {}};
    any_segment([&](const Segment& segment) {
        if (!segment.holds(address)) { return false; }
        found.offset -= segment.module.dlpi_addr;
        found.path = segment.module.dlpi_name[0] != '\0' ? segment.module.dlpi_name : CodePlace::program;
        return true;
    });
    return found;
}

PROCPOOL_DECL std::string function_at(std::uintptr_t address) {
    const CodePlace place = place_of_code(address);
    return place.path.empty() ? std::string{} : find_function(MappedFile{place.path.c_str()}, place.offset);
}

PROCPOOL_DECL std::string describe_address(std::uintptr_t address) {
    if (is_code_name(address)) { return "? at " + explain_name(address); }
    const CodePlace place = place_of_code(address);
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%zx", static_cast<std::size_t>(place.offset));
    if (place.path.empty()) { return std::string("unknown code ") + offset; }
    const std::string name = function_at(address);
    const std::string module = place.is_in_program() ? "the program" : place.path;
    return (name.empty() ? "?" : demangle(name.c_str())) + " at " + module + offset;
}

}  // namespace procpool::detail::os
