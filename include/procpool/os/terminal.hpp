// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Terminals: whether a person may be looking, and lines for them.

#include <procpool/os/call.hpp>

#include <unistd.h>
#include <cstdio>
#include <string_view>

namespace procpool::inline v0::detail::os {

[[nodiscard]] inline bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }
[[nodiscard]] inline int number_of(std::FILE* file) noexcept { return file == nullptr ? -1 : ::fileno(file); }

/// Effects: writes what the descriptor takes; a terminal that has gone away takes nothing.
inline void write_text(int descriptor, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t written = try_call("write", [&] { return ::write(descriptor, text.data(), text.size()); });
        if (written <= 0) { return; }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace procpool::detail::os
