// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ExitStatus: how a process ended.

#include <cstdint>
#include <string>

namespace procpool::inline v0 {

class ExitStatus {
public:
    constexpr ExitStatus() noexcept = default;
    [[nodiscard]] static constexpr ExitStatus from_code(int code) noexcept { return ExitStatus{Kind::exited, code}; }
    [[nodiscard]] static constexpr ExitStatus from_signal(int signal) noexcept {
        return ExitStatus{Kind::signaled, signal};
    }

    [[nodiscard]] constexpr bool exited() const noexcept { return kind_ == Kind::exited; }
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

/// "exited with code 3", "was killed by signal 11 (SIGSEGV)".
[[nodiscard]] inline std::string to_string(ExitStatus status) {
    if (status.exited()) { return "exited with code " + std::to_string(status.code()); }
    if (!status.signaled()) { return "ended in an unknown way"; }
    const char* name = nullptr;
    switch (status.signal()) {  // the numbers are the same on every Linux but those of MIPS, SPARC and PA-RISC
        case 1: name = "SIGHUP"; break;
        case 2: name = "SIGINT"; break;
        case 3: name = "SIGQUIT"; break;
        case 4: name = "SIGILL"; break;
        case 5: name = "SIGTRAP"; break;
        case 6: name = "SIGABRT"; break;
        case 7: name = "SIGBUS"; break;
        case 8: name = "SIGFPE"; break;
        case 9: name = "SIGKILL"; break;
        case 11: name = "SIGSEGV"; break;
        case 13: name = "SIGPIPE"; break;
        case 14: name = "SIGALRM"; break;
        case 15: name = "SIGTERM"; break;
        case 24: name = "SIGXCPU"; break;
        case 31: name = "SIGSYS"; break;
        default: break;
    }
    const std::string number = "was killed by signal " + std::to_string(status.signal());
    return name == nullptr ? number : number + " (" + name + ")";
}

}  // namespace procpool
