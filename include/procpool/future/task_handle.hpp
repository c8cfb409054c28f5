// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskHandle: one task of a pool, as its submitter holds it.

#include <procpool/client/client.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/future/backtrace_text.hpp>
#include <procpool/future/callback_thread.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/wait_set.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool::inline v0 {

[[noreturn]] inline void throw_overwritten(const std::string& label) {
    throw Error("procpool: " + (label.empty() ? "a task" : "task '" + label + "'") +
                " is lost: a task has written where the pool kept it");
}

/// Throws: what a lost or cancelled task ends with. where: of the task, for people, or nothing.
[[noreturn]] inline void throw_loss(const detail::client::Client& client, const detail::client::Client::Taken& taken,
                                    const std::string& where = {}) {
    if (taken.phase() == detail::task::Phase::cancelled) { throw TaskCancelled{}; }
    const detail::client::Loss& loss = *taken.loss();
    const std::string label = loss.label + (loss.label.empty() || where.empty() ? "" : ", ") + where;
    switch (loss.cause) {
        case detail::task::Cause::died:
            throw WorkerDied(loss.exit_status, loss.pid, label, detail::future::backtrace_text(loss.crash));
        case detail::task::Cause::timed_out: throw TaskTimedOut(loss.timeout, label);
        case detail::task::Cause::killed: throw TaskCancelled{};
        case detail::task::Cause::terminated: throw PoolTerminated{};
        case detail::task::Cause::overwritten: throw_overwritten(label);
        case detail::task::Cause::broken: break;
    }
    throw PoolBroken("procpool: the pool is broken: " + std::string(client.board().from_workers.explanation()));
}

/// One task, as long as somebody may ask for its result. Move-only; dropping it detaches the task.
/// Called by: all but take(), moves and the destructor concurrently with each other and with one take(); so the task's
/// client is kept until the end, and a task whose result was taken is decided, for good.
class TaskHandle {
public:
    TaskHandle() noexcept = default;
    TaskHandle(detail::client::Client& client, detail::client::Ticket ticket) noexcept
        : client_(&client),
          serial_(ticket.serial),
          slot_(ticket.slot) {}
    TaskHandle(TaskHandle&& other) noexcept
        : client_(std::exchange(other.client_, nullptr)),
          serial_(other.serial_),
          slot_(other.slot_),
          taken_(other.was_taken()) {}
    TaskHandle& operator=(TaskHandle&& other) noexcept {
        if (this == &other) { return *this; }
        if (client_ != nullptr) { release(); }
        client_ = std::exchange(other.client_, nullptr);
        serial_ = other.serial_;
        slot_ = other.slot_;
        taken_.store(other.was_taken(), std::memory_order_relaxed);
        return *this;
    }
    ~TaskHandle() {
        if (client_ != nullptr) { release(); }
    }

    /// Whether there is a task, its result taken or not.
    [[nodiscard]] bool has_task() const noexcept { return client_ != nullptr; }
    [[nodiscard]] bool valid() const noexcept { return client_ != nullptr && !was_taken(); }
    [[nodiscard]] bool is_decided() const { return client().is_decided(ticket()); }
    bool wait(Deadline deadline) const { return client().wait(ticket(), deadline); }
    /// Whether take() could be called now; for callers that may ask again and again. False without a task, and in a
    /// child.
    [[nodiscard]] bool is_ready() const noexcept { return valid() && client_->is_mine() && client_->poll(ticket()); }
    /// False without a task, and in a child.
    [[nodiscard]] bool is_running() const noexcept {
        return valid() && client_->is_mine() && client_->is_running(ticket());
    }
    /// Effects: a task that has not started will not run; one that runs is asked to stop. Returns: whether it will not
    /// run.
    bool cancel() const {
        if (client().withdraw(ticket())) { return true; }
        client().request_stop(ticket());
        return false;
    }
    bool kill() const { return client().kill(ticket()); }

    /// Effects: the completion is decided when the task is. Requires: it has a function to be called.
    void decide_with(detail::future::Counted<detail::future::Completion> completion) const {
        if (is_decided()) {
            completion->decide();
        } else {
            detail::future::CallbackThread::of_this_process().watch(client(), ticket(), std::move(completion));
        }
    }
    void watch(detail::future::WaitSet& set, std::uint64_t key) const { set.add(client(), ticket(), key); }

    /// Returns: what the task left. The handle is no longer valid afterwards, but keeps the task's client. Requires:
    /// is_decided().
    [[nodiscard]] detail::client::Client::Taken take() {
        detail::client::Client& from = client();
        if (was_taken()) { throw_no_state(); }
        taken_.store(true, std::memory_order_relaxed);  // one thread at a time gets
        return from.take(ticket());
    }

    /// Returns: what `decode(Reader&)` makes of the result. Throws: what the task ended with, or what decoding throws.
    /// Otherwise as take().
    template <class Decode>
    auto take_value(Decode decode) {
        const detail::client::Client::Taken taken = take();
        if (taken.phase() != detail::task::Phase::done) { throw_loss(*client_, taken); }
        if (taken.outcome() == detail::task::Outcome::exception) { rethrow(taken); }
        Reader in{taken.bytes(), client_->place_of()};
        return decode(in);
    }

private:
    /// Memory order: relaxed: who moves, takes or drops has the handle to itself; who only asks may learn it a moment
    /// later.
    [[nodiscard]] bool was_taken() const noexcept { return taken_.load(std::memory_order_relaxed); }
    [[nodiscard]] detail::client::Ticket ticket() const noexcept { return {serial_, slot_}; }
    [[nodiscard]] detail::client::Client& client() const {
        if (!has_task()) { throw_no_state(); }
        if (!client_->is_mine()) { throw_not_mine(); }
        return *client_;
    }
    [[noreturn, gnu::cold]] void rethrow(const detail::client::Client::Taken& taken) const {
        Reader in{taken.bytes(), client_->place_of()};
        std::rethrow_exception(decode_exception(in));
    }
    [[noreturn]] static void throw_no_state() { throw std::future_error(std::future_errc::no_state); }
    [[noreturn]] static void throw_not_mine() {
        throw std::logic_error("procpool: this future belongs to another process");
    }

    void release() noexcept {
        if (!client_->is_mine()) { return; }  // in a forked child there is nothing to give back
        if (!was_taken()) { client_->drop(ticket()); }
        detail::client::Client::release_ticket(client_);
    }

    detail::client::Client* client_ = nullptr;
    std::uint64_t serial_ = 0;
    std::uint32_t slot_ = 0;
    std::atomic<bool> taken_{false};
};

}  // namespace procpool
