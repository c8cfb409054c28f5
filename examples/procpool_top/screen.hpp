// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// to_text(): a snapshot for people. show(): one after the other on a terminal.

#include "watcher.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace procpool_top {

/// Returns: lines, each of at most `width` characters and without control characters.
[[nodiscard]] std::string to_text(const Snapshot& snapshot, std::size_t width);

/// Shows snapshots on the terminal until "q", SIGINT or SIGTERM; the terminal is as before then, and while it is
/// stopped by SIGTSTP. "j", "k", space, "b", arrows and page keys choose what is seen of a list that is too long.
void show(Watcher& watcher, std::chrono::milliseconds interval);

/// Sleeps until `when`. Returns: false when SIGINT or SIGTERM has come.
[[nodiscard]] bool sleep_until(std::chrono::steady_clock::time_point when);

/// Effects: from now on SIGINT and SIGTERM end sleep_until().
void catch_signals();

}  // namespace procpool_top
