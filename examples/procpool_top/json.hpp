// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// to_json(): a snapshot for programs.

#include "watcher.hpp"

#include <string>

namespace procpool_top {

/// Returns: one line, valid UTF-8, without a newline. The schema is in README.md.
[[nodiscard]] std::string to_json(const Snapshot& snapshot);

}  // namespace procpool_top
