// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Future: the result of a task, once it has ended.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/deferred.hpp>
#include <procpool/future/task_handle.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::future {
class WaitSet;
struct Argument;

/// Functions for then(): they take a T, or nothing where that is void.
template <class F, class T>
concept Continues = (std::is_void_v<T> ? std::is_invocable_v<F> : std::is_invocable_v<F, T>);

}  // namespace detail::future

/// The part of a future that does not depend on the type of its result, which is a task's or set by a Promise.
/// Called by: the process that made it, any thread. wait*(), ready(), running(), cancel() and kill() may run
/// concurrently with each other and with one get() on the same future. Once get() has taken the result, wait*() return
/// at once, ready(), running(), cancel() and kill() return false, and all others throw std::future_error.
/// Throws: std::future_error (no_state) when the future was made empty or moved from, and std::logic_error in a child
/// that was forked with it; but for valid(), ready() and running().
class FutureBase {
public:
    /// Blocks until the task has ended and the future's on_done() functions have run. On the callback thread, where one
    /// of those may be the caller, it blocks until the task has ended, and runs other callbacks that are ready
    /// meanwhile.
    void wait() const { static_cast<void>(wait_until_deadline(detail::Deadline::never())); }

    /// As wait(), for a time. Returns: std::future_status::ready, or timeout.
    template <class Rep, class Period>
    std::future_status wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until_deadline(detail::Deadline::after(timeout)) ? std::future_status::ready
                                                                     : std::future_status::timeout;
    }

    /// As wait(), up to a point in time of any clock. Returns: std::future_status::ready, or timeout.
    template <class AnyClock, class Duration>
    std::future_status wait_until(std::chrono::time_point<AnyClock, Duration> when) const {
        return detail::wait_until(when, [this](detail::Deadline deadline) { return wait_until_deadline(deadline); })
                   ? std::future_status::ready
                   : std::future_status::timeout;
    }

    /// Whether get() may be called.
    [[nodiscard]] bool valid() const noexcept {
        return task_.has_task() ? task_.valid() : completion_ && !completion_->is_taken();
    }
    /// Whether get() would not block. False without a task, and in a child.
    [[nodiscard]] bool ready() const noexcept { return completion_ ? is_completion_ready() : task_.is_ready(); }
    /// Whether a worker is running it. False without a task, and in a child.
    [[nodiscard]] bool running() const noexcept;
    /// Withdraws a task that has not started; asks one that runs to stop, through its stop_token. Returns: whether the
    /// task will not run; get() throws TaskCancelled then.
    bool cancel();
    /// As cancel(), but also ends a task that runs: its worker is killed and replaced. A thread cannot be killed, so in
    /// a ThreadPool this is cancel(). Returns: false when the task had ended.
    bool kill();

    /// Calls f() on the callback thread once the task has ended, however it ended, and after the functions added
    /// before; soon, if it has ended already. An exception of f is logged and otherwise ignored. f is called even if
    /// this future is dropped or its pool gone by then, but not once the program ends. f may do anything but wait for
    /// what only its own return brings about. Not concurrently with other members. Throws: std::system_error when the
    /// callback thread cannot be started.
    template <std::invocable F>
    void on_done(F f) {
        add_callback(detail::future::make_callback(std::move(f)));
    }

    /// Lets the set find the key once wait() would not block. Called by: the library's calls that wait for many
    /// futures.
    void watch(detail::future::WaitSet& set, std::uint64_t key) const;

protected:
    FutureBase() noexcept = default;
    explicit FutureBase(detail::TaskHandle task) noexcept : task_(std::move(task)) {}
    explicit FutureBase(detail::future::Counted<detail::future::Completion> completion) noexcept
        : completion_(std::move(completion)) {}
    FutureBase(FutureBase&&) noexcept = default;
    FutureBase& operator=(FutureBase&&) noexcept = default;
    ~FutureBase() = default;

    /// Returns: false when the deadline came first.
    [[gnu::always_inline]] bool wait_until_deadline(detail::Deadline deadline) const {
        return !completion_ ? task_.wait(deadline) : wait_for_completion(deadline);
    }

    void add_callback(std::unique_ptr<detail::future::Callback> callback);

    /// Throws: what all members throw without a result to come, and in a child.
    void require_valid() const;

    [[nodiscard]] detail::future::Completion& completion() const { return *checked_completion(); }
    [[nodiscard]] const detail::future::Counted<detail::future::Completion>& checked_completion() const;

    /// Throws: std::logic_error where nobody is there to call a function.
    void require_callbacks() const;

    /// Returns: what counts an error of it that nobody takes; null: nothing does.
    [[nodiscard]] std::shared_ptr<detail::client::Unobserved> unobserved() const;

    detail::TaskHandle task_;  // none where the result is a Deferred's
    detail::future::Counted<detail::future::Completion>
        completion_;  // the Deferred; or what calls the task's functions, once there are any

