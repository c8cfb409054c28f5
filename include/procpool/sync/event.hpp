// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Event: a flag that threads of all processes can wait for.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/word.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0 {

/// A flag that is set or not, in memory that processes share: `Shared<Event> ready; … [ready = ready.get()] {
/// ready->wait(); }`. Any thread of any process that has the memory may call any member. A process that is killed while
/// it waits or sets leaves the event as it was or set, and keeps nobody waiting. Destroyed by its owner while others
/// wait: they get a std::logic_error.
class Event {
public:
    /// Not set. Throws: std::logic_error in memory that no other process has; SharedMemoryExhausted.
    Event();
    PROCPOOL_UNCOPIED(Event, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: an Event is not copied: capture or pass its address")
    ~Event() { detail::sync::set_and_wake(word_, destroyed); }

    /// Whether it is set now. What happened before set() is visible then.
    [[nodiscard]] bool is_set() const noexcept { return (word_.load(std::memory_order_acquire) & flag) != 0; }

    /// Sets it and wakes all that wait; no system call unless somebody does.
    void set() noexcept { detail::sync::set_and_wake(word_, flag); }

    /// Takes the flag back. Threads that were waiting when it was set return all the same.
    void clear() noexcept;

    /// Blocks until it is set, or has been set meanwhile. What happened before set() is visible then. Throws:
    /// std::logic_error when it is destroyed.
    void wait() {
        if (!is_set()) { static_cast<void>(wait(detail::Deadline::never())); }
    }
    /// As wait(), for a time. Returns: false when it was not set in that time.
    template <class Duration>
    [[nodiscard]] bool wait_for(const Duration& timeout) {
        return is_set() || wait(detail::core::after(timeout));
    }
    /// As wait_for(), up to a point in time of any clock.
    template <class AnyClock, class Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<AnyClock, Duration> when) {
        return is_set() || detail::wait_until(when, [this](detail::Deadline deadline) { return wait(deadline); });
    }

private:
    // The word: generation 29 bits, destroyed, set, asleep. Nobody sleeps on a word that says set, and a word leaves
    // "not set" by set() alone, so clear() may drop `asleep`. It makes another generation, by which a thread that slept
    // through set() and clear() sees that the event was set.
    static constexpr std::uint32_t flag = 2;
    static constexpr std::uint32_t destroyed = 4;
    static constexpr std::uint32_t generation = 8;

    [[nodiscard]] bool wait(detail::Deadline deadline);

    std::atomic<std::uint32_t> word_{0};
};

static_assert(std::is_standard_layout_v<Event> && sizeof(Event) == sizeof(std::uint32_t), "one word");

template <>
inline constexpr bool enable_shared<Event> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/event.ipp>
#endif
