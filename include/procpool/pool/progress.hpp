// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Progress: how far a call over many items has got.

#include <chrono>
#include <cstddef>

namespace procpool::inline v0 {

/// How far a call over many items has got, as MapOptions::progress gets it.
struct Progress {
    std::size_t done;                  ///< items that have ended, failed ones included
    std::size_t total;                 ///< 0: unknown
    std::chrono::nanoseconds elapsed;  ///< since the call began
    bool last = false;                 ///< the call has ended, well or not

    /// Returns: items a second so far; 0 before any time has passed.
    [[nodiscard]] double rate() const noexcept {
        const double seconds = std::chrono::duration<double>(elapsed).count();
        return seconds > 0 ? static_cast<double>(done) / seconds : 0;
    }

    /// Returns: the time left at that rate; nanoseconds::max() when it is unknown.
    [[nodiscard]] std::chrono::nanoseconds eta() const noexcept {
        if (total != 0 && done >= total) { return std::chrono::nanoseconds{0}; }
        const double each = done == 0 ? 0 : static_cast<double>(elapsed.count()) / static_cast<double>(done);
        const double left = each * static_cast<double>(total > done ? total - done : 0);
        const bool known =
            total != 0 && done != 0 && left < static_cast<double>(std::chrono::nanoseconds::max().count());
        return known ? std::chrono::nanoseconds{static_cast<std::chrono::nanoseconds::rep>(left)}
                     : std::chrono::nanoseconds::max();
    }
};

}  // namespace procpool
