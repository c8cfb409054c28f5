// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/completion.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/os/identity.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>

// decide(), add() and run_next() stand beside CallbackThread, which they call.
namespace procpool::inline v0::detail::future {

PROCPOOL_DECL Completion::Completion() : owner_(os::process_token()) {}

PROCPOOL_DECL bool Completion::is_mine() const noexcept { return os::is_process(owner_); }

PROCPOOL_DECL bool Completion::wait(Deadline deadline) {
    if (client::CallbackLoop* const loop = client::callback_loop()) {
        return is_decided() || loop->wait(*this, deadline);
    }
    if (is_over()) { return true; }
    const auto over = [this] { return is_over(); };
    if (client::Crew* const crew = deadline.is_never() ? client::crew_at_work() : nullptr) {
        // It may depend on tasks that nobody else is there to run; submitting such a task does not wake this thread.
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

PROCPOOL_DECL bool Completion::is_ready() const noexcept {
    return is_over() || (is_decided() && client::callback_loop() != nullptr);
}

PROCPOOL_DECL bool Completion::is_unwatched() noexcept {
    const std::lock_guard guard{mutex_};
    return !is_decided() && functions_.empty() && subscriptions_.empty();
}

PROCPOOL_DECL bool Completion::subscribe(Subscriber& subscriber, std::uint64_t key, bool when_decided) {
    const std::lock_guard guard{mutex_};
    if (when_decided ? is_decided() : is_over()) { return false; }
    subscriptions_.push_back({&subscriber, key, when_decided});
    return true;
}

PROCPOOL_DECL void Completion::unsubscribe(const Subscriber& subscriber) noexcept {
    const std::lock_guard guard{mutex_};
    std::erase_if(subscriptions_, [&](const Subscription& one) { return one.subscriber == &subscriber; });
}

/// Requires: mutex_ is held, and it is decided.
PROCPOOL_DECL void Completion::call_subscribers() noexcept {
    const bool over = is_over();
    std::erase_if(subscriptions_, [over](const Subscription& one) {
        if (!over && !one.when_decided) { return false; }
        one.subscriber->is_over(one.key);
        return true;
    });
    if (over) { changed_.notify_all(); }
}

}  // namespace procpool::detail::future
