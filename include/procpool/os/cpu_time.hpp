// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// thread_cpu_time(): how long a thread has been running on a processor.

#include <cstdint>
#include <ctime>

namespace procpool::inline v0::detail::os {

/// Returns: nanoseconds that the calling thread has run, in user code and in the kernel.
[[nodiscard]] inline std::int64_t thread_cpu_time() noexcept {
    std::timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace procpool::detail::os
