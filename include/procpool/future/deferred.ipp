// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/deferred.hpp>

#include <procpool/future/callback_thread.hpp>
#include <procpool/future/future.hpp>  // whose bodies have what acts on a FutureBase

#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::future {

PROCPOOL_DECL DeferredBase::DeferredBase(DeferredHooks hooks, std::shared_ptr<client::Unobserved> unobserved)
    : unobserved_(std::move(unobserved)),
      control_{std::make_shared<const DeferredHooks>(std::move(hooks)), nullptr} {}

PROCPOOL_DECL DeferredBase::DeferredBase(std::shared_ptr<FutureBase> source, bool ends_later,
                                         std::shared_ptr<client::Unobserved> unobserved)
    : unobserved_(std::move(unobserved)),
      control_{nullptr, std::move(source)},
      ends_later_(ends_later) {}

PROCPOOL_DECL DeferredBase::~DeferredBase() {
    if (error_ && unobserved_ && !is_observed() && !is_looked_at_) { unobserved_->add({}, error_); }
}

PROCPOOL_DECL std::shared_ptr<client::Unobserved> DeferredBase::unobserved() const {
    const std::lock_guard guard{control_mutex_};
    return unobserved_;
}

PROCPOOL_DECL void DeferredBase::set_exception(std::exception_ptr error) noexcept {
    error_ = std::move(error);
    finish();
}

PROCPOOL_DECL void DeferredBase::finish() noexcept {
    Control ended;
    {
        const std::lock_guard guard{control_mutex_};
        is_being_set_ = true;
        std::swap(ended, control_);
    }
    ended = {};  // its contents are gone before those that wait go on
    decide();
}

PROCPOOL_DECL Counted<DeferredBase> DeferredBase::take_heir(bool sets) noexcept {
    const std::lock_guard guard{control_mutex_};
    is_being_set_ = sets && !heir_;
    return std::move(heir_);
}

PROCPOOL_DECL void DeferredBase::take_error() {
    if (!take_once()) { throw_no_state(); }
    if (error_) { std::rethrow_exception(std::exchange(error_, nullptr)); }
}

PROCPOOL_DECL void DeferredBase::look_at_error() {
    is_looked_at_ = true;
    if (error_) { std::rethrow_exception(error_); }
}

PROCPOOL_DECL void throw_no_state() { throw std::future_error(std::future_errc::no_state); }

PROCPOOL_DECL std::exception_ptr future_error(std::future_errc kind) {
    return std::make_exception_ptr(std::future_error(kind));
}

}  // namespace procpool::detail::future
