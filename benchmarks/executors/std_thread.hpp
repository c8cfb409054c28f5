// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A std::thread for every task.

#include <cstddef>
#include <future>
#include <thread>
#include <type_traits>
#include <utility>

namespace benchmarks {

class StdThread {
public:
    static constexpr std::size_t slowness = 200;
    static constexpr std::size_t in_flight = 200;
    static constexpr bool thread_per_task = true;
    explicit StdThread(std::size_t /*workers*/) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        std::packaged_task<std::invoke_result_t<F, Args...>(Args...)> task{f};
        auto result = task.get_future();
        return Joined<decltype(result)>{std::move(result), std::thread{std::move(task), args...}};
    }

private:
    template <class Future>
    struct Joined {
        Future result;
        std::thread thread;
        auto get() {
            thread.join();
            return result.get();
        }
    };
};

}  // namespace benchmarks
