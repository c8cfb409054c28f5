// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Callbacks: the one thread of the program that calls what users gave to be called when something is decided.

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/watcher.hpp>
#include <procpool/log/log.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/worker/setup.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::future {

/// The thread starts when a completion gets its first function, with all signals blocked, and ends a moment after the
/// last function has returned. Only the process that started it has it: a forked child makes an object, and a thread,
/// of its own. Called by: any thread, unless said otherwise.
class Callbacks final : public client::CallbackLoop {
public:
    /// Throws: SharedMemoryExhausted, std::bad_alloc; at the first call only.
    [[nodiscard]] static Callbacks& of_this_process();

    /// Effects: there is a thread until end(). Called by: a completion, when it has functions to be called; a lock of
    /// it may be held. Throws: std::system_error when the thread cannot be had.
    void begin() {
        const std::lock_guard guard{mutex_};
        if (!has_thread_) {
            const os::AllSignalsBlocked inherited_by_the_thread;
            std::thread{[this] { serve(); }}.detach();
            has_thread_ = true;
        }
        ++outstanding_;
    }
    void end() noexcept {
        const std::lock_guard guard{mutex_};
        --outstanding_;
    }

    /// Effects: the next function of a decided completion will be called. Between begin() and end() of it.
    void post(Completion& completion) noexcept {
        completion.retain();
        completion.next_ready = nullptr;
        {
            const std::lock_guard guard{mutex_};
            (last_ready_ != nullptr ? last_ready_->next_ready : first_ready_) = &completion;
            last_ready_ = &completion;
            has_work_.store(true, std::memory_order_relaxed);
        }
        watcher_.wake();
    }

    /// Effects: the completion is decided when the task is. Between begin() and end() of it. Requires: the caller's
    /// ticket is not released meanwhile; later it may be. Throws: std::bad_alloc.
    void watch(client::Client& client, client::Ticket ticket, Counted<Completion> completion) {
        {
            const std::lock_guard guard{mutex_};
            incoming_.push_back({&client, ticket, std::move(completion)});
            client.retain();
            has_work_.store(true, std::memory_order_relaxed);
        }
        watcher_.wake();
    }

    // ---- the callback thread

    bool wait(client::Client& client, client::Ticket ticket, Deadline deadline) override {
        Watcher inner;
        inner.add(client, ticket, 0);
        return inner.find(deadline);
    }
    bool wait(Completion& completion, Deadline deadline) override {
        Watcher inner;
        completion.retain();
        inner.add(Counted<Completion>{&completion}, 0, true);
        return inner.find(deadline);
    }
    inline bool run_one() override;  // inline here too, or every source that includes this compiles the class
    [[nodiscard]] bool may_run() const noexcept override {
        return has_work_.load(std::memory_order_relaxed) || watcher_.may_find();
    }
    void check_crews() noexcept override { watcher_.check_crews(); }
    [[nodiscard]] const client::Parkers::Lease& sleeper() const noexcept override { return watcher_.sleeper(); }

private:
    /// How long the thread stays when it has nothing to do, since starting one costs more than many callbacks.
    static constexpr std::chrono::milliseconds patience{50};

    struct Watched {
        client::Client* client;  // retained
        client::Ticket ticket;
        Counted<Completion> completion;
    };

    void serve() noexcept {
        os::name_process("procpool:calls");  // the thread, that is
        client::loop_of_thread = this;
        const os::InProgramCode here;
        Deadline end_of_patience = Deadline::never();
        for (;;) {
            if (run_one()) {
                end_of_patience = Deadline::never();
                continue;
            }
            {
                const std::lock_guard guard{mutex_};
                if (outstanding_ != 0) {
                    end_of_patience = Deadline::never();
                } else if (end_of_patience.is_never()) {
                    end_of_patience = Deadline::after(patience);
                } else if (end_of_patience.passed()) {
                    has_thread_ = false;
                    return;
                }
            }
            watcher_.sleep(end_of_patience);
        }
    }

