// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/most_workers.hpp>
#include <procpool/os/affinity.hpp>
#include <procpool/os/cgroup.hpp>
#include <procpool/os/usable_cpus.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL std::size_t usable_cpus() {
    using detail::core::most_workers;
    if (const char* const text = std::getenv("PROCPOOL_WORKERS"); text != nullptr && *text != '\0') {
        char* end = nullptr;
        errno = 0;
        const long value = std::strtol(text, &end, 10);
        if (errno != 0 || *end != '\0' || value <= 0 || value > static_cast<long>(most_workers)) {
            throw std::invalid_argument("procpool: PROCPOOL_WORKERS must be a number from 1 to " +
                                        std::to_string(most_workers) + ", not '" + text + "'");
        }
        return static_cast<std::size_t>(value);
    }
    const double quota = std::ceil(detail::os::Limits{}.cpu_quota());
    const std::size_t cpus = std::min(detail::os::affinity_cpus(), most_workers);
    return quota < static_cast<double>(cpus) ? std::max<std::size_t>(1, static_cast<std::size_t>(quota)) : cpus;
}

}  // namespace procpool
