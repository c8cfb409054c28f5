// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/callable.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>

#include <string>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_captures(const std::type_info& function) {
    std::string text =
        "procpool: " + type_name(function) +
        " captured a reference or pointer to memory that only this process has: capture by value (instead "
        "of `this`, the members that it needs), pass it as an argument, bind it with "
        "procpool::bind_front(f, values...), put it in shared memory (SharedArray, Shared), use "
        "fork_map, or wrap the function in procpool::snapshot(); a task that needs a pool builds its own";
    if (!numbers_are_told_apart) {
        text +=
            "; or, if it is a number that only looks like such an address, pass it as an argument or through "
            "procpool::bind_front()";
    }
    throw CodecError(text);
}

[[gnu::cold]] PROCPOOL_DECL void refuse_snapshot(const std::type_info& function) {
    throw CodecError("procpool: " + type_name(function) +
                     ", given to procpool::snapshot(), refers to memory that is newer than the workers: build the "
                     "pool after that memory has been filled, or call refork() then");
}

}  // namespace procpool::detail::codec
