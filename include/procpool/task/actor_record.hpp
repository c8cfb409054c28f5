// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ActorRecord: the lives and deaths of the process that an actor's pool consists of.

#include <procpool/core/ending.hpp>

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// The actor that a pool serves, if it serves one: its one worker owns the actor's object. Lies on pages that workers
/// cannot write. All-zero memory is the valid initial state.
struct ActorRecord {
    bool is_one;                          ///< the pool serves an actor; written once
    std::atomic<std::int32_t> pid;        ///< of its process, the last one when that has ended; 0: none yet
    std::atomic<std::uint32_t> lives;     ///< how many of its processes have begun; written by the supervisor
    std::atomic<std::uint32_t> deaths;    ///< how many have ended; written by the supervisor, after `death`
    std::atomic<std::uint32_t> allowed;   ///< how many may begin, where each must be allowed; written by the parent
    std::atomic<std::uint32_t> unwanted;  ///< the first so many must end, likewise
    std::atomic<std::uint32_t> told;      ///< callers may be told of the first so many deaths, likewise
    enum class First : std::uint32_t { undecided, made, died };
    std::atomic<First> first;  ///< where each must be allowed: whether the parent has an actor, or its first one died
    core::Death death;         ///< of the last one that has ended; it stays once no life may follow

    /// Returns: how the actor has ended, or is about to: by SIGKILL, if its process has not ended yet. Requires: the
    /// pool's life is beyond closing, or no next life is allowed. Memory order: acquire: pairs with the release in
    /// died(). A life that was about to begin when the pool ended may do so meanwhile and change `death` at its end:
    /// the fences show its beginning to those who saw anything of that.
    [[nodiscard]] core::Death last_death() const noexcept {
        const std::uint32_t ended = deaths.load(std::memory_order_acquire);
        if (ended != 0 && ended == lives.load(std::memory_order_relaxed)) {
            const core::Death last = death;
            acquire_fence();
            if (ended == lives.load(std::memory_order_relaxed)) { return last; }
        }
        constexpr int sigkill = 9;
        return {pid.load(std::memory_order_relaxed), ExitStatus::from_signal(sigkill), {}};
    }

    /// The parent allows other lives, if each must be allowed, once it has seen the object of the first one. Returns:
    /// false when that life has ended before; none follows then. Called by: parent.
    [[nodiscard]] bool allow_others() noexcept { return decide(First::made) == First::made; }

    /// Called by: the process itself, before it runs code of the user's: a process that it has served finds its number
    /// here.
    void note_process(std::int32_t process) noexcept { pid.store(process, std::memory_order_relaxed); }

    // ---- called by: supervisor

    /// Effects: counts a life that is about to begin.
    void begins() noexcept { lives.fetch_add(1, std::memory_order_relaxed); }
    /// Effects: it has not begun.
    void failed_to_begin() noexcept { lives.fetch_sub(1, std::memory_order_relaxed); }
    void died(const core::Death& how) noexcept {
        release_fence();  // after begins(): see last_death()
        death = how;
        deaths.fetch_add(1, std::memory_order_release);
    }
    /// Whether the last process that has begun is known to have ended.
    [[nodiscard]] bool has_died() const noexcept {
        return deaths.load(std::memory_order_relaxed) == lives.load(std::memory_order_relaxed);
    }
    /// Returns: whether the parent will allow a life after that which has just died.
    [[nodiscard]] bool may_follow() noexcept { return decide(First::died) == First::made; }

private:
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"  // it does not follow fences; the copy is thrown away where they matter
#endif
    static void acquire_fence() noexcept { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static void release_fence() noexcept { __atomic_thread_fence(__ATOMIC_RELEASE); }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
    /// Returns: what was decided first. Memory order: release, acquire: the parent sees the death that has made it so.
    First decide(First what) noexcept {
        First before = First::undecided;
        return first.compare_exchange_strong(before, what, std::memory_order_acq_rel) ? what : before;
    }
};

static_assert(std::is_standard_layout_v<ActorRecord> && std::is_trivially_destructible_v<ActorRecord>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task
