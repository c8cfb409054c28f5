// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskHandle: one task of a pool, as its submitter holds it.

#include <procpool/client/holder.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/counted.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace procpool::inline v0::detail {

namespace client {
class GuestTask;
class Unobserved;
}
namespace future {
class Completion;
class WaitSet;
}  // namespace future

/// One task, as long as its result may be asked for; of the pool's parent or a guest. Move-only; dropping it detaches
/// the task.
/// Called by: all but take(), moves and the destructor concurrently with each other and with one take(); so the task's
/// client is kept until the end, and a task whose result was taken stays decided.
class TaskHandle {
public:
    TaskHandle() noexcept = default;
    /// Takes over the reference of an issued ticket.
    TaskHandle(client::Client& client, client::Ticket ticket) noexcept;
    /// Takes over the task.
    explicit TaskHandle(client::GuestTask& task) noexcept;
    TaskHandle(TaskHandle&& other) noexcept
        : holder_(std::exchange(other.holder_, nullptr)),
          serial_(other.serial_),
          slot_(other.slot_),
          state_(other.state()) {}
    TaskHandle& operator=(TaskHandle&& other) noexcept {
        if (this == &other) { return *this; }
        if (holder_ != nullptr) { release(); }
        holder_ = std::exchange(other.holder_, nullptr);
        serial_ = other.serial_;
        slot_ = other.slot_;
        state_.store(other.state(), std::memory_order_relaxed);
        return *this;
    }
    ~TaskHandle() {
        if (holder_ != nullptr) { release(); }
    }

    /// Whether there is a task, its result taken or not.
    [[nodiscard]] bool has_task() const noexcept { return holder_ != nullptr; }
    [[nodiscard]] bool valid() const noexcept { return has_task() && !was_taken(); }
    [[nodiscard]] bool is_decided() const;
    bool wait(Deadline deadline) const;
    /// Whether take() could be called now; for callers that may ask again and again. False without a task, and in a
    /// child.
    [[nodiscard]] bool is_ready() const noexcept;
    /// False without a task, and in a child.
    [[nodiscard]] bool is_running() const noexcept;
    /// Effects: a task that has not started will not run; one that runs is asked to stop. Returns: whether it will not
    /// run.
    bool cancel() const;
    /// Effects: as Client::kill().
    bool kill() const;

    /// Returns: the task, where it is one of that client's whose result has not been taken.
    [[nodiscard]] std::optional<client::Ticket> ticket_of(const client::Client& client) const noexcept;
    /// Effects: as its destructor, of a task whose result is an argument of others.
    void consume() noexcept;
    /// Returns: what the task left, which stays. Requires: is_decided().
    [[nodiscard]] client::Taken copy() const;

    /// Whether it is a guest's, which has no callback thread where it is a task of a worker.
    [[nodiscard]] bool is_guest() const noexcept { return has_task() && holder_->is_guest(); }

    /// Effects: an error of the task is not reported when the handle is dropped. Not concurrent with other members.
    void set_observed() noexcept { state_.store(state() | observed_flag, std::memory_order_relaxed); }
    /// Returns: what counts the errors of the task's pool that nobody takes.
    [[nodiscard]] std::shared_ptr<client::Unobserved> unobserved() const;

    /// Effects: the completion is decided when the task is. Requires: it has a function to be called.
    void decide_with(future::Counted<future::Completion> completion) const;
    /// Effects: the set finds the key when the task is decided.
    void watch(future::WaitSet& set, std::uint64_t key) const;

    /// Returns: what the task left. The handle is no longer valid afterwards, but keeps the task's client. Requires:
    /// is_decided().
    [[nodiscard]] client::Taken take();

    /// Returns: what `decode(Reader&)` makes of the result. Throws: what the task ended with, or what decoding throws.
    /// Otherwise as take().
    template <class Decode>
    auto take_value(Decode decode) {
        const client::Taken taken = take();
        taken.require_value();
        Reader in = taken.reader();
        return decode(in);
    }

private:
    /// Memory order: relaxed: a thread that moves, takes or drops has the handle to itself; one that only asks may
    /// learn it a moment later.
    [[nodiscard]] std::uint8_t state() const noexcept { return state_.load(std::memory_order_relaxed); }
    [[nodiscard]] bool was_taken() const noexcept { return (state() & taken_flag) != 0; }
    [[nodiscard]] client::Ticket ticket() const noexcept { return {serial_, slot_}; }
    /// Whether a client of this process holds it.
    [[nodiscard, gnu::always_inline]] bool is_clients() const noexcept { return has_task() && holder_->is_mine(); }
    // Used only by the bodies in task_handle.ipp:
    [[nodiscard, gnu::always_inline]] inline client::Client& client() const noexcept;  // Requires: is_clients().
    [[nodiscard]] client::GuestTask& guest() const noexcept;                           // Requires: is_guest().
    [[nodiscard]] client::GuestTask& guest_or_throw() const;
    void release() noexcept;

    client::Holder* holder_ = nullptr;
    std::uint64_t serial_ = 0;
    std::uint32_t slot_ = 0;
    static constexpr std::uint8_t taken_flag = 1;
    static constexpr std::uint8_t observed_flag = 2;
    std::atomic<std::uint8_t> state_{0};  // of these
};

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/future/task_handle.ipp>
#endif
