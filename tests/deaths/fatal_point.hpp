// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// die_at(), hold_at(): make the calling process, a forked child, die or wait at a fault point.

#include <procpool/core/fault_point.hpp>

#include "support/events.hpp"

#include <csignal>

#include <unistd.h>

#if !defined(PROCPOOL_FAULT_POINTS) || !defined(PROCPOOL_NO_SLICES)
#error "tests of this folder need the fault points, and waits that nothing but a wake-up ends"
#endif

namespace procpool_test {

using procpool::detail::FaultPoint;

/// The act of the process at a point.
struct AtPoint {
    FaultPoint point = FaultPoint::none;
    int left = 0;
    const Gate* arrived = nullptr;
    const Gate* may_go_on = nullptr;
};
inline AtPoint at_point;

/// Effects: the process kills itself when it reaches the point as the nth time; FaultPoint::count stands for any point.
inline void die_at(FaultPoint point, int nth = 1) {
    at_point = {point, nth, nullptr, nullptr};
    procpool::detail::fault_hook = [](FaultPoint reached) {
        if (reached != at_point.point && at_point.point != FaultPoint::count) { return; }
        if (--at_point.left == 0) { ::kill(::getpid(), SIGKILL); }
    };
}

/// Effects: the process sets the one gate when it reaches the point for the first time, and waits for the other.
inline void hold_at(FaultPoint point, const Gate& arrived, const Gate& may_go_on) {
    at_point = {point, 1, &arrived, &may_go_on};
    procpool::detail::fault_hook = [](FaultPoint reached) {
        if (reached != at_point.point || --at_point.left != 0) { return; }
        at_point.arrived->set();
        at_point.may_go_on->wait();
    };
}

}  // namespace procpool_test
