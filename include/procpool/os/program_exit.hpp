// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Calls that exit() leaves behind: they are suspended on its stack for ever, while the program's statics are
/// destroyed.

#include <procpool/core/config.hpp>
#include <procpool/os/identity.hpp>

#include <utility>

namespace procpool::inline v0::detail::os {

/// While there is one, its thread may run code of the program's from within the library: a callback, a range, a Codec,
/// a sink, a task. Made and destroyed by one thread, the last one first. A child that was forked there is in no such
/// code.
class InProgramCode {
public:
    InProgramCode() : outer_(std::exchange(here_, process_token())) {}
    InProgramCode(const InProgramCode&) = delete;
    InProgramCode& operator=(const InProgramCode&) = delete;
    ~InProgramCode() { here_ = outer_; }

    /// Whether the calling thread is within one.
    [[nodiscard]] static bool is_here() noexcept { return here_ != 0 && is_process(here_); }

private:
    const Token outer_;
    static inline constinit thread_local Token here_ = 0;
};

/// Whether exit() is on the caller's stack, so that the calls below it never go on. It takes microseconds.
[[nodiscard]] bool is_exiting_here();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/program_exit.ipp>
#endif
