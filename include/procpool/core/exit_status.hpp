// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ExitStatus: how a process ended.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <string>

namespace procpool::inline v0 {

/// How a process ended: by itself, with a code, or by a signal.
class ExitStatus {
public:
    /// Unknown: neither exited() nor signaled().
    constexpr ExitStatus() noexcept = default;
    /// Returns: the status of a process that ended by itself.
    [[nodiscard]] static constexpr ExitStatus from_code(int code) noexcept { return ExitStatus{Kind::exited, code}; }
    /// Returns: the status of a process that the signal ended.
    [[nodiscard]] static constexpr ExitStatus from_signal(int signal) noexcept {
        return ExitStatus{Kind::signaled, signal};
    }

    /// Whether the process ended by itself.
    [[nodiscard]] constexpr bool exited() const noexcept { return kind_ == Kind::exited; }
    /// Whether a signal ended the process.
    [[nodiscard]] constexpr bool signaled() const noexcept { return kind_ == Kind::signaled; }
    /// The exit code; 0 unless exited().
    [[nodiscard]] constexpr int code() const noexcept { return exited() ? value_ : 0; }
    /// The signal's number; 0 unless signaled().
    [[nodiscard]] constexpr int signal() const noexcept { return signaled() ? value_ : 0; }

    friend constexpr bool operator==(ExitStatus, ExitStatus) noexcept = default;

private:
    enum class Kind : std::int32_t { unknown, exited, signaled };
    constexpr ExitStatus(Kind kind, int value) noexcept : kind_(kind), value_(value) {}

    Kind kind_ = Kind::unknown;
    std::int32_t value_ = 0;
};

/// Returns: "exited with code 3", "was killed by signal 11 (SIGSEGV)".
[[nodiscard]] std::string to_string(ExitStatus status);

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/core/exit_status.ipp>
#endif
