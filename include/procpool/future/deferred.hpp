// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Deferred: a result that this process makes, instead of one task. Promise: the end that sets it.

#include <procpool/core/config.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/counted.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace procpool::inline v0 {

/// Implementations of a deferred future's members. Each may be empty. Called by: any thread, several at once, and even
/// while the future becomes ready, but not afterwards. They are destroyed soon after that, so they may hold what holds
/// the promise.
struct DeferredHooks {
    std::function<bool()> cancel =
        {};  ///< as Future::cancel(): true when it will not run; the promise must be set all the same. Empty: false
    std::function<bool()> kill = {};     ///< as Future::kill(); empty: cancel
    std::function<bool()> running = {};  ///< as Future::running(); empty: true until it is ready
};

namespace detail::future {

/// The state that a promise and its future share, without the value.
class DeferredBase : public Completion {
public:
    explicit DeferredBase(DeferredHooks hooks);
    PROCPOOL_DECL ~DeferredBase() override;

    void set_exception(std::exception_ptr error) noexcept;

    PROCPOOL_DECL bool cancel() override;
    PROCPOOL_DECL bool kill() override;
    [[nodiscard]] PROCPOOL_DECL bool is_running() const override;

protected:
    /// Effects: the hooks are gone, then it is decided.
    void finish() noexcept;
    /// Effects: begins to take what it was decided to, once. Throws: the error, if it was decided to one;
    /// std::future_error the second time.
    void take_error();

private:
    [[nodiscard]] std::shared_ptr<const DeferredHooks> current_hooks() const;

    std::exception_ptr error_;
    mutable std::mutex hooks_mutex_;
    std::shared_ptr<const DeferredHooks> hooks_;  // null once it is about to be decided
};

/// Throws: std::future_error (no_state).
[[noreturn]] void throw_no_state();
/// Returns: std::future_error (broken_promise).
[[nodiscard]] std::exception_ptr broken_promise();

/// The state that a promise and its future share.
template <class T>
class Deferred final : public DeferredBase {
public:
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    using DeferredBase::DeferredBase;

    /// Called by: the promise, once.
    template <class... V>
    void set_value(V&&... value) {
        value_.emplace(std::forward<V>(value)...);
        finish();
    }

    /// Returns or throws what it was decided to, once. Requires: is_decided().
    T take() {
        take_error();
        if constexpr (!std::is_void_v<T>) {
            T value = std::move(*value_);
            value_.reset();
            return value;
        }
    }

private:
    std::optional<Value> value_;
};

}  // namespace detail::future

/// Sets the result of a future that no task stands behind; make_deferred() makes both. Move-only. A promise that is
/// destroyed without having been set leaves std::future_error (broken_promise). Called by: one thread of the process
/// that made it, once.
template <class T>
class Promise {
public:
    /// No future: it cannot be set.
    Promise() noexcept = default;
    /// Called by: make_deferred().
    explicit Promise(detail::future::Counted<detail::future::Deferred<T>> state) noexcept : state_(std::move(state)) {}
    /// Leaves the other without a future.
    Promise(Promise&&) noexcept = default;
    /// A future that this one would have set gets std::future_error (broken_promise).
    Promise& operator=(Promise&& other) noexcept {
        Promise moved{std::move(other)};
        std::swap(state_, moved.state_);
        return *this;
    }
    /// A future that has not been set gets std::future_error (broken_promise).
    ~Promise() {
        if (state_ && state_->is_mine()) { set_exception(detail::future::broken_promise()); }
    }

    /// Makes the future ready with a value, which is constructed from the arguments; without any where T is void. The
    /// promise is empty afterwards, unless constructing the value throws. Throws: std::future_error (no_state) when the
    /// promise is empty.
    template <class... V>
    void set_value(V&&... value) {
        require();
        state_->set_value(std::forward<V>(value)...);
        state_ = {};
    }
    /// Makes the future ready with an error, which get() throws. The promise is empty afterwards. Throws:
    /// std::future_error (no_state) when the promise is empty.
    void set_exception(std::exception_ptr error) {
        require();
        state_->set_exception(std::move(error));
        state_ = {};
    }
    /// Whether there is a future to be set.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }

private:
    void require() const {
        if (!state_) { detail::future::throw_no_state(); }
    }

    detail::future::Counted<detail::future::Deferred<T>> state_;
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/future/deferred.ipp>
#endif
