// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/affinity.hpp>

#include <cerrno>

#include <sched.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::size_t affinity_cpus() {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(cpus));
        if (set == nullptr) { break; }
        const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        const bool known = ::sched_getaffinity(0, size, set) == 0;
        const int error = errno;
        const int count = known ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (known) { return count > 1 ? static_cast<std::size_t>(count) : 1; }
        if (error != EINVAL) { break; }  // EINVAL: the kernel knows more CPUs than the mask has room for
    }
    return 1;
}

PROCPOOL_DECL std::size_t online_cpus() {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1 ? static_cast<std::size_t>(count) : 1;
}

}  // namespace procpool::detail::os
