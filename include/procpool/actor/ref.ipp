// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/ref.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/pool/each_worker.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/process.hpp>

#include <cstring>
#include <exception>
#include <stdexcept>

namespace procpool::inline v0::detail::actor {

[[noreturn]] PROCPOOL_DECL void throw_gone() { throw PoolClosed("procpool: the actor is gone"); }

/// Returns: the call as a submission, which refers to the options. Throws: std::invalid_argument.
[[nodiscard]] PROCPOOL_DECL client::Submission submission_of(const CallType& call, const TaskOptions* options) {
    client::Submission submission{.code = call.code, .plain = call.plain};
    if (options == nullptr) { return submission; }
    if (options->retries != 0 || options->priority != 0) {
        throw std::invalid_argument(
            "procpool: a call of an actor has neither retries nor a priority: it runs at most once, in its turn");
    }
    pool::set_options(submission, *options);
    return submission;
}

PROCPOOL_DECL TaskHandle submit_call(client::Client& client, const CallType& call, const TaskOptions* options,
                                     client::Encode encode) {
    if (call.function != 0) { client.check_code(call.function); }
    return TaskHandle{client, *client.submit(submission_of(call, options), encode)};
}

/// Stands before the bytes of a call from another process: the actor may be gone, and its board another one's, by
/// the time it is run; and the actor may lack code that the caller has.
struct GuestCallHead {
    std::uint64_t number;
    TaskCode code;
    std::uintptr_t function;
};

inline void run_guest_call(TaskFrame& frame) {
    GuestCallHead head{};
    std::memcpy(&head, frame.arguments.data(), sizeof head);
    if (head.number != Life::of_this_worker().number()) { throw_gone(); }
    if (const os::Modules* const code = worker::parents_code; code != nullptr) {
        const auto has = [&](std::uintptr_t address) { return address == 0 || code->contain(address); };
        if (!has(reinterpret_cast<std::uintptr_t>(head.code)) || !has(head.function)) {
            throw CodecError("procpool: this call's code was loaded after the actor was made");
        }
    }
    TaskFrame inner{frame.arguments.subspan(sizeof head), frame.result, frame.host, frame.timed};
    head.code(inner);
}

/// Keeps the client of an actor of this process: the Actor waits for its users before it is gone.
class RefBase::Use {
public:
    explicit Use(const RefBase& ref) noexcept : block_(*ref.block_) {
        // seq_cst: counted before this look; ~Actor() takes the client away and then looks at the count.
        block_.users.fetch_add(1, std::memory_order_seq_cst);
        if (block_.number.load(std::memory_order_acquire) == ref.number_) {
            client_ = block_.client.load(std::memory_order_seq_cst);
        }
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { block_.users.fetch_sub(1, std::memory_order_release); }

    /// Null when the actor is gone.
    [[nodiscard]] client::Client* client() const noexcept { return client_; }

private:
    Block& block_;
    client::Client* client_ = nullptr;
};

PROCPOOL_DECL TaskHandle RefBase::submit_call(const CallType& call, const TaskOptions* options,
                                              client::Encode encode) const {
    if (block_ == nullptr) { throw std::logic_error("procpool: this ActorRef names no actor"); }
    if (os::is_process(block_->maker)) {
        const Use use{*this};
        if (use.client() == nullptr) { throw_gone(); }
        return actor::submit_call(*use.client(), call, options, encode);
    }
    client::Submission submission = submission_of({run_guest_call, false, 0}, options);
    const GuestCallHead head{number_, call.code, call.function};
    return TaskHandle{*client::submit_as_guest(board(), submission, [&](Writer& out) {
        out.write(&head, sizeof head);
        encode(out);
    })};
}

/// Throws: PoolClosed when the actor is gone; std::logic_error when it has no process of its own.
PROCPOOL_DECL client::GuestBoard RefBase::board() const {
    // acquire: a look that finds the board of another actor finds that the number has changed.
    const client::GuestBoard board{block_->board.load(std::memory_order_acquire),
                                   block_->board_id.load(std::memory_order_acquire)};
    if (block_->number.load(std::memory_order_relaxed) != number_) { throw_gone(); }
    if (board.board == nullptr) {
        throw std::logic_error(
            "procpool: an actor whose engine is not ForkEngine is called by the process that made it");
    }
    return board;
}

PROCPOOL_DECL bool RefBase::is_newer(const void* address) const {
    if (block_ == nullptr || !os::is_process(block_->maker)) { return false; }
    const Use use{*this};
    return use.client() != nullptr && use.client()->is_newer_than_workers(address);
}

PROCPOOL_DECL bool RefBase::is_alive() const noexcept {
    if (block_ == nullptr) { return false; }
    if (os::is_process(block_->maker)) {
        const Use use{*this};
        return use.client() != nullptr && use.client()->is_open();
    }
    try {
        const client::GuestBoard at = board();
        return at.board->control.life.load(std::memory_order_acquire) == task::Life::open && at.is_there();
    } catch (const std::exception&) { return false; }
}

PROCPOOL_DECL void RefBase::encode(Writer& out, const std::type_info& holder) const {
    if (block_ != nullptr && out.visibility_of(block_) != codec::Visibility::shared) {
        throw CodecError("procpool: " + type_name(holder) +
                         " names an actor that the receiver cannot reach: one that was made in a task or a child "
                         "process is called by that process and those that it forks later; make the actor in the "
                         "program itself, before or after the pool, and let tasks have its ref()");
    }
    codec::encode_plain(out, reinterpret_cast<std::uintptr_t>(block_));
    codec::encode_plain(out, number_);
}

PROCPOOL_DECL RefBase RefBase::decode(Reader& in) {
    RefBase ref;
    ref.block_ = codec::decode_address<Block>(in, 1);
    ref.number_ = codec::decode_plain<std::uint64_t>(in);
    return ref;
}

}  // namespace procpool::detail::actor
