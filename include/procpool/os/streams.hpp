// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Standard streams around a fork: output that the parent has buffered is written once, by the parent.

#include <procpool/core/config.hpp>

#include <iosfwd>

namespace procpool::inline v0::detail::os {

/// Whether a stream buffer holds output that is not written yet.
[[nodiscard]] bool has_pending_output(const std::streambuf& buffer) noexcept;

/// Effects: flushes the standard streams, except one that another thread holds locked: waiting for it could last for
/// ever (fflush(nullptr) does, while a thread sits in getchar()).
void flush_standard_streams() noexcept;

/// Effects: drops output that the parent had buffered and could not flush. Called by: a child, right after the fork.
void purge_standard_streams() noexcept;

/// As flush_standard_streams(), for a caller with nothing to flush most of the time: then it costs a few loads.
void flush_pending_output() noexcept;

/// Whether flush_pending_output() has something to flush. For bodies only (.ipp), where it is inline: a worker asks
/// after each task.
[[nodiscard]] bool is_output_pending() noexcept;

/// Effects: reads from standard input meet the end of the file, also in programs that this process executes.
void close_standard_input() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/streams.ipp>
#endif
