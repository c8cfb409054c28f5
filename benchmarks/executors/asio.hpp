// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Boost.Asio's thread_pool, with std::packaged_task for the results.

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <future>
#include <type_traits>
#include <utility>

namespace benchmarks {

class Asio {
public:
    explicit Asio(std::size_t workers) : pool_(workers) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        std::packaged_task<std::invoke_result_t<F, Args...>()> task{
            [f, args...]() mutable { return f(std::move(args)...); }};
        auto result = task.get_future();
        boost::asio::post(pool_, std::move(task));
        return result;
    }

private:
    boost::asio::thread_pool pool_;
};

}  // namespace benchmarks
