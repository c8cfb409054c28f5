// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoryMark: what memory the process had at a certain moment.

#include <procpool/os/descriptor.hpp>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::os {

/// Tells memory that is certainly newer: what was mapped later, what the heap has grown by, and what the first thread's
/// stack has grown by. Memory that was freed before and is used again cannot be told from what it was.
class MemoryMark {
public:
    /// Knows nothing, so takes nothing for newer.
    MemoryMark() = default;

    /// Out of line, so that everything its caller has on the stack lies above.
    [[nodiscard, gnu::noinline]] static MemoryMark of_now() {
        MemoryMark mark;
        mark.find_end_of_heap();
        mark.read_mappings(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)));
        return mark;
    }

    /// Whether the memory at `address` is newer than the mark. It may be newer if not.
    [[nodiscard]] bool is_older_than(const void* address) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(address);
        if (mappings_.empty()) { return false; }
        if (unused_stack_.begin <= at && at < unused_stack_.end) { return true; }
        if (unused_heap_.begin <= at && at < unused_heap_.end) { return true; }
        const auto next = std::ranges::upper_bound(mappings_, at, {}, &Range::begin);
        return next == mappings_.begin() || at >= std::prev(next)->end;
    }

private:
    struct Range {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
    };

    /// Lines are "begin-end rwxp offset device inode name", in the order of addresses.
    void read_mappings(std::uintptr_t stack_pointer) {
        const std::string text = text_of_mappings();
        std::string_view rest = text;
        while (!rest.empty()) {
            const std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
            Range range;
            const char* const end = line.data() + line.size();
            const auto [dash, begins] = std::from_chars(line.data(), end, range.begin, 16);
            if (begins != std::errc{} || dash == end) { continue; }
            const auto [space, ends] = std::from_chars(dash + 1, end, range.end, 16);
            if (ends != std::errc{} || end - space < 2 || space[1] != 'r') { continue; }
            if (line.ends_with(" [stack]") && range.begin <= stack_pointer && stack_pointer < range.end) {
                unused_stack_ = {range.begin, stack_pointer};
            }
            if (!mappings_.empty() && mappings_.back().end == range.begin) {
                mappings_.back().end = range.end;
            } else {
                mappings_.push_back(range);
            }
        }
    }

    [[nodiscard]] static std::string text_of_mappings() {
        std::string text;
        const Descriptor file{::open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
        if (!file) { return text; }
        std::array<char, 16384> part;
        for (;;) {
            const ::ssize_t got = ::read(file.number(), part.data(), part.size());
            if (got < 0 && errno == EINTR) { continue; }
            if (got <= 0) { return text; }
            text.append(part.data(), static_cast<std::size_t>(got));
        }
    }

    /// The C library cuts new blocks from the end of the heap if none of those that were freed will do. So its newest
    /// block tells where that end begins, if it was cut from there: then what follows it is as long as the C library
    /// has written behind the block, up to the end. Where another allocator is in use, or another heap in this thread,
    /// nothing is found.
    void find_end_of_heap() noexcept {
        for (const std::size_t size :
             {std::size_t{4096}, std::size_t{100'000}}) {  // no freed block may be as large as the second
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

    /// Out of line, so that nothing is concluded from its size.
    [[nodiscard, gnu::noinline]] static std::byte* new_block(std::size_t size) noexcept {
        void* block = std::malloc(size);
        asm("" : "+r"(block));
        return static_cast<std::byte*>(block);
    }

    std::vector<Range> mappings_;  // that can be read
    Range unused_stack_;
    Range unused_heap_;
};

}  // namespace procpool::detail::os
