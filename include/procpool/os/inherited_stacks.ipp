// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/inherited_stacks.hpp>

#include <procpool/os/find_function.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <latch>
#include <thread>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void wipe_inherited_stacks() noexcept {
    std::array<std::thread, 8> threads;     // MPI begins with two or three
    std::latch have_begun{threads.size()};  // all have stacks of their own
    std::size_t count = 0;
    try {
        for (; count < threads.size(); ++count) {
            threads[count] = std::thread{[&have_begun] {
                static_cast<void>(find_function<void (*)()>("procpool"));
                have_begun.arrive_and_wait();
            }};
        }
    } catch (const std::exception&) { have_begun.count_down(static_cast<std::ptrdiff_t>(threads.size() - count)); }
    for (std::size_t i = 0; i < count; ++i) { threads[i].join(); }
}

}  // namespace procpool::detail::os
