// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/module_table.hpp>

#include <elf.h>
#include <algorithm>
#include <cstring>
#include <exception>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::os {

/// Two sums of bytes that depend on each of them, and on their order.
class ByteHash {
public:
    /// Of modules too, where an address sanitizer forbids to read between their constants.
    [[gnu::noinline, gnu::no_sanitize_address]] void add(const unsigned char* bytes, std::size_t count) noexcept {
        std::size_t at = 0;
        for (; count - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            __builtin_memcpy(&word, bytes + at, sizeof(word));
            mix(word);
        }
        std::uint64_t rest = count - at;
        for (; at != count; ++at) { rest = rest << 8 | bytes[at]; }
        mix(rest);
    }
    [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
    [[nodiscard]] std::uint64_t second() const noexcept { return second_; }

private:
    [[gnu::always_inline]] inline void mix(std::uint64_t word) noexcept {
        first_ = (first_ ^ word) * 0x9e3779b97f4a7c15;
        first_ ^= first_ >> 32;
        second_ = (second_ + word) * 0xd6e8feb86659fd93;
        second_ ^= second_ >> 29;
    }

    std::uint64_t first_ = 0x243f6a8885a308d3;
    std::uint64_t second_ = 0x13198a2e03707344;
};

[[nodiscard]] PROCPOOL_DECL std::string to_hexadecimal(std::span<const unsigned char> bytes) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 0xf];
    }
    return text;
}

[[nodiscard]] PROCPOOL_DECL bool is_loaded(const dl_phdr_info& module, const Segment& part) noexcept {
    for (int i = 0; i != module.dlpi_phnum; ++i) {
        const Segment segment{module, module.dlpi_phdr[i]};
        if ((segment.header.p_flags & PF_R) != 0 && segment.holds(part.begin()) &&
            segment.holds(part.begin() + part.header.p_memsz - 1)) {
            return true;
        }
    }
    return false;
}

/// Returns: the contents of the module's note with its build id; empty without one. Requires: the loader's lock is
/// held.
[[nodiscard]] PROCPOOL_DECL std::span<const unsigned char> build_id_note(const dl_phdr_info& module) noexcept {
    for (int i = 0; i != module.dlpi_phnum; ++i) {
        const Segment notes{module, module.dlpi_phdr[i]};
        if (notes.header.p_type != PT_NOTE || !is_loaded(module, notes)) { continue; }
        const std::size_t alignment = notes.header.p_align == 8 ? 8 : 4;
        const auto round_up = [&](std::size_t size) { return (size + alignment - 1) / alignment * alignment; };
        const auto* at = reinterpret_cast<const unsigned char*>(notes.begin());
        std::size_t left = notes.header.p_memsz;
        ElfW(Nhdr) note;
        while (left >= sizeof(note)) {
            std::memcpy(&note, at, sizeof(note));
            const std::size_t contents = sizeof(note) + round_up(note.n_namesz);
            const std::size_t size = contents + round_up(note.n_descsz);
            if (contents + note.n_descsz > left) { break; }
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(ELF_NOTE_GNU) && note.n_descsz != 0 &&
                std::memcmp(at + sizeof(note), ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)) == 0) {
                return {at + contents, note.n_descsz};
            }
            if (size >= left) { break; }
            at += size;
            left -= size;
        }
    }
    return {};
}

/// Returns: an identity from what is the same in every process that has loaded the module's file, stripped or not:
/// segments that are not writable, but for the file's header. Requires: the loader's lock is held.
[[nodiscard]] PROCPOOL_DECL std::string hash_of_contents(const dl_phdr_info& module) {
    ByteHash hash;
    for (int i = 0; i != module.dlpi_phnum; ++i) {
        const Segment segment{module, module.dlpi_phdr[i]};
        const bool is_read_only = (segment.header.p_flags & (PF_R | PF_W)) == PF_R;
        if (segment.header.p_type != PT_LOAD || !is_read_only) { continue; }
        const std::size_t skipped = segment.header.p_offset == 0 ? sizeof(ElfW(Ehdr)) : 0;
        if (segment.header.p_filesz <= skipped) { continue; }
        hash.add(reinterpret_cast<const unsigned char*>(segment.begin()) + skipped, segment.header.p_filesz - skipped);
    }
    const std::uint64_t words[] = {hash.first(), hash.second()};
    return to_hexadecimal({reinterpret_cast<const unsigned char*>(words), sizeof(words)});
}

[[nodiscard]] PROCPOOL_DECL std::string build_id_of(const dl_phdr_info& module) {
    const auto note = build_id_note(module);
    return note.empty() ? hash_of_contents(module) : to_hexadecimal(note);
}

