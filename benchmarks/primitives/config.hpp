// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// primitives: what processes synchronise by. One thread alone is measured by its processor time, so that the load of
/// the machine does not count.

#include "../common.hpp"
#include "../turns.hpp"

#include <cstddef>
#include <string>
#include <utility>

#include <time.h>

namespace benchmarks {

template <class Function>
double processor_seconds(Function function) {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    };
    const double start = now();
    function();
    return now() - start;
}

template <class F>
void add_calls(Turns& turns, std::string name, std::size_t count, F f) {
    turns.add(std::move(name), count, [=]() mutable {
        return processor_seconds([&] {
            for (std::size_t i = 0; i < count; ++i) {
                f();
                asm volatile("" ::: "memory");
            }
        });
    });
}

}  // namespace benchmarks
