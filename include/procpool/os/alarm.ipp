// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/alarm.hpp>
#include <procpool/os/process.hpp>

#include <csignal>
#include <cstdlib>

#include <sys/time.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL Alarm::Alarm(std::chrono::milliseconds longest) noexcept {
    struct sigaction ends {};
    ends.sa_handler = [](int) { leave(EXIT_SUCCESS); };
    ::sigaction(SIGALRM, &ends, nullptr);
    constexpr long a_second = 1000;
    const itimerval once{{}, {longest.count() / a_second, longest.count() % a_second * a_second}};
    ::setitimer(ITIMER_REAL, &once, nullptr);
}

PROCPOOL_DECL Alarm::~Alarm() {
    const itimerval none{};
    ::setitimer(ITIMER_REAL, &none, nullptr);
}

}  // namespace procpool::detail::os
