// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// report_throw(): the log record of an exception that leaves a task.

#include <procpool/core/config.hpp>

namespace procpool::inline v0::detail::worker {

/// Logs the exception that is being handled, at level debug, and where it was thrown, if that was recorded. Called by:
/// a catch block behind one of os::NeverThrown.
void report_throw() noexcept;

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/throw_report.ipp>
#endif
