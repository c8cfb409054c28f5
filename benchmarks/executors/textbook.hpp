// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The thread pool of the textbooks: one queue, one mutex, one condition variable, std::packaged_task and std::future.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace benchmarks {

class Textbook {
public:
    explicit Textbook(std::size_t workers) {
        for (std::size_t i = 0; i < workers; ++i) {
            threads_.emplace_back([this] { work(); });
        }
    }
    Textbook(const Textbook&) = delete;
    Textbook& operator=(const Textbook&) = delete;
    ~Textbook() {
        {
            const std::lock_guard guard{mutex_};
            closed_ = true;
        }
        changed_.notify_all();
        for (std::thread& thread : threads_) { thread.join(); }
    }

    template <class F, class... Args>
    auto submit(F f, Args... args) {
        using Result = std::invoke_result_t<F, Args...>;
        auto task =
            std::make_shared<std::packaged_task<Result()>>([f, args...]() mutable { return f(std::move(args)...); });
        std::future<Result> future = task->get_future();
        {
            const std::lock_guard guard{mutex_};
            tasks_.emplace_back([task] { (*task)(); });
        }
        changed_.notify_one();
        return future;
    }

private:
    void work() {
        for (;;) {
            std::unique_lock lock{mutex_};
            changed_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
            if (tasks_.empty()) { return; }
            const std::function<void()> task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            task();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool closed_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace benchmarks
