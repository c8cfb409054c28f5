// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ThreadLocals: a child does not destroy the thread_local objects that belong to the thread it was forked from.

#include <procpool/core/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::os {

/// exit() runs the destructors of the caller's thread_local objects before any function that could be registered. glibc
/// keeps them in a list whose head is a word of the thread's static storage. prepare() finds that word by its
/// behaviour: it changes when a destructor is registered, to the address of an entry that holds the object and the
/// former head. Without such a word, forget() does nothing.
class ThreadLocals {
public:
    /// Called by: the parent, before it forks; any thread. Memory order: the offset says nothing about other memory, so
    /// relaxed.
    static void prepare() {
        if (offset_.load(std::memory_order_relaxed) == unknown) { offset_.store(find(), std::memory_order_relaxed); }
    }

    /// Effects: no destructor of a thread_local object made so far runs on this thread. Called by: a child, right after
    /// its fork.
    static void forget() noexcept;

private:
    struct Entry;
    static constexpr std::ptrdiff_t unknown = PTRDIFF_MIN;
    static constexpr std::ptrdiff_t none = PTRDIFF_MAX;

    [[nodiscard]] static std::byte* base() noexcept;
    [[nodiscard]] static std::ptrdiff_t find();
    [[nodiscard]] static bool is_entry(const Entry* entry, const void* object, const Entry* next) noexcept;

    static inline constinit std::atomic<std::ptrdiff_t> offset_{unknown};
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/thread_locals.ipp>
#endif
