// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/task_handle.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/future/callback_thread.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/deferred.hpp>
#include <procpool/future/wait_set.hpp>

#include <optional>
#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail {

PROCPOOL_DECL TaskHandle::TaskHandle(client::Client& client, client::Ticket ticket) noexcept
    : holder_(&client),
      serial_(ticket.serial),
      slot_(ticket.slot) {}

PROCPOOL_DECL TaskHandle::TaskHandle(client::GuestTask& task) noexcept : holder_(&task) {}

inline client::Client& TaskHandle::client() const noexcept { return static_cast<client::Client&>(*holder_); }

PROCPOOL_DECL client::GuestTask& TaskHandle::guest() const noexcept {
    return static_cast<client::GuestTask&>(*holder_);
}

[[gnu::cold]] PROCPOOL_DECL client::GuestTask& TaskHandle::guest_or_throw() const {
    if (!has_task()) { future::throw_no_state(); }
    if (!is_guest() || !guest().is_own()) {
        throw std::logic_error("procpool: this future belongs to another process");
    }
    return guest();
}

PROCPOOL_DECL bool TaskHandle::is_decided() const {
    if (!is_clients()) [[unlikely]] { return guest_or_throw().is_decided(); }
    return client().is_decided(ticket());
}

PROCPOOL_DECL bool TaskHandle::wait(Deadline deadline) const {
    if (!is_clients()) [[unlikely]] {
        client::GuestTask& task = guest_or_throw();
        if (client::callback_loop() == nullptr) { return task.wait(deadline); }
        future::WaitSet inner;  // runs callbacks meanwhile
        inner.add(task, 0);
        return inner.find(deadline);
    }
    return client().wait(ticket(), deadline);
}

PROCPOOL_DECL bool TaskHandle::is_ready() const noexcept {
    if (!valid()) { return false; }
    if (!holder_->is_mine()) [[unlikely]] { return is_guest() && guest().is_own() && guest().poll(); }
    return client().poll(ticket());
}

PROCPOOL_DECL bool TaskHandle::is_running() const noexcept {
    if (!valid()) { return false; }
    if (!holder_->is_mine()) [[unlikely]] { return is_guest() && guest().is_own() && guest().is_running(); }
    return client().is_running(ticket());
}

PROCPOOL_DECL bool TaskHandle::cancel() const {
    if (!is_clients()) [[unlikely]] { return guest_or_throw().cancel(); }
    if (client().withdraw(ticket())) { return true; }
    client().request_stop(ticket());
    return false;
}

PROCPOOL_DECL bool TaskHandle::kill() const {
    if (!is_clients()) [[unlikely]] { return guest_or_throw().kill(); }
    return client().kill(ticket());
}

PROCPOOL_DECL void TaskHandle::decide_with(future::Counted<future::Completion> completion) const {
    if (is_decided()) {
        completion->decide();
    } else if (is_clients()) {
        future::CallbackThread::of_this_process().watch(client(), ticket(), std::move(completion));
    } else {
        future::CallbackThread::of_this_process().watch(guest(), std::move(completion));
    }
}

PROCPOOL_DECL void TaskHandle::watch(future::WaitSet& set, std::uint64_t key) const {
    if (!is_clients()) [[unlikely]] { return set.add(guest_or_throw(), key); }
    set.add(client(), ticket(), key);
}

PROCPOOL_DECL std::shared_ptr<client::Unobserved> TaskHandle::unobserved() const {
    return is_clients() ? client().unobserved() : nullptr;
}

PROCPOOL_DECL client::Taken TaskHandle::take() {
    client::GuestTask* const of_guest = is_clients() ? nullptr : &guest_or_throw();
    if (was_taken()) { future::throw_no_state(); }
    state_.store(taken_flag, std::memory_order_relaxed);  // one thread at a time gets
    return of_guest == nullptr ? client().take(ticket()) : of_guest->take();
}

PROCPOOL_DECL std::optional<client::Ticket> TaskHandle::ticket_of(const client::Client& client) const noexcept {
    if (!valid() || !is_clients() || &this->client() != &client) { return std::nullopt; }
    return ticket();
}

PROCPOOL_DECL void TaskHandle::consume() noexcept {
    client::Client& client = static_cast<client::Client&>(*std::exchange(holder_, nullptr));
    client.consume(ticket());
    client::Client::release_ticket(&client);
}

PROCPOOL_DECL client::Taken TaskHandle::copy() const {
    if (!is_clients()) { throw std::logic_error("procpool: a guest's future cannot be shared"); }
    return client().copy(ticket());
}

// Not inline, so that moves and destructors of futures are.
[[gnu::noinline]] PROCPOOL_DECL void TaskHandle::release() noexcept {
    client::Holder& holder = *std::exchange(holder_, nullptr);
    if (!holder.is_mine()) [[unlikely]] {  // in a forked child there is nothing to give back
        if (holder.is_guest() && static_cast<client::GuestTask&>(holder).is_own()) {
            auto& guest = static_cast<client::GuestTask&>(holder);
            if ((state() & observed_flag) != 0) { guest.set_observed(); }
            guest.release();
        }
        return;
    }
    auto& client = static_cast<client::Client&>(holder);
    if (!was_taken()) { client.drop(ticket(), (state() & observed_flag) != 0); }
    client::Client::release_ticket(&client);
}

}  // namespace procpool::detail
