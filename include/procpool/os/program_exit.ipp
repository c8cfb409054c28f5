// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/backtrace.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/symbols.hpp>

#include <unwind.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL bool is_exiting_here() {
    // A program at a fixed address that is linked with libraries has an entry of its own for exit(): then the name
    // decides.
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
