// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/announcer.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/log/tracer.hpp>

#include <fmt/core.h>
#include <cstring>
#include <string>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL void Announcer::started(std::uint32_t index, std::int32_t pid) const noexcept {
    trace_event(board_, TraceKind::started, index, pid);
    report(LogLevel::debug, subject(index, pid), "worker {}, process {}, was started", number_of(index), pid);
}

PROCPOOL_DECL void Announcer::refused(std::uint32_t index, int error) const noexcept {
    report(LogLevel::warning, subject(index, 0), "worker {} cannot be replaced for now: fork: {}", number_of(index),
           std::strerror(error));
}

PROCPOOL_DECL void Announcer::ended(const task::Seat& seat, task::SeatState state, bool alone,
                                    const os::EndedChild& child) const noexcept try {
    const std::uint32_t index = seat.index.load(std::memory_order_relaxed);
    const bool leaving = state == task::SeatState::leaving;
    const task::Life life = board_.control.life.load(std::memory_order_relaxed);
    const bool recycled = leaving && life == task::Life::open;
    if (board_.control.trace_id != 0) {
        trace_event(board_, recycled ? TraceKind::recycled : TraceKind::died, index, child.pid,
                    to_string(child.status));
    }
    const LogSubject about = subject(index, child.pid);
    const std::uint32_t number = number_of(index);
    if (leaving && life <= task::Life::closing && child.status != ExitStatus::from_code(0)) {
        report(LogLevel::warning, about,
               "worker {}, process {}, {} as it left: in its finalizer, an actor's destructor or an exit handler",
               number, child.pid, to_string(child.status));
    } else if (recycled && seat.dismissal.load(std::memory_order_relaxed) == task::Dismissal::surplus) {
        report(LogLevel::info, about, "worker {}, process {}, was not needed and has left after {} items", number,
               child.pid, seat.items_done.load(std::memory_order_relaxed));
    } else if (recycled) {
        report(LogLevel::info, about, "worker {}, process {}, was recycled after {} items", number, child.pid,
               seat.items_done.load(std::memory_order_relaxed));
    } else if (alone && state != task::SeatState::failed && is_logged(LogLevel::warning)) {
        // A failed initializer breaks the pool, which is logged.
        report(LogLevel::warning, about, "worker {}, process {}, {} {}", number, child.pid, to_string(child.status),
               state == task::SeatState::starting ? "before it was ready" : "while it had no task");
    } else if (!alone && leaving) {
        report(LogLevel::debug, about, "worker {}, process {}, has left", number, child.pid);
    }
} catch (...) {  // no memory for the words: the supervisor goes on without this record
}

PROCPOOL_DECL void Announcer::lost(std::uint32_t slot, task::Word word, const Loss& loss) const noexcept try {
    const task::Seat& seat = board_.seats()[word.seat()];
    const bool is_far = board_.is_companions(word.seat());
    const std::uint32_t index = is_far ? loss.index : seat.index.load(std::memory_order_relaxed);
    const std::uint64_t task = board_.number_of(slot).load(std::memory_order_relaxed);
    const Ending ending = loss.ending;
    if (board_.all_slots()[slot].is_traced()) {
        const std::uint64_t progress = seat.progress.load(std::memory_order_relaxed);
        const std::uint64_t items = progress >> 32 == word.generation() ? progress & 0xffffffff : 0;
        const std::uint32_t node = is_far ? word.seat() - board_.workers_seats() : 0;
        trace_run(board_, slot, {task, index, loss.worker.pid, items, -1, ending, static_cast<std::uint16_t>(node)});
        if (ending == Ending::timed_out && !is_far) {  // the other machine tells of it
            trace_event(board_, TraceKind::timed_out, index, loss.worker.pid, board_.label_of(slot));
        }
    }
    const LogLevel level = core::may_retry(ending) ? LogLevel::warning : LogLevel::debug;
    if (first_index_ != nullptr || !is_logged(level)) { return; }
    const LogSubject about{index, loss.worker.pid, task, board_.label_of(slot), board_.control.name.data(), loss.host};
    std::string worker;
    if (!is_far || loss.worker.pid != 0) {
        worker = index == LogRecord::no_worker ? std::string{} : fmt::format("worker {}, ", index);
        worker += fmt::format("process {}{}{},", loss.worker.pid, is_far ? " on " : "", loss.host);
    }
    report(level, about, "{}{}",
           core::sentence(ending, {.worker = worker,
                                   .task = "task " + std::to_string(task),
                                   .status = loss.worker.status,
                                   .timeout = board_.issue_of(slot).time_limit(),
                                   .host = loss.host,
                                   .excess = {loss.excess, board_.control.kill_rss}}),
           loss.runs_again ? "; it is run again" : "");
} catch (...) {  // as above
}

}  // namespace procpool::detail::log
