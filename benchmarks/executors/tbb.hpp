// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// oneTBB: tasks that fulfil a std::promise each, and loops.

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <cstddef>
#include <future>
#include <type_traits>
#include <utility>

namespace benchmarks {

/// Tasks: as many workers as asked for, beside up to two threads that submit: if those took the place of a worker and
/// then waited, no thread would run the tasks they wait for.
class Tbb {
public:
    explicit Tbb(std::size_t workers)
        : limit_(tbb::global_control::max_allowed_parallelism, workers + 1),
          arena_(static_cast<int>(workers) + 2, 2) {}
    Tbb(const Tbb&) = delete;
    Tbb& operator=(const Tbb&) = delete;
    ~Tbb() noexcept {
        arena_.execute([this] { group_.wait(); });
    }

    template <class F>
    void within(F f) {
        arena_.execute(f);
    }
    template <class F, class... Args>
    auto submit(F f, Args... args) {
        std::promise<std::invoke_result_t<F, Args...>> promise;
        auto result = promise.get_future();
        Task task{[f, args..., promise = std::move(promise)]() mutable {
            if constexpr (std::is_void_v<std::invoke_result_t<F, Args...>>) {
                f(std::move(args)...);
                promise.set_value();
            } else {
                promise.set_value(f(std::move(args)...));
            }
        }};
        arena_.execute([&] { group_.run(std::move(task)); });
        return result;
    }

private:
    /// task_group calls a const object.
    template <class F>
    struct Task {
        mutable F f;
        void operator()() const { f(); }
    };
    template <class F>
    Task(F) -> Task<F>;

    tbb::global_control limit_;
    tbb::task_arena arena_;
    tbb::task_group group_;
};

/// Loops: the calling thread is one of the workers.
class TbbLoops {
public:
    explicit TbbLoops(std::size_t workers)
        : limit_(tbb::global_control::max_allowed_parallelism, workers),
          arena_(static_cast<int>(workers)) {}
    template <class Body>
    void for_ranges(std::size_t n, Body body) {
        arena_.execute([&] {
            tbb::parallel_for(tbb::blocked_range<std::size_t>{0, n},
                              [&](const tbb::blocked_range<std::size_t>& part) { body(part.begin(), part.end()); });
        });
    }
    template <class Partitioner, class Body>
    void for_ranges(std::size_t n, std::size_t grain, Partitioner&& partitioner, Body body) {
        arena_.execute([&] {
            tbb::parallel_for(
                tbb::blocked_range<std::size_t>{0, n, grain},
                [&](const tbb::blocked_range<std::size_t>& part) { body(part.begin(), part.end()); }, partitioner);
        });
    }

private:
    tbb::global_control limit_;
    tbb::task_arena arena_;
};

}  // namespace benchmarks
