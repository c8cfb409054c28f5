// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// describe_address(): the function and module of a code address, from the symbol tables in the program's files.

#include <procpool/core/type_name.hpp>
#include <procpool/os/descriptor.hpp>

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>

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
[[nodiscard]] inline std::string find_function(const MappedFile& file, std::uint64_t address) {
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

/// Where an address of this process's code is.
struct CodePlace {
    std::uintptr_t offset;  ///< in its module
    std::string path;       ///< of the module's file; empty when it is in none

    static constexpr const char* program = "/proc/self/exe";
    [[nodiscard]] bool is_in_program() const noexcept { return path == program; }
};

[[nodiscard]] inline CodePlace place_of_code(std::uintptr_t address) {
    CodePlace found{address, {}};
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto& wanted = *static_cast<CodePlace*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                if (header.p_type != PT_LOAD || wanted.offset < begin || wanted.offset >= begin + header.p_memsz) {
                    continue;
                }
                wanted.offset -= info->dlpi_addr;
                wanted.path = info->dlpi_name[0] != '\0' ? info->dlpi_name : CodePlace::program;
                return 1;
            }
            return 0;
        },
        &found);
    return found;
}

/// Returns: the mangled name of the function at `address`; empty when it cannot be found.
[[nodiscard]] inline std::string function_at(std::uintptr_t address) {
    const CodePlace place = place_of_code(address);
    return place.path.empty() ? std::string{} : find_function(MappedFile{place.path.c_str()}, place.offset);
}

/// Returns: "function at module+0x1234", without what cannot be found. Requires: the module is still loaded where it
/// was.
[[nodiscard]] inline std::string describe_address(std::uintptr_t address) {
    const CodePlace place = place_of_code(address);
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%zx", static_cast<std::size_t>(place.offset));
    if (place.path.empty()) { return std::string("unknown code ") + offset; }
    const std::string name = function_at(address);
    const std::string module = place.is_in_program() ? "the program" : place.path;
    return (name.empty() ? "?" : demangle(name.c_str())) + " at " + module + offset;
}

}  // namespace procpool::detail::os
