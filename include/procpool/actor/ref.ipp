// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/ref.hpp>

#include <procpool/client/client.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/pool/each_worker.hpp>

#include <stdexcept>

namespace procpool::inline v0::detail::actor {

PROCPOOL_DECL TaskHandle submit_call(client::Client& client, const CallType& call, const TaskOptions* options,
                                     client::Encode encode) {
    if (call.function != 0) { client.check_code(call.function); }
    client::Submission submission{.code = call.code, .plain = call.plain};
    if (options != nullptr) {
        if (options->retries != 0 || options->priority != 0) {
            throw std::invalid_argument(
                "procpool: a call of an actor has neither retries nor a priority: it runs at most once, in its turn");
        }
        pool::set_options(submission, *options);
    }
    return TaskHandle{client, *client.submit(submission, encode)};
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
        if (use.client() != nullptr) { return actor::submit_call(*use.client(), call, options, encode); }
    }
    throw PoolClosed("procpool: the actor is gone");
}

PROCPOOL_DECL bool RefBase::is_newer(const void* address) const {
    if (block_ == nullptr || !os::is_process(block_->maker)) { return false; }
    const Use use{*this};
    return use.client() != nullptr && use.client()->is_newer_than_workers(address);
}

PROCPOOL_DECL bool RefBase::is_alive() const noexcept {
    if (block_ == nullptr || !os::is_process(block_->maker)) { return false; }
    const Use use{*this};
    return use.client() != nullptr && use.client()->is_open();
}

PROCPOOL_DECL void RefBase::encode(Writer& out, const std::type_info& holder) const {
    codec::encode_address(out, block_, holder);
    codec::encode_plain(out, number_);
}

PROCPOOL_DECL RefBase RefBase::decode(Reader& in) {
    RefBase ref;
    ref.block_ = codec::decode_address<Block>(in, 1);
    ref.number_ = codec::decode_plain<std::uint64_t>(in);
    return ref;
}

}  // namespace procpool::detail::actor
