// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/future.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/future/callback_thread.hpp>
#include <procpool/future/wait_set.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

namespace procpool::inline v0 {

PROCPOOL_DECL bool FutureBase::running() const noexcept {
    return task_.has_task() ? task_.is_running() : valid() && completion_->is_mine() && completion_->is_running();
}

PROCPOOL_DECL bool FutureBase::cancel() { return task_.has_task() ? task_.cancel() : completion().cancel(); }

PROCPOOL_DECL bool FutureBase::kill() { return task_.has_task() ? task_.kill() : completion().kill(); }

PROCPOOL_DECL bool FutureBase::is_completion_ready() const noexcept {
    if (!valid() || !completion_->is_mine()) { return false; }
    return completion_->is_ready() ||
           (task_.has_task() && detail::client::callback_loop() != nullptr && task_.is_ready());
}

PROCPOOL_DECL bool FutureBase::wait_for_completion(detail::Deadline deadline) const {
    if (task_.has_task() && detail::client::callback_loop() != nullptr) { return task_.wait(deadline); }
    // A task of the same pool may have nobody else to run it.
    if (task_.has_task() && detail::client::crew_at_work() != nullptr && !task_.wait(deadline)) { return false; }
    return completion().wait(deadline);
}

PROCPOOL_DECL void FutureBase::watch(detail::future::WaitSet& set, std::uint64_t key) const {
    require_valid();
    const bool in_callback = detail::client::callback_loop() != nullptr;
    if (!completion_ || (in_callback && task_.has_task())) {
        task_.watch(set, key);
    } else {
        set.add(checked_completion(), key, in_callback);
    }
}

PROCPOOL_DECL void FutureBase::add_callback(std::unique_ptr<detail::future::Callback> callback) {
    require_valid();
    // Once the callback may run, this object may be gone.
    if (const detail::future::Counted<detail::future::Completion> known = completion_) {
        known->add(std::move(callback));
        return;
    }
    detail::future::Counted<detail::future::Completion> fresh{new detail::future::Completion};
    fresh->add(std::move(callback));
    completion_ = fresh;
    task_.decide_with(std::move(fresh));
}

PROCPOOL_DECL void FutureBase::require_valid() const {
    if (!valid()) { detail::future::throw_no_state(); }
    static_cast<void>(task_.has_task() ? task_.is_decided() : completion().is_decided());
}

PROCPOOL_DECL const detail::future::Counted<detail::future::Completion>& FutureBase::checked_completion() const {
    if (!completion_) { detail::future::throw_no_state(); }
    if (!completion_->is_mine()) { throw std::logic_error("procpool: this future belongs to another process"); }
    return completion_;
}

PROCPOOL_DECL DeferredHooks FutureBase::hooks_of(const std::shared_ptr<FutureBase>& future) {
    return {.cancel = [future] { return future->cancel(); },
            .kill = [future] { return future->kill(); },
            .running = [future] { return future->running(); }};
}

}  // namespace procpool
