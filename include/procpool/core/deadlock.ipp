// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadlock.hpp>

#include <system_error>

namespace procpool::inline v0::detail::core {

PROCPOOL_DECL void throw_deadlock(const char* text) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), text);
}

PROCPOOL_DECL void throw_call_within_call() {
    throw_deadlock("procpool: a call of an actor waits for another call of the same actor, which runs after it");
}

}  // namespace procpool::detail::core
