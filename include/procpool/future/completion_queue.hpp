// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CompletionQueue: lets an event loop (epoll, poll, Boost.Asio, Qt …) learn from a file descriptor that futures are
/// ready.

#include <procpool/core/config.hpp>
#include <procpool/future/callback.hpp>
#include <procpool/future/future.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

namespace procpool::inline v0 {

/// Functions for the thread that runs an event loop, which calls them once native_handle() is readable.
/// Called by: add() and post() by any thread of the process that made it, the others by the loop's thread.
class CompletionQueue {
public:
    /// Throws: std::system_error when there is no descriptor left.
    CompletionQueue();
    CompletionQueue(const CompletionQueue&) = delete;
    CompletionQueue& operator=(const CompletionQueue&) = delete;
    /// Functions that have not been called by then never are. Tasks run on.
    ~CompletionQueue() = default;

    /// A descriptor that is readable as long as run_ready() has something to call. Only poll it: do not read or close
    /// it.
    [[nodiscard]] int native_handle() const noexcept;

    /// Lets run_ready() call f(future) once the future is ready, so that its get() does not block. Throws: as
    /// Future::on_done().
    template <class T, std::invocable<Future<T>> F>
    void add(Future<T> future, F f) {
        auto shared = std::make_shared<Future<T>>(std::move(future));
        auto call = detail::future::make_callback(
            [shared, f = std::move(f)]() mutable { static_cast<void>(f(std::move(*shared))); });
        shared->on_done([ready = ready_, call = std::move(call)]() mutable { push(*ready, std::move(call)); });
    }

    /// Lets run_ready() call f().
    template <std::invocable F>
    void post(F f) {
        push(*ready_, detail::future::make_callback(std::move(f)));
    }
    /// Returns: an executor that calls post(): co_await pool.apply_async(...).resume_on(queue.executor()). It may
    /// outlive the queue.
    [[nodiscard]] auto executor() const {
        return [ready = ready_](auto f) { push(*ready, detail::future::make_callback(std::move(f))); };
    }

    /// Calls the functions that are there now, but not those added meanwhile. Returns: the number of functions called.
    /// Throws: what a function throws; those after it are called next time.
    std::size_t run_ready();

private:
    struct Ready;  // what waits to be called, and the descriptor that tells

    static void push(Ready& ready, std::unique_ptr<detail::future::Callback> callback) noexcept;

    std::shared_ptr<Ready> ready_;  // also of the futures that are not ready yet
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/future/completion_queue.ipp>
#endif
