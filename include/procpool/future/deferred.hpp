// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Deferred: a result that this process makes, instead of one task. Promise: the end that sets it.

#include <procpool/client/unobserved.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/counted.hpp>

#include <cstdint>
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

class FutureBase;
template <class T>
class Future;

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

/// The state that a promise and its future share, without the value. Its cancel() and its like act on hooks, or on the
/// future that it ends after, its source. A state may leave all to another one, its heir: its promise sets that one.
class DeferredBase : public Completion {
public:
    /// unobserved: counts an error that nobody takes; null: none does.
    explicit DeferredBase(DeferredHooks hooks, std::shared_ptr<client::Unobserved> unobserved = {});
    /// ends_later: it may end in what another future ends in, which is not known yet.
    DeferredBase(std::shared_ptr<FutureBase> source, bool ends_later, std::shared_ptr<client::Unobserved> unobserved);
    PROCPOOL_DECL ~DeferredBase() override;

    void set_exception(std::exception_ptr error) noexcept;

    PROCPOOL_DECL bool cancel() override;
    PROCPOOL_DECL bool kill() override;
    [[nodiscard]] PROCPOOL_DECL bool is_running() const override;

    [[nodiscard]] std::shared_ptr<client::Unobserved> unobserved() const;

    // ---- for its promise

    /// Returns: the state to be set instead of this one, once; null: this one. sets: it takes no heir from now on.
    [[nodiscard]] Counted<DeferredBase> take_heir(bool sets) noexcept;
    /// Effects: `state` will end as `next` does, on which cancel() and kill() act from now on, and earlier requests.
    /// Returns: false when the caller must set it once `next` has ended. Throws: std::system_error when `next` ends
    /// after `state`.
    [[nodiscard]] static bool follow(const Counted<DeferredBase>& state, const std::shared_ptr<FutureBase>& next);

protected:
    /// Effects: hooks and source are gone, then it is decided.
    void finish() noexcept;
    /// Effects: begins to take what it was decided to, once. Throws: the error, if it was decided to one;
    /// std::future_error the second time.
    void take_error();
    /// Throws: the error, if it was decided to one; each time. Called by: one thread at a time.
    void look_at_error();

private:
    enum class Request : std::uint8_t { none, cancel, kill };
    /// At most one of them; none once it is about to be decided.
    struct Control {
        std::shared_ptr<const DeferredHooks> hooks;
        std::shared_ptr<FutureBase> source;
    };

    /// The hooks or the task that a chain of sources ends at, if there is one.
    struct Innermost {
        Control control;
        bool ends_later;  ///< another one may come
    };

    /// Effects: all states on the way remember the request.
    [[nodiscard]] Innermost innermost(Request request) const;
    bool request(Request request);

    std::exception_ptr error_;
    bool is_looked_at_ = false;         // so that an error is no news
    mutable std::mutex control_mutex_;  // guards what follows
    std::shared_ptr<client::Unobserved> unobserved_;
    Control control_;
    Counted<DeferredBase> heir_;
    mutable Request requested_ = Request::none;  // also of a source that comes later
    const bool ends_later_ = false;
    bool is_being_set_ = false;
};

/// Throws: std::future_error (no_state).
[[noreturn]] void throw_no_state();
/// Returns: a std::future_error of that kind.
[[nodiscard]] std::exception_ptr future_error(std::future_errc kind);

/// The state that a promise and its future share.
template <class T>
class Deferred : public DeferredBase {
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

    /// As take(), but what it was decided to stays. Called by: one thread at a time.
    const Value& look() {
        look_at_error();
        return *value_;
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
        if (state_ && state_->is_mine()) {
            set_exception(detail::future::future_error(std::future_errc::broken_promise));
        }
    }

    /// Makes the future ready with a value, which is constructed from the arguments; without any where T is void. The
    /// promise is empty afterwards, unless constructing the value throws. Throws: std::future_error (no_state) when the
    /// promise is empty.
    template <class... V>
    void set_value(V&&... value) {
        find_heir(true);
        state_->set_value(std::forward<V>(value)...);
        state_ = {};
    }
    /// Makes the future ready with an error, which get() throws. The promise is empty afterwards. Throws:
    /// std::future_error (no_state) when the promise is empty.
    void set_exception(std::exception_ptr error) {
        find_heir(true);
        state_->set_exception(std::move(error));
        state_ = {};
    }
    /// Makes the future end as `next` does, which it cancels and kills from now on; no thread waits for that. An empty
    /// `next` leaves std::future_error (no_state). The promise is empty afterwards. Throws: std::future_error
    /// (no_state) when the promise is empty.
    void set_from(Future<T> next);
    /// Whether there is a future to be set.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(state_); }

private:
    /// Effects: the state is the last one of those that others were left to.
    void find_heir(bool sets) {
        if (!state_) { detail::future::throw_no_state(); }
        while (detail::future::Counted<detail::future::DeferredBase> heir = state_->take_heir(sets)) {
            state_ = detail::future::Counted<detail::future::Deferred<T>>{
                static_cast<detail::future::Deferred<T>*>(heir.detach())};
        }
    }

    detail::future::Counted<detail::future::Deferred<T>> state_;
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/future/deferred.ipp>
#endif
