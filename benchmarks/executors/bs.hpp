// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// https://github.com/bshoshany/thread-pool; -DBS_DIR=<folder> says where it is.

#include <BS_thread_pool.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace benchmarks {

class Bs {
public:
    explicit Bs(std::size_t workers) : pool_(workers) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        return pool_.submit_task([f, args...]() mutable { return f(std::move(args)...); });
    }

private:
    std::remove_cvref_t<decltype(BS::thread_pool(1))> pool_;  // a template since version 5
};

}  // namespace benchmarks
