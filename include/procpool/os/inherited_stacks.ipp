// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/inherited_stacks.hpp>

#include <array>
#include <cstddef>
#include <latch>
#include <system_error>
#include <thread>

#include <dlfcn.h>

namespace procpool::inline v0::detail::os {

/// A weak reference to dlsym(): see pin_this_module().
[[gnu::weakref("dlsym")]] static void* find_symbol(void* handle, const char* name);

PROCPOOL_DECL void wipe_inherited_stacks() noexcept {
    if (&find_symbol == nullptr) { return; }
    std::array<std::thread, 8> threads;     // MPI begins with two or three
    std::latch have_begun{threads.size()};  // all have stacks of their own
    std::size_t count = 0;
    try {
        for (; count < threads.size(); ++count) {
            threads[count] = std::thread{[&have_begun] {
                static_cast<void>(find_symbol(RTLD_DEFAULT, "procpool"));
                have_begun.arrive_and_wait();
            }};
        }
    } catch (const std::system_error&) { have_begun.count_down(static_cast<std::ptrdiff_t>(threads.size() - count)); }
    for (std::size_t i = 0; i < count; ++i) { threads[i].join(); }
}

}  // namespace procpool::detail::os
