// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/throw_report.hpp>

namespace procpool::inline v0::detail::worker {

[[gnu::cold]] PROCPOOL_DECL void report_throw() noexcept {
    if (os::throw_place.count == 0 || !log::is_logged(LogLevel::debug)) { return; }
    try {
        log::report(LogLevel::debug, log::subject_here(), "a task threw {}\n{}", describe_current_exception(),
                    os::describe_throw(os::throw_place.frames()));
    } catch (...) {}  // for want of memory
}

}  // namespace procpool::detail::worker
