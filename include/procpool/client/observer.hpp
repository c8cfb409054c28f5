// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Observer: which tasks of a pool are traced, and whose times are measured.

#include <procpool/core/config.hpp>
#include <procpool/os/ticks.hpp>

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

    /// Nothing where no times are measured. Called by: any thread.
    [[nodiscard]] const std::optional<os::TickRate>& rate() const noexcept { return rate_; }

private:
    std::uint64_t next_ = 0;           // number of the next task that is looked at; 0: none
    std::uint64_t next_measured_ = 0;  // of the next one that is measured, if any is
    bool traces_ = false;
    std::optional<os::TickRate> rate_;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/observer.ipp>
#endif
