// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Parkers: lends parkers to threads of the parent that want to sleep: each board has some, and the program has some.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/sync/parker.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::client {

/// The longest sleep of a thread that waits for tasks; then it checks that the supervisor lives.
inline constexpr std::chrono::milliseconds longest_sleep{100};

/// Called by: any thread of the parent.
class Parkers {
public:
    static constexpr std::uint32_t count = 64;

    explicit Parkers(std::span<sync::Parker> parkers) noexcept : parkers_(parkers) {}

    /// A loan of one parker to one thread.
    class Lease {
    public:
        Lease(Parkers& owner, std::uint32_t index) noexcept : owner_(&owner), index_(index) {}
        Lease(Lease&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), index_(other.index_) {}
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (owner_ != nullptr && index_ != none) {
                owner_->free_.fetch_or(std::uint64_t{1} << index_, std::memory_order_acq_rel);
            }
        }
        /// False when more threads wait at once than there are parkers; park() naps then.
        [[nodiscard]] explicit operator bool() const noexcept { return index_ != none; }
        [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
        /// Returns: null when there is none.
        [[nodiscard]] sync::Parker* parker() const noexcept {
            return index_ != none ? &owner_->parkers_[index_] : nullptr;
        }
        /// May return early; a notification meant for an earlier lessee is one cause.
        void park(Deadline deadline) const noexcept {
            if (index_ != none) {
                owner_->parkers_[index_].park(deadline);
            } else {
                os::nap();
            }
        }

    private:
        Parkers* owner_;
        std::uint32_t index_;
    };

    /// Returns: parkers that the workers of all pools of this process can notify, for threads that wait for tasks of
    /// several pools. They lie in the program heap, which is there before the first worker, and are never given back. A
    /// forked child makes its own: its ancestor's threads sleep on those it has inherited. Throws:
    /// SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] static Parkers& of_this_process();

    [[nodiscard]] Lease lease() noexcept {
        std::uint64_t seen = free_.load(std::memory_order_relaxed);
        while (seen != 0) {
            const auto lowest = static_cast<std::uint32_t>(__builtin_ctzll(seen));
            // acq_rel both ways: the parker's sleeper changes, and the next one continues where the last one stopped.
            if (free_.compare_exchange_weak(seen, seen & (seen - 1), std::memory_order_acq_rel,
                                            std::memory_order_relaxed)) {
                return {*this, lowest};
            }
        }
        return {*this, none};
    }

private:
    static constexpr std::uint32_t none = 0xffffffff;

    std::span<sync::Parker> parkers_;
    std::atomic<std::uint64_t> free_{~std::uint64_t{0}};
};

static_assert(Parkers::count == 64, "one bit each");

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/parkers.ipp>
#endif
