// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// std::async, which starts a thread for every task.

#include <cstddef>
#include <future>

namespace benchmarks {

class StdAsync {
public:
    static constexpr std::size_t slowness = 200;
    static constexpr std::size_t in_flight = 200;
    static constexpr bool thread_per_task = true;
    explicit StdAsync(std::size_t /*workers*/) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        return std::async(std::launch::async, f, args...);
    }
};

}  // namespace benchmarks
