// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Semaphore: counts across processes, waits on the monotonic clock, survives signals.

#include <procpool/core/deadline.hpp>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <semaphore.h>
#include <type_traits>

namespace procpool::sync {

/// A POSIX semaphore in shared memory. Boost.Interprocess's throws on EINTR and knows only the realtime clock.
/// All-zero memory is one with count 0 for the threads of one process only (glibc marks those that processes share, or post() would look
/// for sleepers in its own process); reset() makes one for all.
class Semaphore {
public:
    /// Effects: count 0, shared between processes. Called by: whoever knows that nobody uses it.
    void reset() noexcept { ::sem_init(&semaphore_, 1, 0); }

    /// Called by: any thread of any process.
    void post() noexcept { ::sem_post(&semaphore_); }

    /// Returns: false when the deadline passed first.
    [[nodiscard]] bool wait(Deadline deadline) noexcept {
        for (;;) {
            int result = 0;
            if (deadline.is_never()) {
                result = ::sem_wait(&semaphore_);
            } else {
                const auto since_boot = deadline.when().time_since_epoch();
                const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
                timespec when{};
                when.tv_sec = static_cast<std::time_t>(seconds.count());
                when.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since_boot - seconds).count());
                result = ::sem_clockwait(&semaphore_, CLOCK_MONOTONIC, &when);
            }
            if (result == 0) { return true; }
            if (errno != EINTR) { return false; }
        }
    }

private:
    sem_t semaphore_;
};

static_assert(std::is_trivially_destructible_v<Semaphore>, "nobody runs destructors in shared memory");

}  // namespace procpool::sync
