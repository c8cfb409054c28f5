// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// most_workers: how many workers a pool may have.

#include <cstddef>

namespace procpool::inline v0::detail::core {

/// The word of a task has room for the numbers of twice as many seats.
inline constexpr std::size_t most_workers = 2000;

}  // namespace procpool::detail::core
