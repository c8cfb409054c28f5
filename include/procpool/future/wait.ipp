// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/wait.hpp>

#include <procpool/core/error.hpp>
#include <procpool/future/wait_set.hpp>

#include <cstddef>
#include <vector>

namespace procpool::inline v0 {

struct AsCompleted::State {
    explicit State(detail::Deadline until) : deadline(until) {}
    [[nodiscard]] bool has_current() const noexcept { return next < found.size(); }

    detail::future::WaitSet waiting;
    detail::Deadline deadline;
    std::vector<detail::future::WaitSet::Key> found;  // in this look
    std::size_t next = 0;                             // of those
    std::size_t yielded = 0;                          // before the current one
    std::size_t total = 0;
};

PROCPOOL_DECL void AsCompleted::Delete::operator()(State* state) const noexcept { delete state; }

PROCPOOL_DECL AsCompleted::AsCompleted(detail::Deadline deadline) : state_(new State(deadline)) {}

PROCPOOL_DECL void AsCompleted::add(const FutureBase& future) { future.watch(state_->waiting, state_->total++); }

PROCPOOL_DECL std::size_t AsCompleted::current() const noexcept {
    return static_cast<std::size_t>(state_->found[state_->next]);
}

PROCPOOL_DECL bool AsCompleted::is_at_end() const noexcept { return state_->yielded == state_->total; }

PROCPOOL_DECL void AsCompleted::advance() {
    if (state_->has_current()) {  // or the last look has thrown
        ++state_->yielded;
        ++state_->next;
    }
    find();
}

/// Effects: there is a current one, or it is the end.
PROCPOOL_DECL void AsCompleted::find() {
    if (state_->has_current() || is_at_end()) { return; }
    state_->found.clear();
    state_->next = 0;
    if (!state_->waiting.find(state_->found, state_->deadline)) {
        throw WaitTimedOut(state_->total - state_->yielded, state_->total);
    }
}

}  // namespace procpool
