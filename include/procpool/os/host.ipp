// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/host.hpp>

#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL HostName host_name() noexcept {
    HostName name{};
    static_cast<void>(::gethostname(name.data(), name.size() - 1));
    return name;
}

}  // namespace procpool::detail::os
