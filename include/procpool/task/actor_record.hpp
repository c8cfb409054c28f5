// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ActorRecord: the lives and deaths of the process that an actor's pool consists of.

#include <procpool/core/ending.hpp>

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Where a pool serves an actor, its one worker owns the actor's object. Lies on pages that workers cannot write.
/// All-zero memory is the valid initial state.
struct ActorRecord {
    bool is_one;                          ///< the pool serves an actor; written once
    std::atomic<std::int32_t> pid;        ///< of its process, the last one when that has ended; 0: none yet
    std::atomic<std::uint32_t> lives;     ///< how many of its processes have begun; written by the supervisor
    std::atomic<std::uint32_t> deaths;    ///< how many have ended; written by the supervisor, after `death`
    std::atomic<std::uint32_t> allowed;   ///< how many may begin, where each must be allowed; written by the parent
    std::atomic<std::uint32_t> unwanted;  ///< the first so many must end, likewise
    core::Death death;                    ///< of the last one that has ended; it stays once no life may follow

    /// Returns: how the actor has ended, or is about to: by SIGKILL, if its process has not ended yet. Requires: the
    /// pool's life is beyond closing. Memory order: acquire: pairs with the release in died().
    [[nodiscard]] core::Death last_death() const noexcept {
        const std::uint32_t ended = deaths.load(std::memory_order_acquire);
        if (ended != 0 && ended == lives.load(std::memory_order_relaxed)) { return death; }
        constexpr int sigkill = 9;
        return {pid.load(std::memory_order_relaxed), ExitStatus::from_signal(sigkill), {}};
    }

    /// Called by: the process itself, before it runs code of the user's: a process that it has served finds its number
    /// here.
    void note_process(std::int32_t process) noexcept { pid.store(process, std::memory_order_relaxed); }

    // ---- called by: supervisor

    /// Effects: counts a life that is about to begin.
    void begins() noexcept { lives.fetch_add(1, std::memory_order_relaxed); }
    /// Effects: it has not begun.
    void failed_to_begin() noexcept { lives.fetch_sub(1, std::memory_order_relaxed); }
    void died(const core::Death& how) noexcept {
        death = how;
        deaths.fetch_add(1, std::memory_order_release);
    }
};

static_assert(std::is_standard_layout_v<ActorRecord> && std::is_trivially_destructible_v<ActorRecord>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task
