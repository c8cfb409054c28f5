// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// item_of(), backtrace_of(): what an exception that came back from a pool tells besides its type and its text.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>

namespace procpool::inline v0 {

/// \{
/// The index of the item that ended in this exception, in its call over many; the first one where items are counted in
/// groups. Nothing for an exception of no item, and for a copy of one. Requires for a reference: a catch block of the
/// calling thread handles the exception; otherwise the answer is nothing, but for WorkerDied and TaskTimedOut.
[[nodiscard]] std::optional<std::size_t> item_of(const std::exception& e) noexcept;
[[nodiscard]] std::optional<std::size_t> item_of(const std::exception_ptr& e) noexcept;
/// \}

/// \{
/// Where the exception was thrown, or rethrown, in its task, one frame a line, the innermost first; where the worker
/// crashed, for WorkerDied. Empty when that was not recorded: see PoolOptions::backtraces. Requires for a reference: as
/// item_of(). Looks the names of functions up when it is called, which takes milliseconds.
[[nodiscard]] std::string backtrace_of(const std::exception& e);
[[nodiscard]] std::string backtrace_of(const std::exception_ptr& e);
/// \}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/codec/exception_details.ipp>
#endif
