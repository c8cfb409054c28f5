// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// One cache line to another process and back, spinning: the least that any round trip between two processes can cost.

#include "common.hpp"

#include <atomic>
#include <chrono>
#include <new>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace benchmarks {

/// Returns: nanoseconds for one round trip.
inline double ping_pong(std::chrono::milliseconds how_long) {
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(page != MAP_FAILED, "mmap");
    auto& line = *new (page) std::atomic<int>{0};
    constexpr int over = -1;
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child == 0) {
        for (int expected = 1;; expected += 2) {
            for (int seen = 0; (seen = line.load(std::memory_order_acquire)) != expected;) {
                if (seen == over) { ::_exit(0); }
            }
            line.store(expected + 1, std::memory_order_release);
        }
    }
    int last = 0;
    const auto trips = [&](int count) {
        for (int i = 0; i < count; ++i, last += 2) {
            line.store(last + 1, std::memory_order_release);
            while (line.load(std::memory_order_acquire) != last + 2) {}
        }
    };
    constexpr int lot = 100;
    trips(lot);
    int lots = 0;
    const double took = seconds([&] {
        // A trip takes as long as a time slice where the two do not have a CPU each.
        const Clock::time_point end = Clock::now() + how_long;
        for (; lots == 0 || Clock::now() < end; ++lots) { trips(lot); }
    });
    line.store(over, std::memory_order_release);
    ::waitpid(child, nullptr, 0);
    ::munmap(page, 4096);
    return took * 1e9 / lots / lot;
}

}  // namespace benchmarks
