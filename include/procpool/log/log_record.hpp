// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LogLevel, LogRecord: records of the library about its pools, and of the program's tasks.

#include <chrono>
#include <cstdint>
#include <string_view>

namespace procpool::inline v0 {

/// The level of a record, from the least to the most urgent; `off` is above all of them.
enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

/// Returns: "debug", "info", "warning", "error" or "off".
[[nodiscard]] constexpr std::string_view to_string(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warning: return "warning";
        case LogLevel::error: return "error";
        case LogLevel::off: break;
    }
    return "off";
}

/// One record, as a sink gets it. Lifetime: the texts last as long as the call of the sink.
struct LogRecord {
    static constexpr std::uint32_t no_worker = 0xffffffff;  ///< the record is about no worker

    LogLevel level = LogLevel::info;                  ///< never off
    std::chrono::system_clock::time_point time = {};  ///< when it was logged
    std::string_view text = {};                       ///< cut to 800 bytes
    std::int32_t pid = 0;                             ///< of the process that the record is about, which may have ended
    std::uint32_t worker = no_worker;                 ///< index of the worker that it is about, or no_worker
    std::uint64_t task = 0;                           ///< this_task::id() of the task that it is about; 0: none
    std::string_view label = {};                      ///< of that task, cut to 47 bytes
    std::string_view host = {};  ///< of an MpiPool, the other machine that it is about; empty: this one
    std::string_view pool = {};  ///< PoolOptions::name of the pool that it is about, cut to 31 bytes; empty: none
};

}  // namespace procpool
