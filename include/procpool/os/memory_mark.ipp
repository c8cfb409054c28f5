// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/file.hpp>
#include <procpool/os/memory_mark.hpp>

#include <malloc.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

namespace procpool::inline v0::detail::os {

[[gnu::noinline]] PROCPOOL_DECL MemoryMark MemoryMark::of_now() {
    MemoryMark mark;
    mark.find_end_of_heap();
    mark.read_mappings(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
    return mark;
}

PROCPOOL_DECL bool MemoryMark::is_older_than(const void* address) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (mappings_.empty()) { return false; }
    if (unused_stack_.begin <= at && at < unused_stack_.end) { return true; }
    if (unused_heap_.begin <= at && at < unused_heap_.end) { return true; }
    const auto next = std::upper_bound(mappings_.begin(), mappings_.end(), at,
                                       [](std::uintptr_t sought, const Range& range) { return sought < range.begin; });
    return next == mappings_.begin() || at >= (next - 1)->end;
}

/// Effects: calls f(begin, end, permissions, line) for each mapping of this process, in the order of addresses. Lines
/// are "begin-end rwxp offset device inode name".
template <class F>
void for_each_mapping(F f) {
    const std::string text = text_of_file("/proc/self/maps");
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        const char* const end = line.data() + line.size();
        const auto [dash, begins] = std::from_chars(line.data(), end, first, 16);
        if (begins != std::errc{} || dash == end) { continue; }
        const auto [space, ends] = std::from_chars(dash + 1, end, last, 16);
        if (ends != std::errc{} || end - space < 5) { continue; }
        f(first, last, std::string_view{space + 1, 4}, line);
    }
}

PROCPOOL_DECL void MemoryMark::read_mappings(std::uintptr_t stack_pointer) {
    for_each_mapping(
        [&](std::uintptr_t begin, std::uintptr_t end, std::string_view permissions, std::string_view line) {
            if (permissions[0] != 'r') { return; }
            if (line.ends_with(" [stack]") && begin <= stack_pointer && stack_pointer < end) {
                unused_stack_ = {begin, stack_pointer};
            }
            if (!mappings_.empty() && mappings_.back().end == begin) {
                mappings_.back().end = end;
            } else {
                mappings_.push_back({begin, end});
            }
        });
}

PROCPOOL_DECL bool is_in_shared_mapping(const void* address) {
    const auto sought = reinterpret_cast<std::uintptr_t>(address);
    bool shared = false;
    for_each_mapping([&](std::uintptr_t begin, std::uintptr_t end, std::string_view permissions, std::string_view) {
        shared = shared || (begin <= sought && sought < end && permissions[3] == 's');
    });
    return shared;
}

/// Out of line, so that nothing is concluded from its size.
[[nodiscard, gnu::noinline]] PROCPOOL_DECL std::byte* new_block(std::size_t size) noexcept {
    void* block = std::malloc(size);
    asm("" : "+r"(block));
    return static_cast<std::byte*>(block);
}

/// The C library cuts new blocks from the end of the heap if none of those that were freed will do. So its newest block
/// shows where that end begins, if it was cut from there: then the rest, up to the end, is as long as the C library has
/// written behind the block. With another allocator, or another heap in this thread, no end is found.
PROCPOOL_DECL void MemoryMark::find_end_of_heap() noexcept {
    constexpr std::size_t sizes[] = {4096, 100'000};  // no freed block may be as large as the second
    for (const std::size_t size : sizes) {
        std::byte* const block = new_block(size);
        const auto begin = reinterpret_cast<std::uintptr_t>(block);
        const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0));
        constexpr std::size_t most = std::size_t{1} << 30;
        if (block != nullptr && begin < end && end - begin < most) {
            const std::size_t length = ::malloc_usable_size(block);
            std::size_t rest = 0;
            if (length >= size && length + sizeof(rest) < end - begin) {
                std::memcpy(&rest, block + length, sizeof(rest));
            }
            constexpr std::size_t flags = 7;
            if (begin + length - sizeof(rest) + (rest & ~flags) == end) { unused_heap_ = {begin, end}; }
        }
        std::free(block);
        if (unused_heap_.end != 0) { return; }
    }
}

}  // namespace procpool::detail::os
