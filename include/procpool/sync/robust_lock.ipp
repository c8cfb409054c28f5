// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/platform.hpp>
#include <procpool/os/sanitizer.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <system_error>

namespace procpool::inline v0::detail::sync {

/// Effects: makes the mutex a robust one for all processes.
inline void initialise(pthread_mutex_t& mutex, RobustLock::Kind kind) noexcept {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    // An owner's second attempt and a stranger's unlock are told, which costs nothing measurable.
    ::pthread_mutexattr_settype(
        &attributes, kind == RobustLock::Kind::recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_ERRORCHECK);
    ::pthread_mutex_init(&mutex, &attributes);
    ::pthread_mutexattr_destroy(&attributes);
}

/// Returns: a point in time as the C library takes it.
[[nodiscard]] inline timespec time_of(std::chrono::nanoseconds since_start_of_clock) noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_start_of_clock);
    timespec when{};
    when.tv_sec = static_cast<std::time_t>(seconds.count());
    when.tv_nsec = static_cast<long>((since_start_of_clock - seconds).count());
    return when;
}

/// Returns: 0, or an error number.
inline int lock_before(pthread_mutex_t& mutex, Deadline deadline) noexcept {
#ifdef __GLIBC__
    if (!os::has_thread_sanitizer()) {
        const timespec when = time_of(deadline.when().time_since_epoch());
        return ::pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &when);
    }
#endif
    // Elsewhere there is only the clock that is adjusted, and ThreadSanitizer of GCC 12 knows of no other: slices, so
    // that an adjustment matters little.
    for (;;) {
        const auto left = Deadline::after(std::chrono::milliseconds{100}).or_sooner(deadline).when() - Clock::now();
        const timespec when = time_of(std::chrono::system_clock::now().time_since_epoch() + left);
        const int error = ::pthread_mutex_timedlock(&mutex, &when);
        if (error != ETIMEDOUT || deadline.passed()) { return error; }
    }
}

PROCPOOL_DECL RobustLock::RobustLock(Kind kind) noexcept { initialise(mutex_, kind); }

PROCPOOL_DECL void RobustLock::prepare() noexcept {
    using Words = std::array<std::uint32_t, sizeof(pthread_mutex_t) / sizeof(std::uint32_t)>;
    static_assert(sizeof(Words) == sizeof(pthread_mutex_t));
    pthread_mutex_t fresh;
    std::memset(&fresh, 0, sizeof fresh);
    initialise(fresh, Kind::checked);
    Words image;
    std::memcpy(&image, &fresh, sizeof image);
    // Only words of a fresh mutex that are not 0, such as its kind: they never change, so that they can be stored again
    // while others use it. relaxed: a process relies on those that it has stored itself.
    auto* const words = reinterpret_cast<std::atomic<std::uint32_t>*>(&mutex_);
    for (std::size_t i = 0; i < image.size(); ++i) {
        if (image[i] != 0 && words[i].load(std::memory_order_relaxed) != image[i]) {
            words[i].store(image[i], std::memory_order_relaxed);
        }
    }
}

PROCPOOL_DECL Locked RobustLock::result_of(int error) {
    switch (error) {
        case 0: return Locked::yes;
        case EOWNERDEAD: return Locked::owner_died;
        case EDEADLK: return Locked::own;
        case EBUSY:
        case ETIMEDOUT: return Locked::no;
        default:  // the C library says so only of what is no lock any more
            throw std::system_error(std::make_error_code(std::errc::state_not_recoverable),
                                    "procpool: the lock's bytes have been overwritten, or its memory has been given "
                                    "back and has another use by now");
    }
}

PROCPOOL_DECL Locked RobustLock::wait(int error, Deadline deadline) {
    for (int pauses = 8; error == EBUSY && pauses <= 256; pauses *= 2) {
        for (int i = 0; i < pauses; ++i) { relax(); }
        if (!was_locked()) { error = attempt(); }
    }
    // Unlocking stores that nobody holds it or waits, and then wakes one: when that one, or the one that unlocks, dies
    // meanwhile while a third has got in between, nobody is left who knows of the others that wait. So they look again.
    while (error == EBUSY) {
        const Deadline until = Deadline::after(look_again).or_sooner(deadline);
        error = lock_before(mutex_, until);
        if (error != ETIMEDOUT) { break; }
        error = attempt();
        if (until.when() == deadline.when()) { break; }
    }
    if (!is_lock()) { error = EINVAL; }  // overwritten meanwhile
    return result_of(error);
}

PROCPOOL_DECL bool RobustLock::settle(Locked locked) {
    if (locked == Locked::own) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "procpool: a signal handler uses what it has interrupted the use of");
    }
    if (locked == Locked::owner_died) { heal(); }
    return locked != Locked::no;
}

PROCPOOL_DECL void RobustLock::heal() noexcept { ::pthread_mutex_consistent(&mutex_); }

}  // namespace procpool::detail::sync
