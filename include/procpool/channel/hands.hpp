// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Hands: how many items each consumer of a queue has taken and not reported done, so that those of the dead are known.

#include <procpool/core/config.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/sync/member.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::channel {

/// The place of a thread in the table. Its bits change in single steps, each of which makes sense: a death between two
/// of them leaves a mark, by which the next owner of the lock that the dead one held completes the change.
struct alignas(cache_line) Hand {
    std::atomic<sync::Stamp> stamp;      // of the thread that has the place, or had it last
    std::atomic<std::uint64_t> content;  // items held: 32 bits, items lost by former threads: 30, marks: 2

    static constexpr std::uint64_t held = 0xffffffff;
    static constexpr std::uint64_t lost_unit = std::uint64_t{1} << 32;
    static constexpr std::uint64_t taking = std::uint64_t{1} << 62;
    static constexpr std::uint64_t finishing = std::uint64_t{1} << 63;
};

/// A Hand for each place of the table of members: all-zero memory is a valid table. The queue's lock of consumers
/// orders take and its completion, its lock of those that report orders finish and its completion.
class Hands {
public:
    static constexpr std::size_t bytes = sizeof(Hand) * sync::Members::most;

    /// memory: zeroed, of `bytes`.
    void use(void* memory) noexcept { hands_ = static_cast<Hand*>(memory); }

    /// Returns: the place of the calling thread, whoever had it before. Throws: as Members::own().
    [[nodiscard]] static std::uint32_t own_place() {
        return static_cast<std::uint32_t>(sync::Members::own() & 0xffff) - 1;
    }

    /// Whether the calling thread is known there already; otherwise adopt() comes before start_taking().
    [[nodiscard]] bool is_own(std::uint32_t place) const {
        return hands_[place].stamp.load(std::memory_order_relaxed) == sync::Members::own();
    }
    /// Effects: counts what the former thread of the place holds as lost. Requires: both locks of the queue are held.
    void adopt(std::uint32_t place);

    void start_taking(std::uint32_t place) noexcept { mark(place, Hand::taking); }
    /// Effects: completes start_taking(); more than once is harmless. taken: so many items became its.
    void end_taking(std::uint32_t place, std::uint32_t taken) noexcept;
    void start_finishing(std::uint32_t place) noexcept { mark(place, Hand::finishing); }
    /// Whether the calling thread, whose place it is, has taken items that it has not reported done.
    [[nodiscard]] bool holds_any(std::uint32_t place) const noexcept {
        return (hands_[place].content.load(std::memory_order_relaxed) & Hand::held) != 0;
    }
    /// Effects: completes start_finishing(), as above.
    void end_finishing(std::uint32_t place, bool finished) noexcept;

    /// Returns: how many items were taken by threads that ended before they reported them done.
    [[nodiscard]] std::uint64_t lost() const noexcept;

private:
    /// relaxed: the thread itself, or the owner of a lock that the thread held when it died, changes the place.
    /// release: the queue has noted before whose place it is, also for a death between the two.
    void mark(std::uint32_t place, std::uint64_t bit) noexcept {
        std::atomic<std::uint64_t>& content = hands_[place].content;
        content.store(content.load(std::memory_order_relaxed) | bit, std::memory_order_release);
    }

    Hand* hands_ = nullptr;
    std::atomic<std::uint32_t> used_{0};  // places beyond have never been used
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/hands.ipp>
#endif