private:
    friend class detail::future::DeferredBase;
    friend struct detail::future::Argument;

    /// The task first: who asks DeferredBase for a kill may come here while another thread gives the task's future its
    /// first function, which changes completion_.
    void begin() const {
        if (!task_.has_task() && completion_) { completion_->begin(); }
    }

    /// Returns: the state of a future that no task stands behind; null for others.
    [[nodiscard]] detail::future::Counted<detail::future::DeferredBase> deferred() const;
    [[nodiscard]] bool is_completion_ready() const noexcept;
    [[nodiscard]] bool wait_for_completion(detail::Deadline deadline) const;
};

namespace detail::future {

/// The result of a future whose value is what a function returned: that, or what a future that it returned ends in.
template <class Returned>
struct Unwrapped {
    using type = Returned;
    static constexpr bool is_future = false;
};
template <class U>
struct Unwrapped<Future<U>> {
    using type = U;
    static constexpr bool is_future = true;
};

/// Takes the result of a decided future, without waiting for its functions, of which the caller may be one.
struct ReadyFuture {
    template <class T>
    static T take(Future<T>& future) {
        return future.take();
    }
    /// As take(), but the result of a task stays, where a pool of this process has it. Requires: a task stands behind
    /// it.
    template <class T>
    static T copy(Future<T>& future) {
        return future.copy();
    }
    /// Returns: the result, which stays. Requires: no task stands behind it.
    template <class T>
    static const typename Deferred<T>::Value& look(Future<T>& future) {
        return static_cast<Deferred<T>&>(future.completion()).look();
    }
};

/// A future as the argument of a task.
struct Argument {
    /// Calls look(future, is_shared) for the one, or for those that it consists of.
    static void each_leaf(FutureBase& future, bool is_shared, LookAtPart look);
    /// Returns: how many futures it consists of; nothing: it is one that has begun, or of a task.
    [[nodiscard]] static std::optional<std::size_t> parts(FutureBase& future);
    static void each_part(FutureBase& future, LookAtPart look);
    [[nodiscard]] static const TaskHandle& task(const FutureBase& future) noexcept { return future.task_; }
    static void consume(FutureBase& future) noexcept { future.task_.consume(); }
    static void require_valid(const FutureBase& future) { future.require_valid(); }
    /// Returns: what counts an error that nobody takes, of the first of them that has that; null: nothing does.
    template <class... Futures>
    [[nodiscard]] static std::shared_ptr<client::Unobserved> unobserved(const Futures&... futures) {
        std::shared_ptr<client::Unobserved> found;
        static_cast<void>(((found = static_cast<const FutureBase&>(futures).unobserved()) || ...));
        return found;
    }
    [[nodiscard]] static bool wait(const FutureBase& future, Deadline deadline) {
        return future.wait_until_deadline(deadline);
    }
    /// As FutureBase::on_done(), of a future whose task may be asked and waited for by others meanwhile. Once only.
    static void call_when_done(FutureBase& future, std::unique_ptr<Callback> callback);
};

}  // namespace detail::future

template <class T, class Executor>
class FutureAwaiter;
struct OnCallbackThread;
template <class T>
class SharedFuture;

/// The result of a task, once it has ended. Move-only. May outlive its pool. Destroying it detaches the task, which
/// runs on.
template <class T>
class [[nodiscard]] Future : public FutureBase {
public:
    /// The type of the result.
    using value_type = T;

    /// No result to come: valid() is false.
    Future() noexcept = default;
    /// \{
    /// Moves the result to come; the other future is invalid from then on.
    Future(Future&&) noexcept = default;
    Future& operator=(Future&&) noexcept = default;
    /// \}
    PROCPOOL_UNCOPIED(Future, a_Future_is_not_copied__move_it, "procpool: a Future is not copied: move it")
    /// \{
    /// Called by: pools, and make_deferred().
    explicit Future(detail::TaskHandle task) noexcept : FutureBase(std::move(task)) {}
    explicit Future(detail::future::Counted<detail::future::Deferred<T>> state) noexcept
        : FutureBase(detail::future::Counted<detail::future::Completion>{std::move(state)}) {}
    /// \}

    /// Returns: the result, once: valid() is false afterwards. Blocks as wait() does. Throws: the task's exception, as
    /// it was thrown; RemoteError for one that does not travel; WorkerDied; TaskTimedOut; TaskCancelled;
    /// PoolTerminated; PoolBroken.
    T get() {
        wait();
        return take();
    }

