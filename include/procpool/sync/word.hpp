// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// sleep_on(), set_and_wake(): the rule of the words that threads of several processes sleep on.
///
/// The lowest bit of such a word says that somebody may sleep on it. A sleeper sets it by the compare-and-swap that
/// confirms what it has seen, and sleeps on the word with the bit. A thread that changes the word sees the bit in the
/// same step: without it the change is one compare-and-swap, with it one os::change_and_wake(). So no process can be
/// killed between a change and its wake-up, and since sleepers are not counted, a dead one is in no count. A bit left
/// by a sleeper that died or gave up costs a system call.
///
/// Memory order: a look acquires, a change releases; the sleeper's own step publishes nothing. No side stores one word
/// and then looks at another, so nothing has to be sequentially consistent; os/futex.hpp orders the kernel's look.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/os/futex.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::sync {

inline constexpr std::uint32_t asleep = 1;

/// Effects: sleeps if the word is as seen, or differs by the bit alone, until it is woken or the deadline comes; may
/// return early. Returns: false when the deadline came first.
bool sleep_on(std::atomic<std::uint32_t>& word, std::uint32_t seen, Deadline deadline) noexcept;

/// Effects: sets the bits (below 2048) and wakes all sleepers. Requires: nobody sleeps on a word that has all of these
/// bits.
inline void set_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t bits) noexcept {
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    // Also where the bits are set already: what this thread did before must be visible to one that clears them next.
    while ((seen & asleep) == 0 || (seen & bits) == bits) {
        if (word.compare_exchange_weak(seen, (seen & ~asleep) | bits, std::memory_order_release,
                                       std::memory_order_relaxed)) {
            return;
        }
    }
    reach(FaultPoint::before_change);
    os::change_and_wake(word, os::Change::set_bits, os::Operand{static_cast<std::int32_t>(bits)});
}

/// Throws: std::logic_error that says that what the thread waited for was destroyed; `what` names the type, as "Event".
[[noreturn]] void throw_destroyed(const char* what);

}  // namespace procpool::detail::sync

#if PROCPOOL_BODIES
#include <procpool/sync/word.ipp>
#endif
