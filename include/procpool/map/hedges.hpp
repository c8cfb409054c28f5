// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Hedges: second runs of chunks that take much longer than others, when workers have nothing else to do.

#include <procpool/client/ticket.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/map/in_flight_chunk.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::map {

/// The median of what items took lately: a straggler among them does not move it, nor do some that were quick.
class UsualTime {
public:
    void add(std::size_t items, std::chrono::nanoseconds elapsed) noexcept;
    /// Returns: how long a chunk of `items` takes; 0 as long as nothing is known.
    [[nodiscard]] std::chrono::nanoseconds of(std::size_t items) const noexcept;

private:
    static constexpr std::size_t most = 63;  // samples, each of a chunk
    std::array<double, most> samples_{};     // nanoseconds an item
    std::size_t count_ = 0;                  // of those that there were
};

/// Decides which chunks run a second time, and what becomes of runs that count no more. A chunk and its second run are
/// one to the ledger: the driver settles one of them. Called by: the call's thread.
class Hedges {
public:
    /// factor: MapOptions::hedge.
    explicit Hedges(double factor) noexcept : factor_(factor) {}

    /// Effects: notes which chunks have begun. Returns: one that has taken long enough for a second run, which the
    /// caller submits; null when there is none, or none of `workers` is idle, or something is decided, or not
    /// may_hedge: there is something else to run.
    [[nodiscard]] InFlightChunk* find(std::vector<InFlightChunk>& chunks, std::size_t workers, bool may_hedge);
    /// Returns: when find() may have another answer, though nothing has been decided.
    [[nodiscard]] Deadline next() const noexcept { return next_; }

    /// Effects: the chunk's second run is submitted.
    static void submitted(InFlightChunk& chunk, client::Client& client, client::Ticket ticket);
    /// Effects: the second run could not be submitted now: find() waits as long as before.
    static void postpone(InFlightChunk& chunk) noexcept;

    /// Effects: learns from a chunk's report what its items took. result: of its task.
    void learn(const InFlightChunk& chunk, std::span<const std::byte> result) noexcept;

    // ---- runs that count no more

    /// Effects: the task counts no more: it is asked to stop.
    void lose(TaskHandle&& task);
    /// Effects: likewise, of the second runs of all chunks.
    void lose_all(std::vector<InFlightChunk>& chunks);
    /// Effects: kills those that still run.
    void kill_lost();
    /// Whether one is decided.
    [[nodiscard]] bool has_decided_lost() const;
    /// Effects: forgets those that are decided. Returns: whether there are others.
    bool forget_decided_lost();
    /// Effects: forgets all; they go on until they notice that they have been killed or asked to stop.
    void forget_lost() noexcept { lost_.clear(); }
    /// Effects: adds the tasks that may use what the chunks of the call have in common: second runs, and runs that
    /// count no more.
    void add_readers(const std::vector<InFlightChunk>& chunks, const client::Client& client,
                     std::vector<client::Ticket>& readers) const;

private:
    void watch(InFlightChunk& chunk, Clock::time_point now) const;
    [[nodiscard]] Clock::duration limit_of(const InFlightChunk& chunk) const noexcept;

    const double factor_;
    UsualTime usual_;
    Deadline next_ = Deadline::never();
    std::vector<TaskHandle> lost_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/hedges.ipp>
#endif