    /// Returns: a future of the same result that can be copied, and passed to any number of tasks. This one is invalid
    /// from now on. Throws: as on_done(); this future is unchanged then.
    [[nodiscard]] SharedFuture<T> share();

    /// Calls f(result), or f() where T is void, on the callback thread once the task has ended with a value, after the
    /// functions given to on_done() before. This future is invalid from now on. Returns: the future of f's result;
    /// where that is a Future itself, one of its type that ends as it does. An exception of the task passes f by and
    /// ends there, like one of f. The returned future's cancel(), kill() and running() act on the task, and on that of
    /// f's future once there is one, which earlier requests reach too. Throws: as on_done(); this future is unchanged
    /// then.
    template <class F>
    auto then(F f);
    /// Does not compile: f does not take the result.
    template <class F>
    requires(!detail::future::Continues<F, T>) auto then(F) {
        static_assert(detail::codec::never<F>,
                      "procpool: the function given to then() must take the future's result, by value, const& or &&, "
                      "or nothing where that is void");
        return detail::codec::this_call_is_refused{};
    }

    /// co_await pool.apply_async(...) suspends the coroutine until the task has ended, and resumes it on the callback
    /// thread, with what get() returns or throws. Never resumes in the caller, even if the task has ended already.
    auto operator co_await() && noexcept;

    /// co_await pool.apply_async(...).resume_on(executor) resumes the coroutine where executor(handle) calls the
    /// handle: a std::coroutine_handle<>, which is a function without arguments that can be copied. The executor itself
    /// is called on the callback thread. For Boost.Asio:
    ///
    ///     [&](auto resume) { boost::asio::post(io, resume); }
    template <std::invocable<std::coroutine_handle<>> Executor>
    auto resume_on(Executor executor) &&;

private:
    template <class, class>
    friend class FutureAwaiter;
    friend struct detail::future::ReadyFuture;

    /// As take(), but what a task of a pool of this process left stays, for other tasks. Requires: a task stands behind
    /// it.
    T copy() {
        if (task_.is_guest()) { return take(); }
        task_.set_observed();
        const detail::client::Taken left = task_.copy();
        left.require_value();
        if constexpr (!std::is_void_v<T> && Encodable<T>) {
            Reader in = left.reader();
            return Codec<T>::decode(in);
        } else if constexpr (!std::is_void_v<T>) {
            throw std::logic_error("procpool: a task cannot have such a result");
        }
    }

    /// Requires: it is decided.
    T take() {
        if (!task_.has_task()) { return static_cast<detail::future::Deferred<T>&>(completion()).take(); }
        if constexpr (std::is_void_v<T>) {
            task_.take_value([](Reader&) {});
        } else if constexpr (Encodable<T>) {
            return task_.take_value([](Reader& in) { return Codec<T>::decode(in); });
        } else {
            throw std::logic_error(
                "procpool: a task cannot have such a result");  // and none has: the compiler has seen to that
        }
    }
};

static_assert(sizeof(Future<int>) <= 32, "programs keep many");

/// A promise and the future whose result it sets.
template <class T>
struct DeferredEnds {
    Promise<T> promise;  ///< sets the result
    Future<T> future;    ///< gives it
};

/// Returns: a future that is ready once its promise is set: auto [promise, future] = make_deferred<int>();
template <class T>
[[nodiscard]] DeferredEnds<T> make_deferred(DeferredHooks hooks = {}) {
    detail::future::Counted<detail::future::Deferred<T>> state{new detail::future::Deferred<T>(std::move(hooks))};
    return {Promise<T>{state}, Future<T>{state}};
}

namespace detail::future {

/// As make_deferred(); an error that nobody takes counts as one of that client's pool.
template <class T>
[[nodiscard]] DeferredEnds<T> make_deferred_of(const client::Client& client, DeferredHooks hooks) {
    Counted<Deferred<T>> state{new Deferred<T>(std::move(hooks), client::unobserved_of(client))};
    return {Promise<T>{state}, Future<T>{state}};
}

}  // namespace detail::future