PROCPOOL_DECL LoaderCounts LoaderCounts::now() noexcept {
    LoaderCounts counts;
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* into) {
            *static_cast<LoaderCounts*>(into) = {module->dlpi_adds, module->dlpi_subs};
            return 1;
        },
        &counts);
    return counts;
}

PROCPOOL_DECL std::uint32_t number_of_build(std::string_view build_id) noexcept {
    ByteHash hash;
    hash.add(reinterpret_cast<const unsigned char*>(build_id.data()), build_id.size());
    return static_cast<std::uint32_t>((hash.first() ^ hash.second()) >> 33);
}

/// Returns: the module as it is loaded. older: see loaded_now(); null when it is of no use. Requires: the loader's lock
/// is held.
[[nodiscard]] PROCPOOL_DECL LoadedModule describe_module(const dl_phdr_info& module, const ModuleTable* older) {
    LoadedModule loaded;
    loaded.bias = module.dlpi_addr;
    loaded.path = module.dlpi_name;
    for (int i = 0; i != module.dlpi_phnum; ++i) {
        const Segment segment{module, module.dlpi_phdr[i]};
        if (segment.header.p_type == PT_LOAD && (segment.header.p_flags & (PF_R | PF_W | PF_X)) != 0) {
            loaded.parts.push_back(
                {segment.begin(), segment.begin() + segment.header.p_memsz, (segment.header.p_flags & PF_X) != 0});
        }
    }
    if (loaded.parts.empty()) { return loaded; }
    std::sort(loaded.parts.begin(), loaded.parts.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
    loaded.begin = loaded.parts.front().begin;
    const LoadedModule* const known = older != nullptr ? older->at(loaded.begin) : nullptr;
    loaded.build_id = known != nullptr ? known->build_id : build_id_of(module);
    loaded.number = number_of_build(loaded.build_id);
    return loaded;
}

PROCPOOL_DECL ModuleTable ModuleTable::loaded_now(const ModuleTable* older) {
    struct Gathering {
        const ModuleTable* older;
        LoaderCounts counts;
        std::vector<LoadedModule> modules;
        std::exception_ptr failure;
    } gathering{older, {}, {}, {}};
    ::dl_iterate_phdr(
        [](dl_phdr_info* module, std::size_t, void* data) {
            auto& into = *static_cast<Gathering*>(data);
            try {
                into.counts = {module->dlpi_adds, module->dlpi_subs};
                const bool is_useful = into.older != nullptr && into.older->counts().removed == into.counts.removed;
                into.modules.push_back(describe_module(*module, is_useful ? into.older : nullptr));
            } catch (...) {  // not through the C library
                into.failure = std::current_exception();
                return 1;
            }
            return 0;
        },
        &gathering);
    if (gathering.failure != nullptr) { std::rethrow_exception(gathering.failure); }
    return {gathering.counts, std::move(gathering.modules)};
}

PROCPOOL_DECL ModuleTable::ModuleTable(const LoaderCounts& counts, std::vector<LoadedModule> modules)
    : counts_(counts),
      modules_(std::move(modules)) {
    for (std::size_t i = 0; i != modules_.size(); ++i) {
        for (const LoadedModule::Part& part : modules_[i].parts) { places_.push_back({part.begin, part.end, i}); }
        by_number_.emplace_back(modules_[i].number, i);
    }
    std::sort(places_.begin(), places_.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
    std::sort(by_number_.begin(), by_number_.end());
    for (auto one = by_number_.begin(); one != by_number_.end(); ++one) {
        for (auto next = one + 1; next != by_number_.end() && next->first == one->first; ++next) {
            LoadedModule& first = modules_[one->second];
            LoadedModule& second = modules_[next->second];
            if (first.build_id == second.build_id) { continue; }
            first.has_names = one->second == 0;  // the program keeps its names: it is the same for all
            second.has_names = false;
        }
    }
    std::erase_if(by_number_, [&](const auto& numbered) { return !modules_[numbered.second].has_names; });
}

PROCPOOL_DECL const LoadedModule* ModuleTable::at(std::uintptr_t address) const noexcept {
    const auto after = std::upper_bound(places_.begin(), places_.end(), address,
                                        [](std::uintptr_t a, const Place& place) { return a < place.begin; });
    if (after == places_.begin()) { return nullptr; }
    const Place& place = *(after - 1);
    return address < place.end ? &modules_[place.module] : nullptr;
}

PROCPOOL_DECL const LoadedModule* ModuleTable::numbered(std::uint32_t number) const noexcept {
    const auto found = std::lower_bound(by_number_.begin(), by_number_.end(), std::pair{number, std::size_t{0}});
    return found != by_number_.end() && found->first == number ? &modules_[found->second] : nullptr;
}

}  // namespace procpool::detail::os
