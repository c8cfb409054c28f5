// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// FarRuns: what other machines tell of runs and workers, as it comes into this machine's trace and latencies.

#include <procpool/core/config.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/mpi/clock_offset.hpp>
#include <procpool/mpi/message.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace procpool::inline v0::detail::mpi {

/// Called by: companion.
class FarRuns {
public:
    explicit FarRuns(task::Board& board) noexcept : board_(board) {}

    /// The machine of a message.
    struct Machine {
        int rank;
        std::uint32_t first_index;
        const ClockOffset& clock;
    };

    /// A task goes to another machine. Unless that tells when it ran, it has run from now on until it is lost.
    void begin(std::uint32_t slot) const noexcept { set_started(slot, log::trace_time()); }
    /// It has come back without having run.
    void forget(std::uint32_t slot) const noexcept { set_started(slot, 0); }

    /// Effects: adds the run that an answer tells of, if it does: there is no other of its task. Requires: the machine
    /// still has the task.
    void add_run(const Received& message, const Machine& from) const noexcept {
        const std::uint32_t index = message.head.slot;
        const task::Slot& slot = board_.all_slots()[index];
        forget(index);
        if (!slot.is_observed()) { return; }
        std::optional<log::TraceRecord> run = record_of(std::as_bytes(std::span{message.text()}), from);
        if (!run) { return; }
        if (slot.is_measured() && message.head.phase == task::Phase::done) { measure(slot, *run); }
        if (!slot.is_traced()) { return; }
        run->task = board_.number_of(index).load(std::memory_order_relaxed);
        run->queued = board_.label(index).queued;
        log::SharedRecords::current()->trace.add(*run);
    }

    /// Effects: adds what has happened to a worker.
    void add_event(const Received& message, const Machine& from) const noexcept {
        if (board_.control.trace_id == 0) { return; }
        const std::optional<log::TraceRecord> event = record_of(message.bytes(), from);
        if (!event || !event->has_time() || event->kind == log::TraceKind::task) { return; }
        log::SharedRecords::current()->trace.add(*event);
    }

private:
    void set_started(std::uint32_t slot, std::int64_t time) const noexcept {
        if (!board_.all_slots()[slot].is_traced()) { return; }
        board_.label(slot).started.store(time, std::memory_order_relaxed);
    }

    /// Returns: the record, as if it had been written here.
    [[nodiscard]] std::optional<log::TraceRecord> record_of(std::span<const std::byte> bytes,
                                                            const Machine& from) const noexcept {
        log::TraceRecord record{};
        if (bytes.size() != sizeof record) { return std::nullopt; }
        std::memcpy(&record, bytes.data(), sizeof record);
        record.begin = from.clock.here(std::chrono::nanoseconds{record.begin}).count();
        record.end = from.clock.here(std::chrono::nanoseconds{record.end}).count();
        record.pool = board_.control.trace_id;
        record.worker += from.first_index;
        record.node = static_cast<std::uint16_t>(from.rank);
        return record;
    }

    /// A task has waited from its submission here to its start there, the way of its bytes included.
    void measure(const task::Slot& slot, const log::TraceRecord& run) const noexcept {
        const std::uint64_t ticks = os::ticks();
        const std::int64_t now = log::trace_time();
        const double per_tick = rate_.nanoseconds_per_tick();
        const auto ticks_at = [&](std::int64_t time) {
            return ticks -
                   static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<double>(now - time) / per_tick));
        };
        const std::uint64_t items = std::max<std::uint64_t>(run.items, 1);
        board_.latencies(board_.workers_seats() + run.node)
            .add(slot.submitted, ticks_at(run.begin), ticks_at(run.end), items, slot.stands_for);
    }

    task::Board& board_;
    os::TickRate rate_;
};

}  // namespace procpool::detail::mpi
