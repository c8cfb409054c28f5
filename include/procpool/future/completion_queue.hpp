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

/// Functions to be called by the thread that runs an event loop, once native_handle() is readable.
/// Called by: add() and post() by any thread of the process that made it, the others by the loop's thread.
class CompletionQueue {
public:
    /// Throws: std::system_error when there is no descriptor left.
    CompletionQueue();
    CompletionQueue(const CompletionQueue&) = delete;
    CompletionQueue& operator=(const CompletionQueue&) = delete;
    /// Functions that have not been called by then never are; tasks run on.
    ~CompletionQueue() = default;

    /// A descriptor to poll for readability; it is readable as long as run_ready() has something to call. Not to be
    /// read, nor closed.
    [[nodiscard]] int native_handle() const noexcept;

    /// Effects: run_ready() calls f(future) once the future is ready: its get() returns or throws at once then.
    /// Throws: as Future::on_done().
    template <class T, std::invocable<Future<T>> F>
    void add(Future<T> future, F f) {
        auto shared = std::make_shared<Future<T>>(std::move(future));
        auto call = detail::future::make_callback(
            [shared, f = std::move(f)]() mutable { static_cast<void>(f(std::move(*shared))); });
        shared->on_done([ready = ready_, call = std::move(call)]() mutable { push(*ready, std::move(call)); });
    }

    /// Effects: run_ready() calls f().
    template <std::invocable F>
    void post(F f) {
        push(*ready_, detail::future::make_callback(std::move(f)));
    }
    /// Returns: what calls post(), for Future::resume_on(): co_await pool.apply_async(...).resume_on(queue.executor()).
    /// May outlive the queue.
    [[nodiscard]] auto executor() const {
        return [ready = ready_](auto f) { push(*ready, detail::future::make_callback(std::move(f))); };
    }

    /// Effects: calls what is there now, and not what is added meanwhile. Returns: how many were called.
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
