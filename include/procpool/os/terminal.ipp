// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/terminal.hpp>

#include <sys/types.h>
#include <unistd.h>
#include <cstddef>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }
PROCPOOL_DECL int number_of(std::FILE* file) noexcept { return file == nullptr ? -1 : ::fileno(file); }

PROCPOOL_DECL void write_text(int descriptor, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t written = try_call("write", [&] { return ::write(descriptor, text.data(), text.size()); });
        if (written <= 0) { return; }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace procpool::detail::os
