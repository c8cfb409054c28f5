// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// backtrace_text(): where a worker crashed, for people.

#include <procpool/os/symbols.hpp>
#include <procpool/task/seat.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace procpool::inline v0::detail::future {

/// Returns: a line for each frame, innermost first, without those of the crash reporter itself; empty when there are
/// none.
[[nodiscard]] inline std::string backtrace_text(const task::Crash& crash) {
    std::string text;
    int number = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(crash.count, crash.frames.size()); ++i) {
        const std::string frame = os::describe_address(crash.frames[i]);
        const auto names = [&](const char* function) { return frame.find(function) != std::string::npos; };
        if (names("procpool::detail::os::capture_backtrace") || names("procpool::detail::os::on_crash") ||
            names("procpool::detail::worker::record_crashes")) {
            continue;
        }
        text += "#" + std::to_string(number++) + " " + frame + "\n";
    }
    return text;
}

}  // namespace procpool::detail::future
