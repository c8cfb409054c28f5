// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>

#include <string>
#include <system_error>

namespace procpool::inline v0::detail::os {

[[gnu::noinline]] PROCPOOL_DECL void throw_error(int error, const char* name) {
    throw std::system_error(error, std::system_category(), std::string("procpool: ") + name);
}

}  // namespace procpool::detail::os
