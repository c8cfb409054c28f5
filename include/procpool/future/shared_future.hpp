// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedFuture: the result of a task for several readers.

#include <procpool/codec/wire_type.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/future.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace procpool::inline v0 {

namespace detail::future {

/// A future that several hold, and its result once somebody has asked for it.
template <class T>
class SharedState {
public:
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, std::remove_const_t<T>>;

    explicit SharedState(Future<T> future) noexcept : future_(std::move(future)) {}

    [[nodiscard]] Future<T>& future() noexcept { return future_; }

    /// Returns: the result, which lives as long as this. Requires: the future is decided.
    const Value& value() {
        const std::lock_guard guard{mutex_};
        if (!Argument::task(future_).has_task()) { return ReadyFuture::look(future_); }
        if (!value_ && !error_) {
            try {
                if constexpr (std::is_void_v<T>) {
                    ReadyFuture::copy(future_);
                    value_.emplace();
                } else {
                    value_.emplace(ReadyFuture::copy(future_));
                }
            } catch (...) { error_ = std::current_exception(); }
            is_read_.store(true, std::memory_order_relaxed);
        }
        if (error_) { std::rethrow_exception(error_); }
        return *value_;
    }

    [[nodiscard]] bool is_ready() const noexcept { return is_read_.load(std::memory_order_relaxed) || future_.ready(); }

    /// As FutureBase::wait*(). Returns: false when the deadline came first.
    bool wait(Deadline deadline) {
        if (!Argument::wait(future_, deadline)) { return false; }
        std::shared_ptr<Future<void>> functions;
        {
            const std::lock_guard guard{mutex_};
            functions = functions_;
        }
        return functions == nullptr || Argument::wait(*functions, deadline);
    }

    /// As FutureBase::on_done(), of several threads.
    template <class F>
    void on_done(F f) {
        const std::lock_guard guard{mutex_};
        if (!Argument::task(future_).has_task()) { return future_.on_done(std::move(f)); }
        if (functions_ == nullptr) {
            auto [promise, functions] = make_deferred<void>();
            auto known = std::make_shared<Future<void>>(std::move(functions));
            Argument::call_when_done(future_,
                                     make_callback([promise = std::move(promise)]() mutable { promise.set_value(); }));
            functions_ = std::move(known);
        }
        functions_->on_done(std::move(f));
    }

private:
    std::mutex mutex_;  // guards what is written after the construction
    Future<T> future_;
    std::optional<Value> value_;  // of a task, as the error
    std::exception_ptr error_;
    std::atomic<bool> is_read_{false};         // one of these is there
    std::shared_ptr<Future<void>> functions_;  // those that a task's end calls, once there are any
};

}  // namespace detail::future

/// The result of a task, for any number of readers and of tasks: Future::share() makes one. Copyable. The last copy
/// detaches the task. Called by: as Future; different copies concurrently. Throws: as FutureBase.
template <class T>
class [[nodiscard]] SharedFuture {
public:
    /// The type of the result.
    using value_type = T;

    /// No result to come: valid() is false.
    SharedFuture() noexcept = default;
    /// As Future::share().
    explicit SharedFuture(Future<T> future)
        : state_(future.valid() ? std::make_shared<detail::future::SharedState<T>>(std::move(future)) : nullptr) {}

    /// Returns: the result, which stays as long as a copy of this future lives; nothing where T is void. Blocks as
    /// wait() does. Throws: as Future::get(), each time.
    decltype(auto) get() const {
        wait();
        if constexpr (std::is_void_v<T>) {
            static_cast<void>(state_->value());
        } else {
            return state_->value();
        }
    }

    /// \{
    /// As those of Future.
    void wait() const { static_cast<void>(wait_until_deadline(detail::Deadline::never())); }
    template <class Rep, class Period>
    std::future_status wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until_deadline(detail::Deadline::after(timeout)) ? std::future_status::ready
                                                                     : std::future_status::timeout;
    }
    template <class AnyClock, class Duration>
    std::future_status wait_until(std::chrono::time_point<AnyClock, Duration> when) const {
        return detail::wait_until(when, [this](detail::Deadline deadline) { return wait_until_deadline(deadline); })
                   ? std::future_status::ready
                   : std::future_status::timeout;
    }
    [[nodiscard]] bool ready() const noexcept { return state_ != nullptr && state_->is_ready(); }
    [[nodiscard]] bool running() const noexcept { return state_ != nullptr && state_->future().running(); }
    bool cancel() const { return future().cancel(); }
    bool kill() const { return future().kill(); }
    /// \}

    /// Whether get() may be called: also after others have.
    [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }

    /// As FutureBase::on_done().
    template <std::invocable F>
    void on_done(F f) const {
        static_cast<void>(future());
        state_->on_done(std::move(f));
    }

    /// As Future::then(), but f gets a const T&, and this future stays valid.
    template <class F>
    auto then(F f) const {
        auto [promise, decided] =
            make_deferred<void>(DeferredHooks{.cancel = [state = state_] { return state->future().cancel(); },
                                              .kill = [state = state_] { return state->future().kill(); },
                                              .running = [state = state_] { return state->future().running(); }});
        on_done([promise = std::make_shared<Promise<void>>(std::move(promise))] { promise->set_value(); });
        return std::move(decided).then([state = state_, f = std::move(f)]() mutable {
            if constexpr (std::is_void_v<T>) {
                static_cast<void>(state->value());
                return std::invoke(std::move(f));
            } else {
                return std::invoke(std::move(f), state->value());
            }
        });
    }

    /// Called by: the library's calls that take futures as arguments.
    [[nodiscard]] Future<T>& future() const {
        if (state_ == nullptr) { detail::future::throw_no_state(); }
        return state_->future();
    }

private:
    bool wait_until_deadline(detail::Deadline deadline) const {
        static_cast<void>(future());
        return state_->wait(deadline);
    }

    std::shared_ptr<detail::future::SharedState<T>> state_;
};

namespace detail::codec {

/// To what is no task by itself, as an item or a value that is bound, it is its result, for which the caller waits.
template <class T>
requires(!std::is_void_v<T>) struct wire_type<SharedFuture<T>> {
    using type = T;
    static const T& from(const SharedFuture<T>& argument) { return argument.get(); }
};

}  // namespace detail::codec

template <class T>
SharedFuture<T> Future<T>::share() {
    require_valid();
    return SharedFuture<T>{std::move(*this)};
}

}  // namespace procpool
