// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/actor_base.hpp>

#include <procpool/client/client.hpp>
#include <procpool/client/failure.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/pool/cut_off.hpp>
#include <procpool/worker/setup.hpp>

#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail {

namespace actor {

[[nodiscard]] PROCPOOL_DECL Parts make_parts(const engine::Traits& engine, const ActorOptions& options,
                                             const ObjectType& type, std::shared_ptr<void> arguments) {
    check(options);
    OwnBlock block;
    auto life = std::make_shared<Life>(type, std::move(arguments), *block.get(), options, engine.contains_crashes);
    return {std::move(block), std::move(life)};
}

[[nodiscard]] PROCPOOL_DECL PoolOptions pool_options(const ActorOptions& options, const std::shared_ptr<Life>& life) {
    return {.workers = 1,
            .initializer = [life] { life->begin(); },
            .finalizer = [life] { life->end(); },
            .start_timeout = options.start_timeout,
            .queue_capacity = options.queue_capacity,
            .name = options.name,
            .trace = options.trace};
}

}  // namespace actor

PROCPOOL_DECL ActorBase::ActorBase(const engine::Traits& engine, const ActorOptions& options,
                                   const actor::ObjectType& type, std::shared_ptr<void> arguments,
                                   bool each_life_allowed)
    : ActorBase(engine, options, {options.restarts, options.period, each_life_allowed},
                actor::make_parts(engine, options, type, std::move(arguments))) {
    const auto has_object = [](TaskFrame&) { static_cast<void>(actor::Life::of_this_worker().object()); };
    Future<void>{submit_call({has_object, true, 0}, nullptr, [](Writer&) {})}.get();
    task::ActorRecord& record = client().board().actor;
    if (each_life_allowed && !record.allow_others()) { throw client::actor_died(record.last_death(), options.name); }
}

PROCPOOL_DECL ActorBase::ActorBase(const engine::Traits& engine, const ActorOptions& options,
                                   const worker::ActorLives& lives, actor::Parts&& parts)
    : actor::Parts(std::move(parts)),
      PoolBase(engine, actor::pool_options(options, life), &lives) {
    actor::Block& own = *block.get();
    if (!engine.shares_memory) {
        const client::GuestBoard board = client().guest_board();
        own.board_id.store(board.id, std::memory_order_release);
        own.board.store(board.board, std::memory_order_release);
    }
    own.client.store(&client(), std::memory_order_release);
}

PROCPOOL_DECL ActorBase& ActorBase::operator=(ActorBase&& other) noexcept {
    if (this == &other) { return *this; }
    end();
    PoolBase::operator=(static_cast<PoolBase&&>(other));
    actor::Parts::operator=(static_cast<actor::Parts&&>(other));
    return *this;
}

PROCPOOL_DECL void ActorBase::end() noexcept {
    client::Client* const to = own_client();
    if (to == nullptr || pool::is_cut_off_by_exit(*to)) { return; }
    PoolBase::close();  // also when an exception unwinds: calls that were accepted are finished
    static_cast<void>(to->join(Deadline::never()));
    actor::Block& own = *block.get();
    own.client.store(nullptr, std::memory_order_seq_cst);  // see RefBase::Use
    while (own.users.load(std::memory_order_seq_cst) != 0) { os::yield(); }
}

PROCPOOL_DECL client::Client& ActorBase::own() const {
    client::Client* const to = own_client();
    if (to == nullptr) [[unlikely]] {
        throw std::logic_error(block.get() == nullptr ? "procpool: this Actor has been moved from"
                                                      : "procpool: this Actor belongs to another process: let it have "
                                                        "the actor's ref() instead");
    }
    return *to;
}

PROCPOOL_DECL void ActorBase::stop() {
    static_cast<void>(own());
    PoolBase::close();
    PoolBase::join();
}

PROCPOOL_DECL void ActorBase::kill() {
    static_cast<void>(own());
    PoolBase::kill();
    PoolBase::join();
}

PROCPOOL_DECL bool ActorBase::is_alive() const noexcept {
    client::Client* const to = own_client();
    return to != nullptr && to->is_open();
}

PROCPOOL_DECL std::int32_t ActorBase::pid() const {
    const std::int32_t process = own().board().actor.pid.load(std::memory_order_relaxed);
    return process != 0 ? process : os::this_process();
}

PROCPOOL_DECL PoolStats ActorBase::stats() const {
    PoolStats stats = PoolBase::stats();
    --stats.submitted;  // the maker's look at the object was no call
    --stats.completed;
    return stats;
}

PROCPOOL_DECL actor::RefBase ActorBase::ref_base() const {
    static_cast<void>(own());
    return actor::RefBase{*block.get()};
}

PROCPOOL_DECL bool ActorBase::is_newer(const void* address) const { return own().is_newer_than_workers(address); }

}  // namespace procpool::detail
