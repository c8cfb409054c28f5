// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/failure.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/symbols.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL std::exception_ptr error_of(const Failure& failure, std::optional<std::size_t> item,
                                          std::string_view reason) {
    const std::string task = core::task_name(failure.label, item);
    if (failure.of_actor && is_end_of_actor(failure.ending)) {
        return std::make_exception_ptr(actor_died(failure.death, failure.label));
    }
    switch (failure.ending) {
        case Ending::died:
            return std::make_exception_ptr(WorkerDied{failure.death.status, failure.death.pid, failure.label,
                                                      backtrace_text(failure.death.crash), item});
        case Ending::memory_exceeded:
            return std::make_exception_ptr(MemoryLimitExceeded{
                failure.death.excess.resident, failure.death.excess.limit, failure.death.pid, failure.label, item});
        case Ending::timed_out: return std::make_exception_ptr(TaskTimedOut{failure.timeout, failure.label, item});
        case Ending::cancelled:
            return std::make_exception_ptr(
                failure.label.empty()
                    ? TaskCancelled{}
                    : TaskCancelled{"procpool: " + core::sentence(Ending::cancelled, {.task = task})});
        case Ending::terminated: return std::make_exception_ptr(PoolTerminated{});
        case Ending::broken:
            return std::make_exception_ptr(
                PoolBroken{"procpool: " + core::sentence(Ending::broken, {.reason = reason})});
        case Ending::node_lost: return std::make_exception_ptr(NodeLost{failure.host, failure.label, item});
        case Ending::value:
        case Ending::exception:
        case Ending::overwritten: break;
    }
    return std::make_exception_ptr(Error{"procpool: " + core::sentence(Ending::overwritten, {.task = task})});
}

PROCPOOL_DECL ActorDied actor_died(const core::Death& death, std::string label) {
    return ActorDied{death.status, death.pid, std::move(label), backtrace_text(death.crash),
                     std::string(task::text_within(death.reason))};
}

PROCPOOL_DECL void throw_ended(const task::Board& board) {
    const task::Life life = board.control.life.load(std::memory_order_seq_cst);
    if (board.actor.is_one) {
        if (life > task::Life::closing) {
            throw actor_died(board.actor.last_death(), std::string(task::text_within(board.control.name)));
        }
        throw PoolClosed("procpool: the actor has been stopped");
    }
    switch (life) {
        case task::Life::open:
        case task::Life::closing: break;
        case task::Life::terminated:
        case task::Life::killed: throw PoolClosed("procpool: the pool has been terminated");
        case task::Life::broken:
            throw PoolBroken("procpool: " + core::sentence(Ending::broken, {.reason = board.from_workers.reason()}));
    }
    throw PoolClosed{};
}

PROCPOOL_DECL std::string backtrace_text(const core::Crash& crash) {
    std::string text;
    int number = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(crash.count, crash.frames.size()); ++i) {
        const std::string frame = os::describe_address(crash.frames[i]);
        const auto names = [&](const char* function) { return frame.find(function) != std::string::npos; };
        if (names("::os::capture_backtrace(") || names("::os::on_crash(") || names("::worker::record_crashes(")) {
            continue;
        }
        text += "#" + std::to_string(number++) + " " + frame + "\n";
    }
    return text;
}

}  // namespace procpool::detail::client
