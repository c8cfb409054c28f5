// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/alarm.hpp>
#include <procpool/os/process.hpp>

#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL Alarm::Alarm(std::chrono::seconds longest) noexcept {
    struct sigaction ends {};
    ends.sa_handler = [](int) { leave(EXIT_SUCCESS); };
    ::sigaction(SIGALRM, &ends, nullptr);
    ::alarm(static_cast<unsigned>(longest.count()));
}

PROCPOOL_DECL Alarm::~Alarm() { ::alarm(0); }

}  // namespace procpool::detail::os
