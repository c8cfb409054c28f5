// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Observer: which tasks of a pool are traced, and whose times are measured.

#include <procpool/core/config.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/task/guests.hpp>

#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::task {
class Board;
}

namespace procpool::inline v0::detail::client {

/// All tasks are traced, or none. Of the first tasks each is measured; later on about one of sixteen, at random, which
/// stands for those up to the next one: so it costs a few instructions a task, and a periodic program is seen as it is.
/// Called by: parent, under its producers' mutex, unless said otherwise.
class Observer {
public:
    static constexpr std::uint64_t first_tasks = 1024;

    /// first: the number of the first task that is looked at. Called by: the pool's constructor.
    void begin(bool traces, bool measures, std::uint64_t first) noexcept {
        traces_ = traces;
        next_measured_ = measures ? first : 0;
        rate_.reset();
        if (measures) { rate_.emplace(); }
        next_ = traces || measures ? first : 0;
    }

    /// Whether look_at() has something to do for the task of that number.
    [[nodiscard, gnu::always_inline]] bool looks_at(std::uint64_t number) const noexcept { return number == next_; }
    /// Effects: notes in the slot when its task was submitted. Returns: the traits that say so.
    [[nodiscard]] std::uint8_t look_at(std::uint64_t number, const task::Board& board, std::uint32_t slot) noexcept;

    /// Returns: how many tasks of guests that one stands for, of which each is looked at by itself; 0: it is not
    /// measured. Called by: guests.
    [[nodiscard]] static std::uint16_t share_of(std::uint64_t number) noexcept {
        constexpr std::uint16_t one_of = 16;
        const std::uint64_t count = number & ~task::Guests::number_bit;
        if (count < first_tasks) { return 1; }
        return (count * golden) >> 60 == 0 ? one_of : 0;
    }

    /// Nothing where no times are measured. Called by: any thread.
    [[nodiscard]] const std::optional<os::TickRate>& rate() const noexcept { return rate_; }

private:
    // The highest bits of a product with it are as good as random: D. E. Knuth, The Art of Computer Programming, 6.4.
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;

    std::uint64_t next_ = 0;           // number of the next task that is looked at; 0: none
    std::uint64_t next_measured_ = 0;  // of the next one that is measured, if any is
    bool traces_ = false;
    std::optional<os::TickRate> rate_;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/observer.ipp>
#endif
