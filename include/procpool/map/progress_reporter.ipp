// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/progress_reporter.hpp>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL ProgressReporter::ProgressReporter(const std::function<void(const Progress&)>& listener,
                                                 std::size_t total)
    : listener_(listener),
      total_(total) {
    if (listener_) { next_ = start_ + interval; }
}

PROCPOOL_DECL void ProgressReporter::report(std::size_t done) {
    const Clock::time_point now = Clock::now();
    next_ = now + interval;
    listener_({done, total_, now - start_});
}

PROCPOOL_DECL void ProgressReporter::end(std::size_t done, bool well) {
    stop();
    if (listener_) { listener_({done, well ? done : total_, Clock::now() - start_, true}); }
}

}  // namespace procpool::detail::map
