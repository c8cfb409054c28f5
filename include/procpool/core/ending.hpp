// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ending: how a task ended. Slots, futures, logs, traces and statistics use this one word for it.

#include <procpool/core/config.hpp>
#include <procpool/core/exit_status.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace procpool::inline v0 {

/// How a task ended.
enum class Ending : std::uint8_t {
    value,              ///< it returned
    exception,          ///< it threw
    died,               ///< its worker ended while it ran the task
    timed_out,          ///< it ran longer than its timeout
    cancelled,          ///< it was withdrawn before it started, or killed
    terminated,         ///< the pool was terminated or killed before the task ended
    broken,             ///< the pool broke before the task ended
    overwritten,        ///< another task has written where the pool keeps this one
    memory_exceeded,    ///< its worker had more memory of its own than PoolOptions::kill_rss
    node_lost,          ///< its machine fell silent, and nobody knows how far it got
    killed = cancelled  ///< the same: kill() ended it
};

/// Returns: "value", "exception", "worker died", "timed out", "cancelled", "terminated", "broken", "overwritten",
/// "memory limit exceeded", "node lost".
[[nodiscard]] std::string_view to_string(Ending ending) noexcept;

namespace detail::core {

/// Whether a task that ended so may run again, if it has retries left.
[[nodiscard]] constexpr bool may_retry(Ending ending) noexcept {
    return ending == Ending::died || ending == Ending::timed_out || ending == Ending::memory_exceeded ||
           ending == Ending::node_lost;
}

/// Whether it is an error of the task itself: neither asked for, nor the end of the whole pool.
[[nodiscard]] constexpr bool is_failure(Ending ending) noexcept {
    return ending != Ending::value && ending != Ending::cancelled && ending != Ending::terminated &&
           ending != Ending::broken;
}

/// Where a process crashed.
struct Crash {
    static constexpr std::size_t most_frames = 30;
    std::uint32_t count;  ///< of frames; 0: it did not crash
    std::int32_t signal;
    std::int32_t pid;  ///< of the process that crashed
    std::array<std::uintptr_t, most_frames> frames;

    /// Whether a process that ended so died of this crash: a worker's seat may hold the crash of a child of the worker,
    /// or one that the worker survived.
    [[nodiscard]] constexpr bool is_cause_of(std::int32_t dead, ExitStatus status) const noexcept {
        return count != 0 && pid == dead && status.signaled() && status.signal() == signal;
    }
};

/// The memory of a worker that was killed for it, in bytes.
struct Excess {
    std::uint64_t resident = 0;  ///< what it had of its own; 0: it was not killed for that
    std::uint64_t limit = 0;     ///< what it could have
};

/// How the worker of a task died.
struct Death {
    std::int32_t pid = 0;  ///< on its machine
    ExitStatus status = {};
    Crash crash = {};                   ///< no frames: it did not crash, or nobody knows where any more
    std::array<char, 200> reason = {};  ///< why an actor's process could not begin, cut to fit; empty: it could
    std::uint32_t worker = 0xffffffff;  ///< its index; this one: unknown
    Excess excess = {};
};

/// The facts that a sentence about an ending needs.
struct EndingDetails {
    std::string_view worker = {};  ///< "worker 17"; empty: the sentence is about the task alone
    std::string_view task = "a task";
    ExitStatus status = {};               ///< of the worker
    std::chrono::nanoseconds timeout{0};  ///< of the task
    std::string_view reason = {};         ///< why the pool is broken
    std::string_view host = {};           ///< the machine that ran the task
    Excess excess = {};                   ///< of the worker
};

/// Returns: the ending in words, without a full stop: "worker 17 was killed by signal 11 (SIGSEGV) while it ran task
/// 'resize'", "task 'resize' exceeded its timeout of 1.5 s", "the pool is broken: ...".
[[nodiscard]] std::string sentence(Ending ending, const EndingDetails& details);

/// Returns: "1.5 GB", with up to four digits; a GB has 10^9 bytes.
[[nodiscard]] std::string text_of_bytes(std::uint64_t bytes);

/// "task 'resize'", "task 'resize, item 7'", "task 'item 7'"; "a task" without label and item.
[[nodiscard]] std::string task_name(std::string_view label, std::optional<std::size_t> item = {});

}  // namespace detail::core

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/core/ending.ipp>
#endif
