// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Barrier: lets a fixed number of threads of all processes go on together, again and again.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0 {

/// A barrier in memory that processes share: `Shared<Barrier> step{4};`. Any thread of any process that has the memory
/// may come to it. It breaks, and all that wait or come later get BrokenBarrier until reset(), when the time of one
/// runs out, the completion function throws, or a process dies that has come: those that wait look for that every
/// 100 ms. The death of a process that has not come yet is noticed where it holds a Party.
class Barrier {
public:
    /// The most parties of a barrier.
    static constexpr unsigned most_parties = 1024;

    /// Throws: std::invalid_argument when there are no parties, or more than most_parties; std::logic_error in memory
    /// that no other process has; SharedMemoryExhausted. completion: called in each pass by the last that comes, while
    /// the others wait; it must not come to this barrier or reset it.
    explicit Barrier(std::ptrdiff_t parties, void (*completion)() = nullptr);
    PROCPOOL_UNCOPIED(Barrier, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Barrier is not copied: capture or pass its address")
    /// Those that wait get a std::logic_error.
    ~Barrier();

    /// Blocks until as many have come as there are parties. What each did before is visible to all. Returns: 0 to
    /// parties() - 1, a different number for each of a pass. Throws: BrokenBarrier; the exception of the completion
    /// function, if it is this call that ran it; std::logic_error when the barrier is destroyed, or when its completion
    /// function comes to it; as Members.
    unsigned arrive_and_wait() { return arrive(detail::Deadline::never()); }
    /// As arrive_and_wait(), but breaks the barrier when the time is over.
    template <class Duration>
    unsigned arrive_and_wait_for(const Duration& timeout) {
        return arrive(detail::core::after(timeout));
    }
    /// As arrive_and_wait_for(), up to a point in time, which is that of the steady clock from the call on.
    template <class AnyClock, class Duration>
    unsigned arrive_and_wait_until(std::chrono::time_point<AnyClock, Duration> when) {
        return arrive(detail::Deadline::after(detail::time_until(when)));
    }

    /// Breaks the barrier.
    void abort() noexcept;
    /// Makes the barrier as new: those that wait get BrokenBarrier, and dead parties are forgotten. Throws:
    /// std::logic_error in the completion function.
    void reset();
    /// Whether it was broken at this moment.
    [[nodiscard]] bool was_broken() const noexcept { return (word_.load(std::memory_order_relaxed) & broken) != 0; }
    /// Returns: how many have to come.
    [[nodiscard]] unsigned parties() const noexcept { return parties_; }

    class Party;

private:
    using Stamp = detail::sync::Stamp;
    using Stamps = std::array<std::atomic<Stamp>, most_parties>;

    // A change and its wake-up are two steps here: those that wait look at the word every 100 ms anyway.
    // The word: rounds 22 bits, how the last 8 of them ended (1: passed), destroyed, broken. A round ends by a pass or
    // a reset(), in one compare-and-swap, and a broken word does not pass; so a thread that waited through several
    // rounds sees how its own ended; when that is longer ago, it takes it for passed unless a reset() has come since.
    static constexpr std::uint32_t broken = 1;
    static constexpr std::uint32_t destroyed = 2;
    static constexpr std::uint32_t passed = 4;
    static constexpr unsigned kept_rounds = 8;
    static constexpr std::uint32_t history = ((1U << kept_rounds) - 1) * passed;
    static constexpr std::uint32_t round = passed << kept_rounds;

    /// Returns: the word of the next round; `end`: passed, or 0.
    [[nodiscard]] static std::uint32_t next_round(std::uint32_t word, std::uint32_t end) noexcept {
        return (word & ~(history | broken)) + round + (((word & history) << 1 & history) | end);
    }

    [[nodiscard]] static std::uint32_t rounds_between(std::uint32_t earlier, std::uint32_t later) noexcept {
        return ((later & ~(round - 1)) - (earlier & ~(round - 1))) / round;
    }

    unsigned arrive(detail::Deadline deadline);
    /// Requires: the caller holds the lock and is the last to come. `seen`: the word.
    void pass(std::uint32_t seen);
    /// Blocks until the round of `seen` ends. Throws: as arrive().
    void wait_for_end(std::uint32_t seen, detail::Deadline deadline);
    /// Whether the round of `seen` passed; `now`: the word of a later round.
    [[nodiscard]] bool has_passed(std::uint32_t seen, std::uint32_t now) const noexcept;
    [[nodiscard]] static bool is_dead(Stamp stamp) noexcept;
    /// Whether a process has died that had come, held the lock or was a Party.
    [[nodiscard]] bool has_dead() const noexcept;

    alignas(detail::apart) std::atomic<std::uint32_t> word_{0};
    unsigned parties_;
    void (*completion_)();
    alignas(detail::apart) detail::sync::RobustLock lock_;
    std::atomic<std::uint32_t> last_reset_{0};  // the word of the round that the last reset() ended; 0: none did
    std::atomic<std::uint32_t> arrived_{0};     // changed with the lock, as `who_`; read by those that wait
    Stamps who_{};
    Stamps seats_{};
};

/// Says that the calling thread will come to a barrier, so that its death breaks the barrier also before it has come:
/// `const Barrier::Party party{*step};`. There may be no more of them than parties. The destructor leaves quietly.
/// Lifetime: the barrier must outlive it.
class Barrier::Party {
public:
    /// Throws: std::logic_error when there are as many as parties; BrokenBarrier when one of them is dead; as Members.
    explicit Party(Barrier& barrier);
    Party(const Party&) = delete;
    Party& operator=(const Party&) = delete;
    /// Does nothing in a forked child.
    ~Party();

private:
    std::atomic<Stamp>* seat_ = nullptr;
    Stamp stamp_;
    detail::os::Token process_;
};

template <>
inline constexpr bool enable_shared<Barrier> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/barrier.ipp>
#endif
