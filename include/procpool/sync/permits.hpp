// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Permits: a number of permits that come back when their holders die.

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
#include <optional>
#include <utility>

namespace procpool::inline v0 {

/// Permits in memory that processes share, each with the name of its holder: `Shared<Permits> licences{3}; … const
/// Permits::Permit mine = licences->acquire();`. As a Semaphore, but the permit of a thread that has ended, or of a
/// process that has died, is free again: those that wait look for that every 100 ms. Any thread of any process that has
/// the memory may call any member. Destroyed by its owner while others wait: they get a std::logic_error.
class Permits {
public:
    /// The most permits.
    static constexpr unsigned most = 1024;

    class Permit;

    /// Throws: std::invalid_argument when there are no permits, or more than most; std::logic_error in memory that no
    /// other process has; SharedMemoryExhausted.
    explicit Permits(std::ptrdiff_t number);
    PROCPOOL_UNCOPIED(Permits, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Permits object is not copied: capture or pass its address")
    ~Permits();

    /// Blocks until a permit is free. Throws: std::logic_error when the permits are destroyed; as Members.
    [[nodiscard]] Permit acquire();
    /// Returns: a permit, or nothing when none is free; never blocks.
    [[nodiscard]] std::optional<Permit> try_acquire();
    /// As acquire(), for a time. Returns: a permit, or nothing.
    template <class Duration>
    [[nodiscard]] std::optional<Permit> try_acquire_for(const Duration& timeout);
    /// As try_acquire_for(), up to a point in time of any clock.
    template <class AnyClock, class Duration>
    [[nodiscard]] std::optional<Permit> try_acquire_until(std::chrono::time_point<AnyClock, Duration> when);

    /// The permits that were free at this moment, those of dead holders included.
    [[nodiscard]] unsigned was_free() const noexcept;
    /// Returns: how many there are.
    [[nodiscard]] unsigned size() const noexcept { return size_; }

private:
    using Stamp = detail::sync::Stamp;
    using Place = std::atomic<Stamp>;

    // The word: releases 30 bits, destroyed, asleep. As with a Semaphore, only the holder of the front lock sleeps on
    // it. A release frees the place first; killed before it changes the word, it is found when the front looks again.
    static constexpr std::uint32_t destroyed = 2;
    static constexpr std::uint32_t release = 4;

    [[nodiscard]] static bool is_free(Stamp holder) noexcept;
    /// Returns: a place that the caller holds now, or null.
    [[nodiscard]] Place* take(Stamp stamp) noexcept;
    [[nodiscard]] Place* wait(Stamp stamp, detail::Deadline deadline);
    [[nodiscard]] std::optional<Permit> acquire(detail::Deadline deadline);
    void give(Place& place, Stamp stamp) noexcept;

    alignas(detail::apart) std::atomic<std::uint32_t> word_{0};
    unsigned size_;
    alignas(detail::apart) detail::sync::RobustLock front_;
    alignas(detail::apart) std::array<Place, most> holders_{};
};

/// Holds a permit until it is destroyed or the thread that acquired it ends. Lifetime: the Permits must outlive it.
class Permits::Permit {
public:
    /// \{
    /// Takes the permit over; it remains in the name of the thread that acquired it. Assignment gives the other one the
    /// permit that was here.
    Permit(Permit&& other) noexcept
        : permits_(std::exchange(other.permits_, nullptr)),
          place_(other.place_),
          stamp_(other.stamp_),
          process_(other.process_) {}
    Permit& operator=(Permit&& other) noexcept {
        std::swap(permits_, other.permits_);
        std::swap(place_, other.place_);
        std::swap(stamp_, other.stamp_);
        std::swap(process_, other.process_);
        return *this;
    }
    /// \}
    /// Gives the permit back, but in a forked child that inherited it.
    ~Permit() {
        if (permits_ != nullptr && detail::os::is_process(process_)) { permits_->give(*place_, stamp_); }
    }

private:
    friend class Permits;
    Permit(Permits& permits, Place& place, Stamp stamp) noexcept
        : permits_(&permits),
          place_(&place),
          stamp_(stamp),
          process_(detail::os::process_token()) {}

    Permits* permits_;
    Place* place_;
    Stamp stamp_;
    detail::os::Token process_;
};

template <class Duration>
std::optional<Permits::Permit> Permits::try_acquire_for(const Duration& timeout) {
    return acquire(detail::core::after(timeout));
}
template <class AnyClock, class Duration>
std::optional<Permits::Permit> Permits::try_acquire_until(std::chrono::time_point<AnyClock, Duration> when) {
    return detail::wait_until(when, [this](detail::Deadline deadline) { return acquire(deadline); });
}

template <>
inline constexpr bool enable_shared<Permits> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/permits.ipp>
#endif
