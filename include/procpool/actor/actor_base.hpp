// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ActorBase: the part of an actor that does not depend on its object's type: its life.

#include <procpool/actor/block.hpp>
#include <procpool/actor/call.hpp>
#include <procpool/actor/life.hpp>
#include <procpool/actor/options.hpp>
#include <procpool/actor/ref.hpp>
#include <procpool/core/config.hpp>
#include <procpool/pool/pool_base.hpp>

#include <cstdint>
#include <memory>

namespace procpool::inline v0::detail {

namespace engine {
struct Traits;
}
namespace worker {
struct ActorLives;
}

namespace actor {

/// The parts that must be there before the actor's pool, and go after it.
struct Parts {
    OwnBlock block;
    std::shared_ptr<Life> life;
};

class ActorChild;

}  // namespace actor

/// The members of an actor that are the same for all objects and engines. Called by: see Actor.
class ActorBase : private actor::Parts, protected PoolBase {
public:
    ActorBase(const ActorBase&) = delete;

    /// Refuses new calls from now on, finishes those that were accepted, destroys the object, and blocks until the
    /// actor's process has ended. Calling it again does nothing.
    void stop();
    /// Ends the actor's process by SIGKILL, and blocks until it has ended: what ran or waited ends in ActorDied. In a
    /// thread, what runs is asked to stop instead.
    void kill();
    /// Whether calls are accepted: neither stopped nor dead. A process that has just died may not have been noticed.
    [[nodiscard]] bool is_alive() const noexcept;
    /// The number of the actor's process; while it is replaced and after its end, that of the last one. Of an actor in
    /// a thread, this process.
    [[nodiscard]] std::int32_t pid() const;

    /// Returns: statistics, of calls as of a pool's tasks.
    [[nodiscard]] PoolStats stats() const;
    using PoolBase::timings, PoolBase::write_trace;

protected:
    /// Effects: returns when the object has been constructed. each_life_allowed: see worker::ActorLives. Throws: what
    /// its constructor throws; ActorDied; as a pool's constructor.
    ActorBase(const engine::Traits& engine, const ActorOptions& options, const actor::ObjectType& type,
              std::shared_ptr<void> arguments, bool each_life_allowed = false);
    ActorBase(ActorBase&& other) noexcept = default;
    ActorBase& operator=(ActorBase&& other) noexcept;
    ~ActorBase() { end(); }

    [[nodiscard]] actor::RefBase ref_base() const;
    [[nodiscard]] TaskHandle submit_call(const actor::CallType& call, const TaskOptions* options,
                                         client::Encode encode) const {
        return actor::submit_call(own(), call, options, encode);
    }
    [[nodiscard]] bool is_newer(const void* address) const;

private:
    friend class actor::ActorChild;

    ActorBase(const engine::Traits& engine, const ActorOptions& options, const worker::ActorLives& lives,
              actor::Parts&& parts);
    /// Throws: std::logic_error in a child, and when this actor has been moved from.
    [[nodiscard]] client::Client& own() const;
    void end() noexcept;
};

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/actor/actor_base.ipp>
#endif
