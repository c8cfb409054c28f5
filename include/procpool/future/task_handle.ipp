// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/task_handle.hpp>

#include <procpool/client/client.hpp>
#include <procpool/future/callback_thread.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/future/deferred.hpp>
#include <procpool/future/wait_set.hpp>

#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail {

[[gnu::cold]] PROCPOOL_DECL void TaskHandle::throw_unusable() const {
    if (!has_task()) { future::throw_no_state(); }
    throw std::logic_error("procpool: this future belongs to another process");
}

inline client::Client& TaskHandle::client() const {
    if (!has_task() || !client_->is_mine()) [[unlikely]] { throw_unusable(); }
    return *client_;
}

PROCPOOL_DECL bool TaskHandle::is_decided() const { return client().is_decided(ticket()); }

PROCPOOL_DECL bool TaskHandle::wait(Deadline deadline) const { return client().wait(ticket(), deadline); }

PROCPOOL_DECL bool TaskHandle::is_ready() const noexcept {
    return valid() && client_->is_mine() && client_->poll(ticket());
}

PROCPOOL_DECL bool TaskHandle::is_running() const noexcept {
    return valid() && client_->is_mine() && client_->is_running(ticket());
}

PROCPOOL_DECL bool TaskHandle::cancel() const {
    if (client().withdraw(ticket())) { return true; }
    client().request_stop(ticket());
    return false;
}

PROCPOOL_DECL bool TaskHandle::kill() const { return client().kill(ticket()); }

PROCPOOL_DECL void TaskHandle::decide_with(future::Counted<future::Completion> completion) const {
    if (is_decided()) {
        completion->decide();
    } else {
        future::CallbackThread::of_this_process().watch(client(), ticket(), std::move(completion));
    }
}

PROCPOOL_DECL void TaskHandle::watch(future::WaitSet& set, std::uint64_t key) const {
    set.add(client(), ticket(), key);
}

PROCPOOL_DECL std::shared_ptr<client::Unobserved> TaskHandle::unobserved() const { return client().unobserved(); }

PROCPOOL_DECL client::Taken TaskHandle::take() {
    client::Client& from = client();
    if (was_taken()) { future::throw_no_state(); }
    state_.store(taken_flag, std::memory_order_relaxed);  // one thread at a time gets
    return from.take(ticket());
}

// Not inline, so that moves and destructors of futures are.
[[gnu::noinline]] PROCPOOL_DECL void TaskHandle::release() noexcept {
    client::Client* const client = client_.detach();
    if (!client->is_mine()) { return; }  // in a forked child there is nothing to give back
    if (!was_taken()) { client->drop(ticket(), (state() & observed_flag) != 0); }
    client::Client::release_ticket(client);
}

}  // namespace procpool::detail
