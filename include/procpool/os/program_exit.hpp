// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What exit() leaves behind: calls that are suspended on its stack for ever, while the program's statics are
/// destroyed.

#include <procpool/os/backtrace.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/symbols.hpp>

#include <unwind.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
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

/// Whether exit() is on the caller's stack, so that what it has interrupted there never goes on. It takes microseconds.
[[nodiscard]] inline bool is_exiting_here() {
    // A program at a fixed address that is linked with libraries has an entry of its own for exit(): then the name
    // tells.
    const bool in_program = place_of_code(reinterpret_cast<std::uintptr_t>(&std::exit)).is_in_program();
    std::array<std::uintptr_t, 64> frames;  // destructors of statics are called by exit() itself, a few frames above
    const std::size_t count = capture_backtrace(frames);
    for (const std::uintptr_t frame : std::span{frames}.first(count)) {
        if (::_Unwind_FindEnclosingFunction(reinterpret_cast<void*>(frame)) == reinterpret_cast<void*>(&std::exit)) {
            return true;
        }
        if (in_program && !place_of_code(frame).is_in_program() && function_at(frame) == "exit") { return true; }
    }
    return false;
}

}  // namespace procpool::detail::os
