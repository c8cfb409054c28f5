// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoryMark: which memory the process had at a certain moment; and which of it children share.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::os {

/// Finds memory that is certainly newer: later mappings, and the growth of the heap and of the first thread's stack.
/// Memory that was freed before and is used again looks as old as before.
class MemoryMark {
public:
    /// Knows no memory, so takes none for newer.
    MemoryMark() = default;

    /// Out of line, so that everything its caller has on the stack lies above.
    [[nodiscard]] static MemoryMark of_now();

    /// Whether the memory at `address` is newer than the mark. It may be newer if not.
    [[nodiscard]] bool is_older_than(const void* address) const noexcept;

private:
    struct Range {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
    };

    void read_mappings(std::uintptr_t stack_pointer);
    void find_end_of_heap() noexcept;

    std::vector<Range> mappings_;  // that can be read
    Range unused_stack_;
    Range unused_heap_;
};

/// Whether forked children will have the same memory at `address`, not a copy: it lies in a shared mapping, of whatever
/// origin. Takes tens of microseconds.
[[nodiscard]] bool is_in_shared_mapping(const void* address);

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/memory_mark.ipp>
#endif
