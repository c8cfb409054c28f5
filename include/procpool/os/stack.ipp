// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/stack.hpp>

#include <pthread.h>
#include <cstddef>

namespace procpool::inline v0::detail::os {

[[gnu::noinline]] PROCPOOL_DECL Stack find_stack_that_holds(std::uintptr_t address) noexcept {
    pthread_attr_t attributes;
    if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) { return {}; }
    void* lowest = nullptr;
    std::size_t size = 0;
    std::size_t guard = 0;
    const bool known = ::pthread_attr_getstack(&attributes, &lowest, &size) == 0 &&
                       ::pthread_attr_getguardsize(&attributes, &guard) == 0;
    ::pthread_attr_destroy(&attributes);
    if (!known || guard >= size) { return {}; }
    const auto begin = reinterpret_cast<std::uintptr_t>(lowest);
    const Stack found{begin + guard, begin + size};
    if (!found.holds(address)) { return {}; }
    return stack_of_this_thread = found;
}

}  // namespace procpool::detail::os
