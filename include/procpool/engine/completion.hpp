// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Completion: something that is decided once, by a thread of this process.

#include <procpool/core/deadline.hpp>
#include <procpool/os/identity.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>

namespace procpool::engine {

/// Lives until the last Counted<> of it is gone. Called by: any thread of the process that made it; in a child that was forked with it
/// nothing but is_mine() and the destructor of its Counted<>, which does nothing there: a lock of it may be held by a thread the child has not.
class Completion {
public:
    Completion() : owner_(os::process_token()) {}
    Completion(const Completion&) = delete;
    Completion& operator=(const Completion&) = delete;

    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }

    /// Memory order: acquire: what its decider did before decide() is visible.
    [[nodiscard]] bool is_decided() const noexcept { return decided_.load(std::memory_order_acquire); }

    /// Effects: it is decided, and whoever waits for it goes on. Called by: whoever has stored what it was decided to; once.
    void decide() noexcept {
        const std::lock_guard guard{mutex_};
        decided_.store(true, std::memory_order_release);
        changed_.notify_all();
    }

    /// Blocks until it is decided. Returns: false when the deadline came first.
    bool wait(Deadline deadline) {
        if (is_decided()) { return true; }
        std::unique_lock lock{mutex_};
        const auto decided = [this] { return is_decided(); };
        if (deadline.is_never()) {
            changed_.wait(lock, decided);
            return true;
        }
        return changed_.wait_until(lock, deadline.when(), decided);
    }

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

private:
    const os::Token owner_;
    std::atomic<std::uint32_t> references_{1};
    std::atomic<bool> decided_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
};

/// A reference to a Completion or what derives from it. In a forked child it does nothing at its end.
template <class C>
class Counted {
public:
    Counted() noexcept = default;
    /// Takes over one reference.
    explicit Counted(C* completion) noexcept : completion_(completion) {}
    Counted(Counted&& other) noexcept : completion_(std::exchange(other.completion_, nullptr)) {}
    template <class D>
    explicit Counted(Counted<D> other) noexcept : completion_(other.detach()) {}
    Counted(const Counted& other) noexcept : completion_(other.completion_) {
        if (completion_ != nullptr) { completion_->retain(); }
    }
    Counted& operator=(Counted other) noexcept {
        std::swap(completion_, other.completion_);
        return *this;
    }
    ~Counted() {
        if (completion_ != nullptr && completion_->is_mine()) { completion_->release(); }
    }
    [[nodiscard]] explicit operator bool() const noexcept { return completion_ != nullptr; }
    [[nodiscard]] C* get() const noexcept { return completion_; }
    [[nodiscard]] C* detach() noexcept { return std::exchange(completion_, nullptr); }
    C* operator->() const noexcept { return completion_; }
    C& operator*() const noexcept { return *completion_; }

private:
    C* completion_ = nullptr;
};

}  // namespace procpool::engine
