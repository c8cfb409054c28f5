// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoryGuard: which workers have too much memory, and how many may take tasks while there is little.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// The answers that a guard needs about memory besides that of its workers.
struct MemorySource {
    std::uint64_t (*available)();  ///< bytes that can still be used
    double (*pressure)();          ///< as os::Limits::memory_pressure()
};
[[nodiscard]] std::uint64_t available_memory_here();
[[nodiscard]] double memory_pressure_here();
/// A test puts a source of its own there, before it builds a pool.
inline constinit MemorySource memory_source{available_memory_here, memory_pressure_here};

/// Called by: supervisor, in its loop; allocates only while it reads what `memory_source` tells, and what it logs.
///
/// **Workers.** What a worker had when it was forked, and what is mapped to be shared, is not its own. It is looked at
/// every 100 ms while it runs tasks, and once when it has run some.
///
/// **The reserve.** To wait until memory is short and then to let only one worker go on is too late where each task
/// needs much: those that have begun go on, and all workers begin at once. So the guard learns how much a worker needs,
/// the most that one had lately (the kernel keeps the peak between two looks), and admits as many as can all have that
/// with the reserve left; one, when less than the reserve is left. It begins with one worker, and doubles their number
/// as long as the need does not grow, until it has seen tasks.
class MemoryGuard {
public:
    MemoryGuard(task::Board& board, const MemoryLimits& limits)
        : board_(board),
          limits_(limits),
          watches_(limits.any() ? board.seats().size() : 0) {}

    /// Effects: a supervisor before this one has left no pause behind; this one begins with one worker.
    void start() noexcept;

    /// Effects: the seat gets a worker, which is forked from this process next.
    void begin(std::uint32_t seat) noexcept;

    /// Effects: looks when it is time, and finds others where workers that go on in a pause cannot. Calls kill(seat)
    /// for workers whose tasks have been condemned, and replace(seat) for those that leave when they have finished what
    /// they run.
    template <class Kill, class Replace>
    void look(Kill kill, Replace replace) noexcept {
        if (!limits_.any()) { return; }
        if (const Clock::time_point now = Clock::now(); now >= next_) {
            const std::uint64_t available = limits_.reserve != 0 ? ask_what_is_available() : 0;
            for (std::uint32_t seat = 0; seat < board_.workers_seats(); ++seat) {
                switch (examine(seat)) {
                    case Verdict::none: break;
                    case Verdict::kill: kill(seat); break;
                    case Verdict::replace: replace(seat); break;
                }
            }
            if (limits_.reserve != 0) { reckon(now, available); }
            next_ = now + period();
        }
        if (limits_.reserve != 0) { admit(); }
    }

    /// The number of workers that may take tasks.
    [[nodiscard]] std::uint32_t admitted() const noexcept { return limits_.reserve != 0 ? admitted_ : workers(); }

    [[nodiscard]] Clock::time_point next_time() const noexcept {
        return limits_.any() ? next_ : Clock::time_point::max();
    }

    /// Returns: the bytes that the worker on that seat had when it was killed for them; 0 if it was not.
    [[nodiscard]] std::uint64_t excess_of(std::uint32_t seat) const noexcept {
        return watches_.empty() ? 0 : watches_[seat].excess;
    }

private:
    enum class Verdict { none, kill, replace };

    /// One worker.
    struct Watch {
        std::uint64_t inherited = 0;
        std::uint64_t own = 0;   // beyond that, at the last look
        std::uint64_t peak = 0;  // since the look before
        std::uint64_t excess = 0;
        std::uint32_t items = 0;  // that it had finished
        bool has_worked = false;  // since the look before
        bool is_known = false;
        bool is_leaving = false;
    };

    [[nodiscard]] Verdict examine(std::uint32_t seat) noexcept;
    [[nodiscard]] bool has_too_much(std::uint32_t seat, bool busy) noexcept;
    /// Returns: whether it ran a task.
    [[nodiscard]] bool condemn_tasks_of(std::uint32_t seat) noexcept;
    /// Effects: says so, once.
    void warn_of_start(std::uint64_t own, std::uint64_t limit) noexcept;

    /// Returns: 0 when there is no memory to ask with.
    [[nodiscard]] static std::uint64_t ask_what_is_available() noexcept;
    /// Effects: decides how many workers take tasks. before: what was available when the look began.
    void reckon(Clock::time_point now, std::uint64_t before) noexcept;
    void tell(bool is_short, std::uint64_t available, double pressure) noexcept;
    /// Effects: so many do.
    void admit() noexcept;
    /// Effects: Seat::goes_on says which. Returns: whether that is new.
    [[nodiscard]] bool choose() noexcept;
    /// Whether nobody has to wait for memory any more.
    [[nodiscard]] bool is_ending() const noexcept;
    /// Whether a worker is there that takes tasks, or will.
    [[nodiscard]] bool can_go_on(std::uint32_t seat, task::SeatState state) const noexcept;
    [[nodiscard]] std::uint32_t workers() const noexcept { return board_.control.workers; }
    [[nodiscard]] Clock::duration period() const noexcept;

    task::Board& board_;
    MemoryLimits limits_;
    std::vector<Watch> watches_;  // by seat
    Clock::time_point next_{};
    Clock::time_point reckoned_at_{};
    std::uint64_t need_ = 0;          // of a worker
    std::uint64_t fit_ = UINT64_MAX;  // so many workers had room at the last look
    std::uint32_t admitted_ = 1;      // workers that take tasks
    std::uint32_t short_lives_ = 0;   // in a row that ended with their first item
    bool has_learned_ = false;        // what a worker needs
    bool is_growing_ = true;          // more may be admitted than are
    bool is_told_ = false;            // that not all are
    bool is_told_of_start_ = false;
};

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/memory_guard.ipp>
#endif
