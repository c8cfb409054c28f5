// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Future: the result of a task, when it is there.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/engine/completion.hpp>
#include <procpool/pool/deferred.hpp>
#include <procpool/pool/task_handle.hpp>

#include <chrono>
#include <future>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace procpool {

/// What all futures have. The result is a task's, in its slot, or a Deferred's.
class FutureBase {
public:
    void wait() const { static_cast<void>(wait_until_deadline(Deadline::never())); }

    template <class Rep, class Period>
    std::future_status wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return wait_until_deadline(Deadline::after(timeout)) ? std::future_status::ready : std::future_status::timeout;
    }

    template <class AnyClock, class Duration>
    std::future_status wait_until(std::chrono::time_point<AnyClock, Duration> when) const {
        for (;;) {
            const std::future_status status = wait_for(when - AnyClock::now());
            // Another clock may have been set meanwhile.
            if (status == std::future_status::ready || AnyClock::now() >= when) { return status; }
        }
    }

    /// Effects: a task that has not started will not run. One that runs can learn from its stop_token that it shall stop.
    /// Returns: whether it will not run; get() throws TaskCancelled then.
    bool cancel() { return task_.has_task() ? task_.cancel() : completion().cancel(); }
    /// Effects: as cancel(), but a task that runs is stopped too: its worker is killed and replaced. A thread cannot be killed: there, kill()
    /// is cancel(). Returns: false when the task had ended.
    bool kill() { return task_.has_task() ? task_.kill() : completion().kill(); }

protected:
    FutureBase() noexcept = default;
    explicit FutureBase(TaskHandle task) noexcept : task_(std::move(task)) {}
    explicit FutureBase(engine::Counted<engine::Completion> completion) noexcept : completion_(std::move(completion)) {}
    FutureBase(FutureBase&&) noexcept = default;
    FutureBase& operator=(FutureBase&&) noexcept = default;
    ~FutureBase() = default;

    /// Returns: false when the deadline came first.
    bool wait_until_deadline(Deadline deadline) const {
        if (task_.has_task()) { return task_.wait(deadline); }
        return completion().wait(deadline);
    }

    /// Requires: there is no task.
    [[nodiscard]] engine::Completion& completion() const {
        if (!completion_) { throw std::future_error(std::future_errc::no_state); }
        if (!completion_->is_mine()) { throw std::logic_error("procpool: this future belongs to another process"); }
        return *completion_;
    }

    TaskHandle task_;
    engine::Counted<engine::Completion> completion_;
};

/// The result of a task. Outlives its pool. Called by: the process that submitted, any thread; ready() and wait*() may run concurrently
/// with each other and with one get(). All but the destructor throw std::future_error without a task, and std::logic_error in a child
/// that was forked with it.
template <class T>
class [[nodiscard]] Future : public FutureBase {
public:
    Future() noexcept = default;
    explicit Future(TaskHandle task) noexcept : FutureBase(std::move(task)) {}
    explicit Future(engine::Counted<Deferred<T>> state) noexcept
        : FutureBase(engine::Counted<engine::Completion>{std::move(state)}) {}

    /// Blocks until the task has ended. Returns: its result, once: the future is invalid afterwards. Throws: what the task ended with.
    T get() {
        wait();
        return take();
    }

    [[nodiscard]] bool valid() const noexcept { return task_.has_task() ? task_.valid() : completion_ && deferred().is_there(); }
    /// Whether a worker is at it. False without a task.
    [[nodiscard]] bool running() const noexcept {
        return task_.has_task() ? task_.is_running() : valid() && completion_->is_mine() && completion_->is_running();
    }
    /// Whether get() would not block. False without a task, and in a child.
    [[nodiscard]] bool ready() const noexcept {
        return task_.has_task() ? task_.is_ready() : valid() && completion_->is_mine() && completion_->is_decided();
    }

private:
    /// Requires: it is decided.
    T take() {
        if (!task_.has_task()) { return deferred().take(); }
        if constexpr (std::is_void_v<T>) {
            task_.take_value([](Reader&) {});
        } else {
            return task_.take_value([](Reader& in) { return Codec<T>::decode(in); });
        }
    }

    /// Requires: there is no task, and there is a Deferred.
    [[nodiscard]] Deferred<T>& deferred() const noexcept { return static_cast<Deferred<T>&>(*completion_); }
};

/// The two ends of a result that this process makes. Called by: what is built on tasks.
template <class T>
struct DeferredEnds {
    Promise<T> promise;
    Future<T> future;
};

/// Effects: a future that is ready once its promise is set: auto [promise, future] = make_deferred<int>();
template <class T>
[[nodiscard]] DeferredEnds<T> make_deferred(DeferredHooks hooks = {}) {
    engine::Counted<Deferred<T>> state{new Deferred<T>(std::move(hooks))};
    return {Promise<T>{state}, Future<T>{state}};
}

}  // namespace procpool
