// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Completion: something that is decided once, by a thread of this process, and the functions that are called then.

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/identity.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::future {

/// A function of the user's, called once.
class Callback {
public:
    Callback() = default;
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    virtual ~Callback() = default;
    virtual void run() = 0;

    std::unique_ptr<Callback> next;  ///< of the list it is in
};

/// Returns: a callback that calls f, which may be move-only.
template <class F>
[[nodiscard]] std::unique_ptr<Callback> make_callback(F f) {
    class Function final : public Callback {
    public:
        explicit Function(F&& callee) : f_(std::move(callee)) {}
        void run() override { static_cast<void>(f_()); }

    private:
        F f_;
    };
    return std::make_unique<Function>(std::move(f));
}

/// First in, first out; allocates nothing. Not thread-safe.
class CallbackList {
public:
    CallbackList() noexcept = default;
    CallbackList(const CallbackList&) = delete;
    CallbackList& operator=(const CallbackList&) = delete;
    ~CallbackList() {
        while (pop()) {}
    }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void push(std::unique_ptr<Callback> callback) noexcept {
        Callback* const added = callback.get();
        (last_ != nullptr ? last_->next : first_) = std::move(callback);
        last_ = added;
        ++size_;
    }
    /// Returns: null when there is none.
    [[nodiscard]] std::unique_ptr<Callback> pop() noexcept {
        std::unique_ptr<Callback> first = std::move(first_);
        if (!first) { return nullptr; }
        first_ = std::move(first->next);
        if (--size_ == 0) { last_ = nullptr; }
        return first;
    }

private:
    std::unique_ptr<Callback> first_;
    Callback* last_ = nullptr;
    std::size_t size_ = 0;
};

/// Who wants to know when completions are over. Called by: the thread that decides one, with a lock of the completion
/// held.
class Subscriber {
public:
    virtual void is_over(std::uint64_t key) noexcept = 0;

protected:
    ~Subscriber() = default;
};

/// Decided: what it was waited for is there. Over: decided, and its functions have run. Lives until the last Counted<>
/// of it is gone. Called by: any thread of the process that made it. In a child that was forked with it: is_mine()
/// only, and Counted<>'s destructor, which does nothing there: a thread that the child has not may hold a lock of it.
class Completion {
public:
    Completion() : owner_(os::process_token()) {}
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }

    /// Memory order: acquire: what its decider did before decide() is visible.
    [[nodiscard]] bool is_decided() const noexcept { return decided_.load(std::memory_order_acquire); }
    /// Memory order: acquire: what its functions did is visible too.
    [[nodiscard]] bool is_over() const noexcept {
        return is_decided() && unfinished_.load(std::memory_order_acquire) == 0;
    }

    /// Effects: it is decided; its functions will be called, and then whoever waits goes on.
    /// Called by: whoever has stored what it was decided to; once.
    void decide() noexcept;

    /// Effects: the function is called on the callback thread once it is decided, after those added before.
    /// Throws: std::system_error when that thread cannot be had.
    void add(std::unique_ptr<Callback> function);

    /// Blocks until it is over; on the callback thread, where that may be a matter of the caller's return, until it is
    /// decided. Returns: false when the deadline came first.
    bool wait(Deadline deadline) {
        if (client::CallbackLoop* const loop = client::callback_loop()) {
            return is_decided() || loop->wait(*this, deadline);
        }
        if (is_over()) { return true; }
        const auto over = [this] { return is_over(); };
        if (client::Crew* const crew = deadline.is_never() ? client::crew_at_work() : nullptr) {
            // It may depend on tasks that nobody else is there to run; whoever submits such a task does not wake this
            // thread.
            constexpr std::chrono::milliseconds until_next_look{1};
            while (!is_over()) {
                if (crew->run_any_if_all_wait()) { continue; }
                const client::Crew::Waiting waiting{crew};
                std::unique_lock lock{mutex_};
                changed_.wait_for(lock, until_next_look, over);
            }
            return true;
        }
        std::unique_lock lock{mutex_};
        if (deadline.is_never()) {
            changed_.wait(lock, over);
            return true;
        }
        return changed_.wait_until(lock, deadline.when(), over);
    }
    /// Whether wait() would not block.
    [[nodiscard]] bool is_ready() const noexcept {
        return is_over() || (is_decided() && client::callback_loop() != nullptr);
    }

    /// Whether what it was decided to has been taken away.
    [[nodiscard]] bool is_taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

    /// Effects: the subscriber is told once, with its key. when_decided: before its functions have run.
    /// Returns: false when that is so already; then it is not told. Throws: std::bad_alloc.
    [[nodiscard]] bool subscribe(Subscriber& subscriber, std::uint64_t key, bool when_decided) {
        const std::lock_guard guard{mutex_};
        if (when_decided ? is_decided() : is_over()) { return false; }
        subscriptions_.push_back({&subscriber, key, when_decided});
        return true;
    }
    /// Effects: the subscriber is not told any more, nor is it being told.
    void unsubscribe(const Subscriber& subscriber) noexcept {
        const std::lock_guard guard{mutex_};
        std::erase_if(subscriptions_, [&](const Subscription& one) { return one.subscriber == &subscriber; });
    }

    // ---- for the callback thread

    /// Effects: calls the next function, with another one already in the callback thread's list. What it throws is
    /// ignored. Requires: it is decided, and there is one.
    void run_next() noexcept;

    Completion* next_ready = nullptr;  ///< link of the callback thread's list; owned by it

    // ---- what its owner can do about it

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

    /// Requires: mutex_ is held, and it is decided.
    void tell() noexcept {
        const bool over = is_over();
        std::erase_if(subscriptions_, [over](const Subscription& one) {
            if (!over && !one.when_decided) { return false; }
            one.subscriber->is_over(one.key);
            return true;
        });
        if (over) { changed_.notify_all(); }
    }

    const os::Token owner_;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<std::uint32_t> unfinished_{0};  // functions that were added and have not returned; written under mutex_
    std::atomic<bool> decided_{false};          // likewise
    std::atomic<bool> taken_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    CallbackList functions_;  // not called yet; a decided one that has some is in the callback thread's list
    std::vector<Subscription> subscriptions_;
};

/// A reference to a Completion or what derives from it. In a forked child it does nothing at its end.
template <class C>
class Counted {
public:
    Counted() noexcept = default;
    /// Takes over one reference.
    explicit Counted(C* completion) noexcept : completion_(completion) {}
    Counted(Counted&& other) noexcept : completion_(std::exchange(other.completion_, nullptr)) {}
    Counted(const Counted& other) noexcept : completion_(other.completion_) {
        if (completion_ != nullptr) { completion_->retain(); }
    }
    template <class D>
    explicit Counted(Counted<D> other) noexcept : completion_(other.detach()) {}
    Counted& operator=(Counted other) noexcept {
        std::swap(completion_, other.completion_);
        return *this;
    }
    ~Counted() {
        if (completion_ != nullptr && completion_->is_mine()) { completion_->release(); }
    }
    [[nodiscard]] explicit operator bool() const noexcept { return completion_ != nullptr; }
    [[nodiscard]] C* get() const noexcept { return completion_; }
    /// Gives the reference to the caller.
    [[nodiscard]] C* detach() noexcept { return std::exchange(completion_, nullptr); }
    C* operator->() const noexcept { return completion_; }
    C& operator*() const noexcept { return *completion_; }

private:
    C* completion_ = nullptr;
};

}  // namespace procpool::detail::future
