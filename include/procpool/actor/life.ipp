// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/life.hpp>

#include <procpool/log/log.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/setup.hpp>

#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail::actor {

PROCPOOL_DECL Life::Life(const ObjectType& type, std::shared_ptr<void> arguments, Block& block,
                         const ActorOptions& options, bool saves)
    : type_(type),
      arguments_(std::move(arguments)),
      block_(block),
      every_(options.snapshot_every),
      interval_(options.snapshot_interval) {
    if (!options.saves()) { return; }
    if (type_.save == nullptr) {
        throw std::invalid_argument(
            "procpool: an actor's object is saved by its Codec, and this type has none: give it a serialize(Archive&) "
            "member, or specialise procpool::Codec<T> for it");
    }
    if (saves) { snapshots_.emplace(options.snapshot_bytes); }
}

PROCPOOL_DECL void Life::begin() {
    task::thread_context.object = this;
    saved_at_ = Clock::now();
    if (block_.constructed.load(std::memory_order_relaxed) != 0) {
        object_ = make();
        return;
    }
    try {
        object_ = make();
        block_.constructed.store(1, std::memory_order_relaxed);  // it says nothing about other memory
    } catch (const os::NeverThrown&) { throw; } catch (...) {
        failed_ = std::current_exception();
        if (!failed_) { throw; }  // pthread_exit(), which unwinds the thread
    }
}

PROCPOOL_DECL void* Life::make() {
    const std::span<const std::byte> saved = snapshots_ ? snapshots_->newest() : std::span<const std::byte>{};
    if (saved.data() == nullptr) { return type_.construct(arguments_.get()); }
    Reader in{saved};
    return type_.restore(in);
}

PROCPOOL_DECL void Life::end() noexcept {
    if (object_ != nullptr) { type_.destroy(std::exchange(object_, nullptr)); }
}

PROCPOOL_DECL Life& Life::of_this_worker() noexcept { return *static_cast<Life*>(task::thread_context.object); }

PROCPOOL_DECL void Life::end_of_call() noexcept {
    ++unsaved_;
    const bool by_count = every_ != 0 && unsaved_ >= every_;
    if (!by_count && (interval_.count() == 0 || Clock::now() - saved_at_ < interval_)) { return; }
    try {
        snapshots_->save([this](Writer& out) { type_.save(out, object_); });
        unsaved_ = 0;
        saved_at_ = Clock::now();
    } catch (...) {
        procpool::log(LogLevel::warning, "the actor's object was not saved: {}", worker::describe_current_exception());
    }
}

}  // namespace procpool::detail::actor
