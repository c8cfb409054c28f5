// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// https://github.com/taskflow/taskflow; -DTaskflow_DIR=<folder> says where it is.

#include <taskflow/taskflow.hpp>

#include <cstddef>
#include <utility>

namespace benchmarks {

class Taskflow {
public:
    explicit Taskflow(std::size_t workers) : executor_(workers) {}
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        return executor_.async([f, args...]() mutable { return f(std::move(args)...); });
    }

private:
    tf::Executor executor_;
};

}  // namespace benchmarks
