// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_terminal(), write_text(): whether a person may be looking, and lines for them.

#include <procpool/core/config.hpp>

#include <cstdio>
#include <string_view>

namespace procpool::inline v0::detail::os {

[[nodiscard]] bool is_terminal(int descriptor) noexcept;
/// Returns: the descriptor of a file; -1 without one.
[[nodiscard]] int number_of(std::FILE* file) noexcept;

/// Effects: writes as much as the descriptor takes; a terminal that has gone away takes nothing.
void write_text(int descriptor, std::string_view text) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/terminal.ipp>
#endif
