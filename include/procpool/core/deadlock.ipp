// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadlock.hpp>

#include <system_error>

namespace procpool::inline v0::detail::core {

PROCPOOL_DECL void throw_deadlock(const char* text) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur), text);
}

}  // namespace procpool::detail::core
