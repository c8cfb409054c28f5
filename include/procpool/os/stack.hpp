// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Stack: where the calling thread's stack lies, which is how far a recursion may go.

#include <pthread.h>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::os {

/// A range of addresses; empty when unknown.
struct Stack {
    std::uintptr_t begin = 0;  ///< the lowest address, which the stack grows towards
    std::uintptr_t end = 0;

    [[nodiscard]] constexpr bool holds(std::uintptr_t address) const noexcept {
        return address >= begin && address < end;
    }
};

/// What stack_that_holds() found before: asking costs the first thread of a program a look into /proc.
inline thread_local constinit Stack stack_of_this_thread{};

/// Returns: the calling thread's stack without its guard, if it holds `address`; an empty range otherwise, as in a
/// coroutine that runs on memory of its own.
[[nodiscard]] inline Stack stack_that_holds(std::uintptr_t address) noexcept {
    Stack& known = stack_of_this_thread;
    if (known.holds(address)) { return known; }
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) { return {}; }
    void* lowest = nullptr;
    std::size_t size = 0;
    std::size_t guard = 0;
    const bool told = ::pthread_attr_getstack(&attributes, &lowest, &size) == 0 &&
                      ::pthread_attr_getguardsize(&attributes, &guard) == 0;
    ::pthread_attr_destroy(&attributes);
    if (!told || guard >= size) { return {}; }
    const auto begin = reinterpret_cast<std::uintptr_t>(lowest);
    const Stack found{begin + guard, begin + size};
    if (!found.holds(address)) { return {}; }
    return known = found;
}

}  // namespace procpool::detail::os
