// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/future.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/future/callback_thread.hpp>
#include <procpool/future/wait_set.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/thread_context.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

namespace procpool::inline v0 {

PROCPOOL_DECL bool FutureBase::running() const noexcept {
    return task_.has_task() ? task_.is_running() : valid() && completion_->is_mine() && completion_->is_running();
}

PROCPOOL_DECL bool FutureBase::cancel() {
    begin();
    return task_.has_task() ? task_.cancel() : completion().cancel();
}

PROCPOOL_DECL bool FutureBase::kill() {
    begin();
    return task_.has_task() ? task_.kill() : completion().kill();
}

PROCPOOL_DECL bool FutureBase::is_completion_ready() const noexcept {
    if (!valid() || !completion_->is_mine()) { return false; }
    try {
        begin();
    } catch (...) { return false; }  // no thread for its callbacks: the next look may have one
    return completion_->is_ready() ||
           (task_.has_task() && detail::client::callback_loop() != nullptr && task_.is_ready());
}

PROCPOOL_DECL bool FutureBase::wait_for_completion(detail::Deadline deadline) const {
    if (task_.has_task() && detail::client::callback_loop() != nullptr) { return task_.wait(deadline); }
    // A task of the same pool may have nobody else to run it.
    if (task_.has_task() && detail::client::crew_at_work() != nullptr && !task_.wait(deadline)) { return false; }
    if (valid()) { begin(); }
    return completion().wait(deadline);
}

PROCPOOL_DECL void FutureBase::watch(detail::future::WaitSet& set, std::uint64_t key) const {
    require_valid();
    begin();
    const bool in_callback = detail::client::callback_loop() != nullptr;
    if (!completion_ || (in_callback && task_.has_task())) {
        task_.watch(set, key);
    } else {
        set.add(checked_completion(), key, in_callback);
    }
}

PROCPOOL_DECL void FutureBase::add_callback(std::unique_ptr<detail::future::Callback> callback) {
    require_callbacks();
    begin();
    // Once the callback may run, this object may be gone.
    if (const detail::future::Counted<detail::future::Completion> known = completion_) {
        known->add(std::move(callback));
        return;
    }
    detail::future::Counted<detail::future::Completion> fresh{new detail::future::Completion};
    fresh->add(std::move(callback));
    completion_ = fresh;
    task_.set_observed();
    task_.decide_with(std::move(fresh));
}

PROCPOOL_DECL void FutureBase::require_callbacks() const {
    require_valid();
    if (task_.is_guest() && detail::task::thread_context.in_worker) {
        throw std::logic_error(
            "procpool: workers have no callback thread: use get() or wait(), instead of then(), on_done() or co_await");
    }
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

PROCPOOL_DECL std::shared_ptr<detail::client::Unobserved> FutureBase::unobserved() const {
    if (task_.has_task()) { return task_.unobserved(); }
    const detail::future::Counted<detail::future::DeferredBase> state = deferred();
    return state ? state->unobserved() : nullptr;
}

PROCPOOL_DECL detail::future::Counted<detail::future::DeferredBase> FutureBase::deferred() const {
    if (task_.has_task() || !completion_) { return {}; }
    detail::future::Counted<detail::future::Completion> known = completion_;
    return detail::future::Counted<detail::future::DeferredBase>{
        static_cast<detail::future::DeferredBase*>(known.detach())};
}

namespace detail::future {

PROCPOOL_DECL void Argument::call_when_done(FutureBase& future, std::unique_ptr<Callback> callback) {
    future.require_callbacks();
    Counted<Completion> completion{new Completion};
    completion->add(std::move(callback));
    future.task_.set_observed();
    future.task_.decide_with(std::move(completion));
}

PROCPOOL_DECL void Argument::each_part(FutureBase& future, LookAtPart look) {
    if (future.completion_ && !future.task_.has_task()) { future.completion_->each_part(look); }
}

PROCPOOL_DECL std::optional<std::size_t> Argument::parts(FutureBase& future) {
    if (!future.completion_ || future.task_.has_task()) { return std::nullopt; }
    std::size_t count = 0;
    const bool has_parts = future.completion_->each_part([&](FutureBase&, bool) { ++count; });
    return has_parts ? std::optional{count} : std::nullopt;
}

PROCPOOL_DECL void Argument::each_leaf(FutureBase& future, bool is_shared, LookAtPart look) {
    if (!parts(future)) { return look(future, is_shared); }
    each_part(future,
              [&](FutureBase& part, bool part_is_shared) { each_leaf(part, is_shared || part_is_shared, look); });
}

/// A loop, since chains of futures may be of any length.
PROCPOOL_DECL DeferredBase::Innermost DeferredBase::innermost(Request request) const {
    Innermost found{};
    Counted<DeferredBase> at;
    for (const DeferredBase* state = this; state != nullptr; state = at.get()) {
        {
            const std::lock_guard guard{state->control_mutex_};
            state->requested_ = std::max(state->requested_, request);
            found.control = state->control_;
            found.ends_later = found.ends_later || (state->ends_later_ && !state->is_being_set_);
        }
        at = found.control.source ? found.control.source->deferred() : Counted<DeferredBase>{};
    }
    return found;
}

PROCPOOL_DECL bool DeferredBase::is_running() const {
    if (is_decided()) { return false; }
    const auto [hooks, source] = innermost(Request::none).control;
    return hooks ? !hooks->running || hooks->running() : source && source->running();
}

PROCPOOL_DECL bool DeferredBase::cancel() { return request(Request::cancel); }

PROCPOOL_DECL bool DeferredBase::kill() { return request(Request::kill); }

PROCPOOL_DECL bool DeferredBase::request(Request request) {
    const auto [control, ends_later] = innermost(request);
    const auto& [hooks, source] = control;
    const bool kills = request == Request::kill;
    if (source && (kills ? source->kill() : source->cancel())) { return true; }
    if (hooks && kills && hooks->kill) { return hooks->kill(); }
    return (hooks && hooks->cancel && hooks->cancel()) || (kills && ends_later);
}

PROCPOOL_DECL bool DeferredBase::follow(const Counted<DeferredBase>& state, const std::shared_ptr<FutureBase>& next) {
    const Counted<DeferredBase> inner = next->deferred();
    const std::shared_ptr<client::Unobserved> unobserved = next->unobserved();
    Control control{nullptr, next};
    Request requested = Request::none;
    bool leaves = false;
    Counted<DeferredBase> last = state;
    {
        std::unique_lock<std::mutex> of_inner;
        std::unique_lock<std::mutex> of_last;
        while (!of_last) {
            if (inner) { of_inner = std::unique_lock{inner->control_mutex_}; }
            for (last = state;;) {
                if (last.get() == inner.get()) {
                    core::throw_deadlock("procpool: a future that ends as it ends itself");
                }
                of_last = std::unique_lock{last->control_mutex_, std::try_to_lock};
                if (!of_last || !last->heir_) { break; }
                Counted<DeferredBase> heir = last->heir_;
                of_last.unlock();
                last = std::move(heir);
            }
            if (!of_last) {  // perhaps of a thread that lets the two end crosswise, and waits for of_inner
                of_inner = {};
                os::yield();
            }
        }
        if (inner) {
            // One that others wait for, or that its promise sets now, is decided itself.
            leaves = !inner->is_being_set_ && inner->is_unwatched();
            requested = inner->requested_;
        }
        if (leaves) {
            control = std::exchange(inner->control_, {});
            inner->heir_ = last;  // its promise, which waits for of_inner, acts on that from now on
        }
        std::swap(last->control_, control);
        if (unobserved) { last->unobserved_ = unobserved; }
        requested = last->requested_ = std::max(last->requested_, requested);
    }
    if (requested != Request::none) { last->request(requested); }
    return leaves;
}

}  // namespace detail::future

}  // namespace procpool