    /// Effects: what other threads have handed over is watched; what is decided is in the list of those to be called.
    /// Returns: whether there was anything.
    bool take_stock() {
        std::vector<Watched> incoming;
        if (has_work_.load(std::memory_order_relaxed)) {
            const std::lock_guard guard{mutex_};
            incoming.swap(incoming_);
            has_work_.store(first_ready_ != nullptr, std::memory_order_relaxed);
        }
        for (Watched& one : incoming) {
            watcher_.add(*one.client, one.ticket, reinterpret_cast<std::uintptr_t>(one.completion.detach()));
            client::Client::release_ticket(one.client);
        }
        std::vector<Watcher::Key> keys;
        watcher_.look(
            keys);  // what is found is no longer kept: a pool's memory may be gone before its callbacks have run
        for (const Watcher::Key key : keys) {
            Counted<Completion> { reinterpret_cast<Completion*>(key) } -> decide();
        }
        return !incoming.empty() || !keys.empty();
    }

    std::mutex mutex_;
    std::uint64_t outstanding_ = 0;  // completions that have functions to be called, now or later
    bool has_thread_ = false;
    Completion* first_ready_ = nullptr;  // decided ones with functions that wait to be called
    Completion* last_ready_ = nullptr;
    std::vector<Watched> incoming_;
    std::atomic<bool> has_work_{false};  // something is in those; written under mutex_
    Watcher watcher_;                    // of the thread; its keys are completions, one reference each
};

inline Callbacks& Callbacks::of_this_process() {
    static constinit std::atomic<Callbacks*> newest{
        nullptr};  // never destroyed: the thread may run until the program ends
    Callbacks* seen = newest.load(std::memory_order_acquire);
    while (seen == nullptr || !seen->is_mine()) {
        auto fresh = std::make_unique<Callbacks>();
        // acq_rel: publishes what was made; a loser's was never seen by anybody.
        if (newest.compare_exchange_strong(seen, fresh.get(), std::memory_order_acq_rel, std::memory_order_acquire)) {
            return *fresh.release();
        }
    }
    return *seen;
}

inline bool Callbacks::run_one() {
    const bool found = take_stock();
    Completion* first = nullptr;
    {
        const std::lock_guard guard{mutex_};
        first = first_ready_;
        if (first != nullptr) { first_ready_ = first->next_ready; }
        if (first_ready_ == nullptr) { last_ready_ = nullptr; }
        has_work_.store(first_ready_ != nullptr || !incoming_.empty(), std::memory_order_relaxed);
    }
    if (first == nullptr) { return found; }
    Counted<Completion> { first } -> run_next();
    return true;
}

inline void Completion::decide() noexcept {
    const std::lock_guard guard{mutex_};
    decided_.store(true, std::memory_order_release);
    tell();
    if (!functions_.empty()) { Callbacks::of_this_process().post(*this); }
}

inline void Completion::add(std::unique_ptr<Callback> function) {
    Callbacks& callbacks = Callbacks::of_this_process();
    const std::lock_guard guard{mutex_};
    if (unfinished_.load(std::memory_order_relaxed) == 0) { callbacks.begin(); }
    const bool posted = !functions_.empty();
    functions_.push(std::move(function));
    unfinished_.fetch_add(1, std::memory_order_relaxed);
    if (is_decided() && !posted) { callbacks.post(*this); }
}

inline void Completion::run_next() noexcept {
    Callbacks& callbacks = Callbacks::of_this_process();
    std::unique_ptr<Callback> function;
    {
        const std::lock_guard guard{mutex_};
        function = functions_.pop();
        if (!functions_.empty()) { callbacks.post(*this); }
    }
    try {
        function->run();
    } catch (...) {  // nobody has asked for it, but a log may
        procpool::log(LogLevel::error, "a callback threw {}", worker::describe_current_exception());
    }
    function.reset();  // before whoever waits goes on
    const std::lock_guard guard{mutex_};
    // release: what the function did is visible to whoever finds this over.
    if (unfinished_.fetch_sub(1, std::memory_order_release) != 1) { return; }
    callbacks.end();
    tell();
}

}  // namespace procpool::detail::future
