// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/submit.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/pool/each_worker.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/thread_context.hpp>

#include <optional>
#include <stdexcept>

namespace procpool::inline v0::detail::pool {

/// Returns: the client of the pool whose task the caller is, where that runs in the pool's process; null elsewhere.
[[nodiscard]] inline client::Client* client_here() noexcept {
    client::Client* const here = client::client_of_thread;
    return here != nullptr && here->is_mine() && task::thread_context.task != nullptr ? here : nullptr;
}

PROCPOOL_DECL TaskHandle submit_here(const CallHere& call, const TaskOptions* options, client::Encode encode) {
    client::Submission submission{.code = call.code, .plain = call.plain};
    if (options != nullptr) { set_options(submission, *options); }
    if (client::Client* const here = client_here()) {
        if (call.function != 0) { here->check_code(call.function); }
        submission.accepted_before_close = submission.by_own_task = true;
        return TaskHandle{*here, *here->submit(submission, encode)};
    }
    const client::GuestBoard board = client::board_of_this_task();
    if (board.board == nullptr) {
        throw std::logic_error("procpool: this_worker::submit() is for tasks, on the thread that runs them");
    }
    if (board.board->actor.is_one) {
        throw std::logic_error("procpool: this_worker::submit() in a call of an actor, whose calls do not overlap");
    }
    if (call.function != 0) { client::check_code_of_parent(call.function); }
    return TaskHandle{*client::submit_as_guest(board, submission, encode)};
}

PROCPOOL_DECL void require_state_here(const std::type_info& wanted) {
    if (task::thread_context.task == nullptr) { return; }  // no task: refused as that
    const worker::State* const state = task::thread_context.state;
    worker::require_state(state != nullptr ? state->type() : worker::StateType{}, wanted);
}

PROCPOOL_DECL bool is_newer_than_workers_here(const void* address) {
    const client::Client* const here = client_here();
    return here == nullptr || here->is_newer_than_workers(address);
}

}  // namespace procpool::detail::pool
