// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Stack: where the calling thread's stack lies, which is how far a recursion may go.

#include <procpool/core/config.hpp>

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

/// The stack that stack_that_holds() found before: asking costs the first thread of a program a look into /proc.
inline thread_local constinit Stack stack_of_this_thread{};

/// Effects: as stack_that_holds(), which has not found it before.
[[nodiscard]] Stack find_stack_that_holds(std::uintptr_t address) noexcept;

/// Returns: the calling thread's stack without its guard, if it holds `address`; an empty range otherwise, as in a
/// coroutine that runs on memory of its own.
[[nodiscard]] inline Stack stack_that_holds(std::uintptr_t address) noexcept {
    return stack_of_this_thread.holds(address) ? stack_of_this_thread : find_stack_that_holds(address);
}

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/stack.ipp>
#endif
