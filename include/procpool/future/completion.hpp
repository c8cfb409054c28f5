// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Completion: something that is decided once, by a thread of this process, and the functions that are called then.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/future/callback.hpp>
#include <procpool/future/counted.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace procpool::inline v0 {
class FutureBase;
}

namespace procpool::inline v0::detail::future {

using LookAtPart = core::FunctionRef<void(FutureBase& part, bool is_shared)>;

/// Learns that completions are over. Called by: the thread that decides one, with a lock of the completion held.
class Subscriber {
public:
    virtual void is_over(std::uint64_t key) noexcept = 0;

protected:
    ~Subscriber() = default;
};

/// Decided: the value or error is set. Over: decided, and every function has returned. Lives until the last Counted<>
/// of it is gone. Called by: any thread of the process that made it. In a child that was forked with it: is_mine()
/// only, and Counted<>'s destructor, which does nothing there: a lock of it may be held by a thread that the child does
/// not have.
class Completion {
public:
    Completion();
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    [[nodiscard]] bool is_mine() const noexcept;

    /// Memory order: acquire: what its decider did before decide() is visible.
    [[nodiscard]] bool is_decided() const noexcept { return decided_.load(std::memory_order_acquire); }
    /// Memory order: acquire: what its functions did is visible too.
    [[nodiscard]] bool is_over() const noexcept {
        return is_decided() && unfinished_.load(std::memory_order_acquire) == 0;
    }

    /// Effects: it is decided; its functions will be called, and then those that wait go on.
    /// Called by: the thread that has stored its value or error; once.
    void decide() noexcept;

    /// Effects: the function is called on the callback thread once it is decided, after those added before.
    /// Throws: std::system_error when that thread cannot be had.
    void add(std::unique_ptr<Callback> function);

    /// Blocks until it is over; on the callback thread, where that may be a matter of the caller's return, until it is
    /// decided. Returns: false when the deadline came first.
    bool wait(Deadline deadline);
    /// Whether wait() would not block.
    [[nodiscard]] bool is_ready() const noexcept;

    /// Whether what it was decided to has been taken away.
    [[nodiscard]] bool is_taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

    /// Whether a function was ever added. Called by: a thread whose look excludes add().
    [[nodiscard]] bool is_observed() const noexcept { return observed_; }
    /// Whether it is neither decided nor has anything to call then. Called by: as is_observed().
    [[nodiscard]] bool is_unwatched() noexcept;

    /// Effects: the subscriber learns of it once, with its key. when_decided: before its functions have run.
    /// Returns: false when that is so already; then the subscriber is not called. Throws: std::bad_alloc.
    [[nodiscard]] bool subscribe(Subscriber& subscriber, std::uint64_t key, bool when_decided);
    /// Effects: the subscriber is not called any more, nor is it being called.
    void unsubscribe(const Subscriber& subscriber) noexcept;

    /// Effects: what it needs to be decided is set going, if it waits for the first look at it. Called by: a future,
    /// before all that follows from its members.
    virtual void begin() {}
    /// Calls look(part, whether that is shared) for each future that this one consists of, if it has not begun.
    /// Returns: whether it does.
    virtual bool each_part(LookAtPart) { return false; }

    // ---- for the callback thread

    /// Effects: calls the next function, with another one already in the callback thread's list. An exception of it is
    /// logged. Requires: it is decided, and there is one.
    void run_next() noexcept;

    Completion* next_ready = nullptr;  ///< link of the callback thread's list; owned by it

    // ---- for its owner

    /// Effects: what has not started will not run. Returns: whether it will not run.
    virtual bool cancel() { return false; }
    /// Effects: as cancel(), but what runs is stopped. Returns: false when it was decided.
    virtual bool kill() { return false; }
    [[nodiscard]] virtual bool is_running() const { return !is_decided(); }

    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) { delete this; }
    }

protected:
    virtual ~Completion() = default;

    /// Returns: whether this call is the first one.
    [[nodiscard]] bool take_once() noexcept { return !taken_.exchange(true, std::memory_order_relaxed); }

private:
    struct Subscription {
        Subscriber* subscriber;
        std::uint64_t key;
        bool when_decided;
    };

    void call_subscribers() noexcept;

    const std::uint64_t owner_;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<std::uint32_t> unfinished_{0};  // functions that were added and have not returned; written under mutex_
    std::atomic<bool> decided_{false};          // likewise
    std::atomic<bool> taken_{false};
    bool observed_ = false;  // written under mutex_
    std::mutex mutex_;
    std::condition_variable changed_;
    CallbackList functions_;  // not called yet; a decided one that has some is in the callback thread's list
    std::vector<Subscription> subscriptions_;
};

}  // namespace procpool::detail::future

#if PROCPOOL_BODIES
#include <procpool/future/completion.ipp>
#endif
