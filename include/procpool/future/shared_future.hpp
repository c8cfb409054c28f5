// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedFuture: the result of a task for several readers.

#include <procpool/codec/wire_type.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>

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
        if (!value_ && !error_) {
            try {
                if constexpr (std::is_void_v<T>) {
                    ReadyFuture::copy(future_);
                    value_.emplace();
                } else {
                    value_.emplace(ReadyFuture::copy(future_));
                }
            } catch (...) { error_ = std::current_exception(); }
        }
        if (error_) { std::rethrow_exception(error_); }
        return *value_;
    }

    /// As FutureBase::on_done(), of several threads.
    template <class F>
    void on_done(F f) {
        const std::lock_guard guard{mutex_};
        future_.on_done(std::move(f));
    }

private:
    std::mutex mutex_;  // guards adding functions, and what follows
    Future<T> future_;
    std::optional<Value> value_;
    std::exception_ptr error_;
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

    /// Returns: the result, as long as a copy of this future lives; nothing where T is void. Blocks as wait() does.
    /// Throws: as Future::get(), each time.
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
    void wait() const { future().wait(); }
    template <class Rep, class Period>
    std::future_status wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return future().wait_for(timeout);
    }
    template <class AnyClock, class Duration>
    std::future_status wait_until(std::chrono::time_point<AnyClock, Duration> when) const {
        return future().wait_until(when);
    }
    [[nodiscard]] bool ready() const noexcept { return state_ != nullptr && state_->future().ready(); }
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
    std::shared_ptr<detail::future::SharedState<T>> state_;
};

/// To what is no task by itself, as an item or a value that is bound, it is its result, for which the caller waits.
template <class T>
requires(!std::is_void_v<T>) struct detail::codec::wire_type<SharedFuture<T>> {
    using type = T;
    static const T& from(const SharedFuture<T>& argument) { return argument.get(); }
};

template <class T>
SharedFuture<T> Future<T>::share() {
    require_valid();
    return SharedFuture<T>{std::move(*this)};
}

}  // namespace procpool
