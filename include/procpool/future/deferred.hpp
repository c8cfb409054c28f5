// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Deferred: a result that this process makes, instead of one task. Promise: who makes it.

#include <procpool/core/deadline.hpp>
#include <procpool/future/callbacks.hpp>
#include <procpool/future/completion.hpp>

#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace procpool::inline v0 {

/// What the members of a deferred future do. Each may be empty. Called by: any thread, several at once, also when the
/// future is decided meanwhile, but not when it was decided before; they are destroyed soon after that, so they may
/// hold what holds the promise.
struct DeferredHooks {
    std::function<bool()> cancel =
        {};  ///< as Future::cancel(): true when it will not run; the promise is set all the same. Empty: false
    std::function<bool()> kill = {};     ///< as Future::kill(); empty: cancel
    std::function<bool()> running = {};  ///< as Future::running(); empty: until it is decided
};

/// Shared by a promise and its future.
template <class T>
class Deferred final : public detail::future::Completion {
public:
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    explicit Deferred(DeferredHooks hooks) : hooks_(std::make_shared<const DeferredHooks>(std::move(hooks))) {}

    /// Called by: the promise, once.
    template <class... V>
    void set_value(V&&... value) {
        value_.emplace(std::forward<V>(value)...);
        finish();
    }
    void set_exception(std::exception_ptr error) noexcept {
        error_ = std::move(error);
        finish();
    }

    /// Returns or throws what it was decided to, once. Requires: is_decided().
    T take() {
        if (!take_once()) { throw std::future_error(std::future_errc::no_state); }
        if (error_) { std::rethrow_exception(std::exchange(error_, nullptr)); }
        if constexpr (!std::is_void_v<T>) {
            T value = std::move(*value_);
            value_.reset();
            return value;
        }
    }

    bool cancel() override { return call(&DeferredHooks::cancel, false); }
    bool kill() override {
        const std::shared_ptr<const DeferredHooks> hooks = current_hooks();
        if (!hooks) { return false; }
        return hooks->kill ? hooks->kill() : hooks->cancel ? hooks->cancel() : false;
    }
    [[nodiscard]] bool is_running() const override { return !is_decided() && call(&DeferredHooks::running, true); }

private:
    void finish() noexcept {
        std::shared_ptr<const DeferredHooks> ended;
        {
            const std::lock_guard guard{hooks_mutex_};
            ended.swap(hooks_);
        }
        ended.reset();  // what it holds is gone before whoever waits goes on
        decide();
    }

    [[nodiscard]] std::shared_ptr<const DeferredHooks> current_hooks() const {
        const std::lock_guard guard{hooks_mutex_};
        return hooks_;
    }
    [[nodiscard]] bool call(std::function<bool()> DeferredHooks::*hook, bool otherwise) const {
        const std::shared_ptr<const DeferredHooks> hooks = current_hooks();
        if (!hooks) { return false; }
        return (*hooks).*hook ? ((*hooks).*hook)() : otherwise;
    }

    std::optional<Value> value_;
    std::exception_ptr error_;
    mutable std::mutex hooks_mutex_;
    std::shared_ptr<const DeferredHooks> hooks_;  // null once it is about to be decided
};

/// Decides a future that no task stands behind. Move-only; one that goes without having been set leaves
/// std::future_error (broken_promise). Called by: one thread of the process that made it, once.
template <class T>
class Promise {
public:
    Promise() noexcept = default;
    explicit Promise(detail::future::Counted<Deferred<T>> state) noexcept : state_(std::move(state)) {}
    Promise(Promise&&) noexcept = default;
    Promise& operator=(Promise&& other) noexcept {
        Promise moved{std::move(other)};
        std::swap(state_, moved.state_);
        return *this;
    }
    ~Promise() {
        if (state_ && state_->is_mine()) {
            set_exception(std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
        }
    }

    /// Effects: the future is ready. set_value() without an argument where T is void. The promise is empty afterwards;
    /// if constructing the value throws, it is not.
    template <class... V>
    void set_value(V&&... value) {
        require();
        state_->set_value(std::forward<V>(value)...);
        state_ = {};
    }
    void set_exception(std::exception_ptr error) {
        require();
        state_->set_exception(std::move(error));
        state_ = {};
    }
    /// Whether it can be set.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }

private:
    void require() const {
        if (!state_) { throw std::future_error(std::future_errc::no_state); }
    }

    detail::future::Counted<Deferred<T>> state_;
};

}  // namespace procpool
