// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Saboteur: makes exactly one worker kill or stop itself at a fault point.

#include "faults/whole.hpp"

#include <procpool/core/fault_point.hpp>

#include <csignal>
#include <string>

#include <sys/types.h>
#include <unistd.h>

#ifndef PROCPOOL_FAULT_POINTS
#error "tests of this folder need the fault points"
#endif

namespace procpool_test {

/// Requires: a point that workers of a pool come by.
[[nodiscard]] inline std::string name_of(detail::FaultPoint point) {
    static const char* const names[] = {
        "none",          "after_fork",   "before_ready", "asleep",      "spinning",    "level_empty",
        "level_cleared", "mail_empty",   "mail_cleared", "before_wake", "after_claim", "before_run",
        "extent_taken",  "result_grown", "result_half",  "item_done",   "before_done", "after_done",
        "marked",        "before_exit",  "edge_added",   "list_closed", "bit_cleared", "ready_not_offered",
        "ready_kept",    "ready_taken"};
    static_assert(std::size(names) == static_cast<std::size_t>(detail::FaultPoint::ready_taken) + 1);
    return names[static_cast<std::size_t>(point)];
}

/// Made before the pool; one at a time.
class Saboteur {
public:
    Saboteur()
        : point_(page_.word()),
          left_(page_.word()),
          signal_(page_.word()),
          victim_(page_.word()),
          held_at_(page_.word()),
          held_(page_.word()),
          parent_(::getpid()) {
        current_ = this;
        detail::fault_hook = [](detail::FaultPoint point) { current_->reached(point); };
    }
    Saboteur(const Saboteur&) = delete;
    Saboteur& operator=(const Saboteur&) = delete;
    ~Saboteur() { detail::fault_hook = nullptr; }

    /// Effects: the worker that reaches the point as the nth from now on sends itself the signal.
    void arm(detail::FaultPoint point, int nth, int signal) {
        point_->store(0);
        victim_->store(0);
        signal_->store(signal);
        left_->store(nth);
        point_->store(static_cast<std::int64_t>(point));
    }
    void disarm() { point_->store(0); }
    /// Effects: the next worker that reaches the point waits there until release().
    void hold_at(detail::FaultPoint point) {
        held_->store(0);
        held_at_->store(static_cast<std::int64_t>(point));
    }
    void wait_until_held(std::chrono::nanoseconds limit = recovery) const {
        wait_until([&] { return held_->load() != 0; }, "a worker to reach the point", limit);
    }
    void release() { held_->store(0); }

    [[nodiscard]] pid_t victim() const { return static_cast<pid_t>(victim_->load()); }

    pid_t wait_for_victim(std::chrono::nanoseconds limit = recovery) const {
        wait_until([&] { return victim() != 0; }, "a worker to reach the point", limit);
        const bool stops = signal_->load() == SIGSTOP;
        if (stops) {
            wait_until([&] { return state_in("/proc/" + std::to_string(victim())) == 'T'; }, "a worker to stop", limit);
        }
        return victim();
    }

private:
    void reached(detail::FaultPoint point) const {
        if (::getpid() == parent_) { return; }
        if (auto at = static_cast<std::int64_t>(point);
            held_at_->load() == at && held_at_->compare_exchange_strong(at, 0)) {
            held_->store(1);
            wait_until([&] { return held_->load() == 0; }, "release");
        }
        if (point_->load() != static_cast<std::int64_t>(point)) { return; }
        if (left_->fetch_sub(1) != 1) { return; }
        victim_->store(::getpid());
        ::kill(::getpid(), static_cast<int>(signal_->load()));
    }

    static inline const Saboteur* current_ = nullptr;

    SharedPage page_;
    Word* point_;
    Word* left_;
    Word* signal_;
    Word* victim_;
    Word* held_at_;
    Word* held_;
    pid_t parent_;
};

}  // namespace procpool_test
