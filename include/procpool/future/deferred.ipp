// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/deferred.hpp>

#include <procpool/future/callback_thread.hpp>

#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::future {

PROCPOOL_DECL DeferredBase::DeferredBase(DeferredHooks hooks)
    : hooks_(std::make_shared<const DeferredHooks>(std::move(hooks))) {}

PROCPOOL_DECL DeferredBase::~DeferredBase() = default;

PROCPOOL_DECL void DeferredBase::set_exception(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    finish();
}

PROCPOOL_DECL bool DeferredBase::cancel() {
    const std::shared_ptr<const DeferredHooks> hooks = current_hooks();
    return hooks && hooks->cancel && hooks->cancel();
}

PROCPOOL_DECL bool DeferredBase::kill() {
    const std::shared_ptr<const DeferredHooks> hooks = current_hooks();
    if (!hooks) { return false; }
    return hooks->kill ? hooks->kill() : hooks->cancel && hooks->cancel();
}

PROCPOOL_DECL bool DeferredBase::is_running() const {
    if (is_decided()) { return false; }
    const std::shared_ptr<const DeferredHooks> hooks = current_hooks();
    return hooks && (!hooks->running || hooks->running());
}

PROCPOOL_DECL void DeferredBase::finish() noexcept {
    std::shared_ptr<const DeferredHooks> ended;
    {
        const std::lock_guard guard{hooks_mutex_};
        ended.swap(hooks_);
    }
    ended.reset();  // what it holds is gone before those that wait go on
    decide();
}

PROCPOOL_DECL void DeferredBase::take_error() {
    if (!take_once()) { throw_no_state(); }
    if (error_) { std::rethrow_exception(std::exchange(error_, nullptr)); }
}

PROCPOOL_DECL std::shared_ptr<const DeferredHooks> DeferredBase::current_hooks() const {
    const std::lock_guard guard{hooks_mutex_};
    return hooks_;
}

PROCPOOL_DECL void throw_no_state() { throw std::future_error(std::future_errc::no_state); }

PROCPOOL_DECL std::exception_ptr broken_promise() {
    return std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
}

}  // namespace procpool::detail::future
