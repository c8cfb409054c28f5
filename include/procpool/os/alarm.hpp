// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Alarm: ends a process that a call of somebody else's does not come back from.

#include <procpool/core/config.hpp>

#include <chrono>

namespace procpool::inline v0::detail::os {

/// Ends the process at once, successfully, when it has lived that long. Only for processes without code of the user's:
/// it takes SIGALRM.
class Alarm {
public:
    explicit Alarm(std::chrono::milliseconds longest) noexcept;
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;
    ~Alarm();
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/alarm.ipp>
#endif
