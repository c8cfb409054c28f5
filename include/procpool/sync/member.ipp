// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/os/process.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/sync/member.hpp>

#include <chrono>
#include <stdexcept>
#include <system_error>

namespace procpool::inline v0::detail::sync {

static_assert(sizeof(Life) * Members::most <= shm::Heap::root_bytes, "the table lies at the start of a heap");

PROCPOOL_DECL void Members::prepare() {
    if (shm::Heap::family_root() == nullptr) { static_cast<void>(shm::Heap::of_this_process()); }
}

PROCPOOL_DECL Stamp Members::join() {
    if (!os::releases_robust_locks()) {
        throw std::system_error(std::make_error_code(std::errc::not_supported),
                                "procpool: the kernel does not release the locks of this process when it dies (it was "
                                "made by a bare clone()), so others would wait for it");
    }
    prepare();
    const os::Token process = os::process_token();
    auto* const lives = reinterpret_cast<Life*>(shm::Heap::family_root());
    for (std::uint32_t place = 0; place < most; ++place) {
        Life& life = lives[place];
        life.hold.prepare();
        const Locked locked = life.hold.try_lock();
        if (locked != Locked::yes && locked != Locked::owner_died) { continue; }
        // The lock before the generation: a look may take the former thread for alive between the two, never a living
        // one for dead. release: with is_alive()'s acquire, a new generation is not seen before the lock.
        const std::uint64_t generation = life.generation.load(std::memory_order_relaxed) + 1;
        life.generation.store(generation, std::memory_order_release);
        life.pid.store(os::this_process(), std::memory_order_relaxed);
        if (locked == Locked::owner_died) {
            life.hold.heal();
            os::futex_wake(life.hold.word());  // those that sleep until the former thread is dead
        }
        own_ = Own{process, generation << 16 | (place + 1)};
        return own_.stamp;
    }
    throw Error("procpool: more threads use locks and queues at a time than the table of members holds");
}

PROCPOOL_DECL Life* Members::life_of(Stamp stamp) noexcept {
    const std::uint32_t place = place_of(stamp) - 1;
    std::byte* const root = shm::Heap::family_root();
    return place < most && root != nullptr ? reinterpret_cast<Life*>(root) + place : nullptr;
}

/// Whether the word of a thread's lock says that the thread lives.
[[nodiscard]] constexpr bool has_living_owner(std::uint32_t word) noexcept {
    return (word & os::futex_owner) != 0 && (word & os::futex_owner_died) == 0;
}

PROCPOOL_DECL bool Members::is_of_process(std::uint32_t place, std::int32_t pid) noexcept {
    const Life* const life = life_of(place);
    return life != nullptr && life->pid.load(std::memory_order_relaxed) == pid && has_living_owner(life->hold.look());
}

PROCPOOL_DECL bool Members::is_alive(Stamp stamp) noexcept {
    const Life* const life = life_of(stamp);
    if (life == nullptr || life->generation.load(std::memory_order_acquire) != stamp >> 16) { return false; }
    return has_living_owner(life->hold.look());
}

PROCPOOL_DECL std::optional<os::FutexLook> Members::watch(Stamp stamp) noexcept {
    Life* const life = life_of(stamp);
    if (life == nullptr || !is_alive(stamp)) { return std::nullopt; }
    // The kernel wakes at the owner's end only where the bit says that somebody sleeps. Dead before the bit: seen here;
    // after it: the kernel wakes, or the word is not as expected any more.
    const std::uint32_t seen =
        life->hold.word().fetch_or(os::futex_waiters, std::memory_order_acq_rel) | os::futex_waiters;
    if (!has_living_owner(seen) || !is_alive(stamp)) { return std::nullopt; }
    return os::FutexLook{&life->hold.word(), seen};
}

PROCPOOL_DECL bool Members::wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Stamp stamp,
                                 Deadline deadline) noexcept {
    const std::optional<os::FutexLook> life = watch(stamp);
    if (!life) { return true; }
    const Deadline until = slice(deadline, std::chrono::milliseconds{500});
    const bool in_time = os::futex_wait_for_either(word, expected, *life->word, life->expected, until);
    if (is_alive(stamp)) { return in_time || until.when() != deadline.when(); }
    os::futex_wake(*life->word);  // the kernel wakes one only; the slice is for one that is killed here
    return true;
}

PROCPOOL_DECL Parker* Members::parker_at(std::uint32_t place) noexcept {
    Life* const life = life_of(place);
    return life != nullptr ? &life->parker : nullptr;
}

PROCPOOL_DECL std::int32_t Members::pid_of(Stamp stamp) noexcept {
    const Life* const life = life_of(stamp);
    if (life == nullptr) { return 0; }
    const std::int32_t pid = life->pid.load(std::memory_order_relaxed);
    return life->generation.load(std::memory_order_acquire) == stamp >> 16 ? pid : 0;
}

}  // namespace procpool::detail::sync
