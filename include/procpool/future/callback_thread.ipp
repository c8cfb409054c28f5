// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/callback_thread.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/log/log.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/worker/setup.hpp>

#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::future {

PROCPOOL_DECL CallbackThread& CallbackThread::of_this_process() {
    static constinit os::PerProcess<CallbackThread> of_process;
    return of_process.get([] { return new CallbackThread; });
}

PROCPOOL_DECL void CallbackThread::begin() {
    const std::lock_guard guard{mutex_};
    if (!has_thread_) {
        const os::AllSignalsBlocked inherited_by_the_thread;
        std::thread{[this] { serve(); }}.detach();
        has_thread_ = true;
    }
    ++outstanding_;
}

PROCPOOL_DECL void CallbackThread::end() noexcept {
    const std::lock_guard guard{mutex_};
    --outstanding_;
}

PROCPOOL_DECL void CallbackThread::post(Completion& completion) noexcept {
    completion.retain();
    completion.next_ready = nullptr;
    {
        const std::lock_guard guard{mutex_};
        (last_ready_ != nullptr ? last_ready_->next_ready : first_ready_) = &completion;
        last_ready_ = &completion;
        has_work_.store(true, std::memory_order_seq_cst);
    }
    wait_set_.wake();
}

PROCPOOL_DECL void CallbackThread::watch(client::Client& client, client::Ticket ticket,
                                         Counted<Completion> completion) {
    watch({client::ClientRef{client}, ticket, nullptr, std::move(completion)});
}

PROCPOOL_DECL void CallbackThread::watch(client::GuestTask& task, Counted<Completion> completion) {
    task.retain();
    watch({{}, {}, &task, std::move(completion)});
}

PROCPOOL_DECL void CallbackThread::watch(Watched watched) {
    {
        const std::lock_guard guard{mutex_};
        incoming_.push_back(std::move(watched));
        has_work_.store(true, std::memory_order_seq_cst);
    }
    wait_set_.wake();
}

PROCPOOL_DECL bool CallbackThread::wait(client::Client& client, client::Ticket ticket, Deadline deadline) {
    WaitSet inner;
    inner.add(client, ticket, 0);
    return inner.find(deadline);
}

PROCPOOL_DECL bool CallbackThread::wait(Completion& completion, Deadline deadline) {
    WaitSet inner;
    completion.retain();
    inner.add(Counted<Completion>{&completion}, 0, true);
    return inner.find(deadline);
}

PROCPOOL_DECL bool CallbackThread::run_one() {
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

PROCPOOL_DECL bool CallbackThread::may_run() const noexcept {
    // seq_cst: as WaitSet::set_parker().
    return has_work_.load(std::memory_order_seq_cst) || wait_set_.may_find();
}

PROCPOOL_DECL void CallbackThread::serve() noexcept {
    constexpr std::chrono::milliseconds patience{50};  // starting a thread costs more than many callbacks
    os::name_process("procpool:calls");                // the thread, that is
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
        wait_set_.sleep(end_of_patience);
    }
}

/// Effects: what other threads have handed over is watched; what is decided is in the list of those to be called.
/// Returns: whether there was anything.
PROCPOOL_DECL bool CallbackThread::take_stock() {
    std::vector<Watched> incoming;
    if (has_work_.load(std::memory_order_relaxed)) {
        const std::lock_guard guard{mutex_};
        incoming.swap(incoming_);
        has_work_.store(first_ready_ != nullptr, std::memory_order_relaxed);
    }
    for (Watched& one : incoming) {
        const auto key = reinterpret_cast<std::uintptr_t>(one.completion.detach());
        if (one.guest != nullptr) {
            wait_set_.add(*one.guest, key);
            one.guest->release();
            continue;
        }
        wait_set_.add(*one.client, one.ticket, key);
        one.client = {};
    }
    std::vector<WaitSet::Key> keys;
    // A task that was found is no longer kept: a pool's memory may be gone before its callbacks have run.
    wait_set_.look(keys);
    for (const WaitSet::Key key : keys) {
        Counted<Completion> { reinterpret_cast<Completion*>(key) } -> decide();
    }
    return !incoming.empty() || !keys.empty();
}

PROCPOOL_DECL void Completion::decide() noexcept {
    const std::lock_guard guard{mutex_};
    decided_.store(true, std::memory_order_release);
    call_subscribers();
    if (!functions_.empty()) { CallbackThread::of_this_process().post(*this); }
}

PROCPOOL_DECL void Completion::add(std::unique_ptr<Callback> function) {
    CallbackThread& callbacks = CallbackThread::of_this_process();
    const std::lock_guard guard{mutex_};
    if (unfinished_.load(std::memory_order_relaxed) == 0) { callbacks.begin(); }
    const bool posted = !functions_.empty();
    functions_.push(std::move(function));
    observed_ = true;
    unfinished_.fetch_add(1, std::memory_order_relaxed);
    if (is_decided() && !posted) { callbacks.post(*this); }
}

PROCPOOL_DECL void Completion::run_next() noexcept {
    CallbackThread& callbacks = CallbackThread::of_this_process();
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
    function.reset();  // before those that wait go on
    const std::lock_guard guard{mutex_};
    // release: what the function did is visible to those that find this over.
    if (unfinished_.fetch_sub(1, std::memory_order_release) != 1) { return; }
    callbacks.end();
    call_subscribers();
}

}  // namespace procpool::detail::future