template <class T>
template <class F>
auto Future<T>::then(F f) {
    constexpr bool no_argument = std::is_void_v<T>;
    using Call = std::conditional_t<no_argument, std::is_invocable<F>, std::is_invocable<F, T>>;
    static_assert(Call::value,
                  "procpool: the function given to then() must take the future's result, or nothing if that is void");
    using Returned =
        std::decay_t<typename std::conditional_t<no_argument, std::invoke_result<F>, std::invoke_result<F, T>>::type>;
    using Unwrapped = detail::future::Unwrapped<Returned>;
    using Result = typename Unwrapped::type;
    require_valid();
    auto source = std::make_shared<Future<T>>();
    detail::future::Counted<detail::future::Deferred<Result>> state{
        new detail::future::Deferred<Result>(source, Unwrapped::is_future, unobserved())};
    DeferredEnds<Result> ends{Promise<Result>{state}, Future<Result>{state}};
    *source = std::move(*this);
    struct Step {
        std::shared_ptr<Future<T>> source;
        std::optional<F> f;
        Promise<Result> promise;
        void operator()() {
            std::optional<typename detail::future::Deferred<Returned>::Value> value;
            std::exception_ptr error;
            try {
                const auto call = [&](auto&&... result) {
                    source.reset();
                    if constexpr (std::is_void_v<Returned>) {
                        std::invoke(std::move(*f), std::forward<decltype(result)>(result)...);
                        value.emplace();
                    } else {
                        value.emplace(std::invoke(std::move(*f), std::forward<decltype(result)>(result)...));
                    }
                };
                if constexpr (no_argument) {
                    source->take();
                    call();
                } else {
                    call(source->take());
                }
            } catch (...) { error = std::current_exception(); }
            // Nothing of the step is left when those that wait for the result go on.
            source.reset();
            f.reset();
            if (error) {
                promise.set_exception(std::move(error));
            } else if constexpr (Unwrapped::is_future) {
                promise.set_from(std::move(*value));
            } else if constexpr (std::is_void_v<Result>) {
                promise.set_value();
            } else {
                promise.set_value(std::move(*value));
            }
        }
    };
    try {
        source->add_callback(detail::future::make_callback(Step{source, std::move(f), std::move(ends.promise)}));
    } catch (...) {  // nothing will be called
        *this = std::move(*source);
        throw;
    }
    return std::move(ends.future);
}

template <class T>
void Promise<T>::set_from(Future<T> next) {
    using namespace detail::future;
    find_heir(false);
    if (!next.valid()) { return set_exception(future_error(std::future_errc::no_state)); }
    auto followed = std::make_shared<Future<T>>(std::move(next));
    try {
        if (DeferredBase::follow(Counted<DeferredBase>{state_}, followed)) {
            state_ = {};
            return;
        }
    } catch (...) { return set_exception(std::current_exception()); }
    followed->on_done([followed, promise = std::move(*this)]() mutable {
        try {
            if constexpr (std::is_void_v<T>) {
                ReadyFuture::take(*followed);
                promise.set_value();
            } else {
                promise.set_value(ReadyFuture::take(*followed));
            }
        } catch (...) { promise.set_exception(std::current_exception()); }
    });
}

/// The executor of a plain co_await: resumes on the callback thread.
struct OnCallbackThread {
    /// Called by: the callback thread.
    void operator()(std::coroutine_handle<> resume) const { resume(); }
};

/// The awaiter of a future. Requires: the coroutine is not destroyed while it waits; every future becomes ready.
template <class T, class Executor>
class [[nodiscard]] FutureAwaiter {
public:
    /// Called by: co_await.
    FutureAwaiter(Future<T> future, Executor executor) : future_(std::move(future)), executor_(std::move(executor)) {}

    /// False: the coroutine never goes on in the thread that awaits.
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    /// Gives the coroutine to the executor once the task has ended. Throws: as FutureBase::on_done().
    void await_suspend(std::coroutine_handle<> waiting) {
        // The coroutine may go on, and end, before add_callback() returns, and this object with it.
        auto shared = std::make_shared<Future<T>>(std::move(future_));
        shared_ = shared;
        shared->add_callback(
            detail::future::make_callback([waiting, executor = std::move(executor_)]() mutable { executor(waiting); }));
    }
    /// Returns or throws what Future::get() would.
    T await_resume() { return std::exchange(shared_, nullptr)->take(); }

private:
    Future<T> future_;
    Executor executor_;
    std::shared_ptr<Future<T>> shared_;
};

template <class T>
auto Future<T>::operator co_await() && noexcept {
    return FutureAwaiter<T, OnCallbackThread>{std::move(*this), {}};
}

/// A future, and the executor that resumes the coroutine that awaits it.
template <class T, class Executor>
struct [[nodiscard]] ResumedOn {
    Future<T> future;   ///< awaited
    Executor executor;  ///< gets the coroutine's handle
    /// Called by: co_await.
    FutureAwaiter<T, Executor> operator co_await() && { return {std::move(future), std::move(executor)}; }
};

template <class T>
template <std::invocable<std::coroutine_handle<>> Executor>
auto Future<T>::resume_on(Executor executor) && {
    return ResumedOn<T, Executor>{std::move(*this), std::move(executor)};
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/future/future.ipp>
#endif
