// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Engine: the properties of the place where a pool's tasks run; and the engines, by name.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <memory>

namespace procpool::inline v0 {

namespace detail::client {
class Client;
class Crew;
}
namespace detail::worker {
struct Setup;
}

namespace detail::engine {

/// The properties of an engine that a pool is built with; later the pool asks its client and crew.
struct Traits {
    bool shares_memory;            ///< spans and references travel as addresses
    bool contains_crashes;         ///< a task cannot end the program
    std::size_t most_workers;      ///< that make sense
    codec::VisibilityOf place_of;  ///< the meaning of an address in an argument for a worker
    void (*prepare)();             ///< makes the objects that must exist before the crew
    /// Makes the crew that runs the client's tasks.
    std::unique_ptr<client::Crew> (*make_crew)(client::Client&, worker::Setup);
};

}  // namespace detail::engine

/// An engine names its traits. Everything above it (futures, chunking, encoding, exceptions) knows client::Client only:
/// submit a task, wait for it until a deadline, take its result, withdraw it before it starts, stop.
template <class E>
concept Engine = requires {
    { E::traits() } -> std::same_as<const detail::engine::Traits&>;
};

/// Workers are processes: a task that crashes, leaks, hangs or exits costs that task. They see the program's memory as
/// it was when they were forked; spans and references outside shared memory do not travel.
struct ForkEngine {
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// Workers are threads: no failure is contained, but tasks share the program's memory.
struct ThreadEngine {
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// Tasks run in the thread that submits them, when it submits them; for debugging.
struct InlineEngine {
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// Chosen by the environment variable PROCPOOL_ENGINE: inline, thread or fork; fork if it is not set or empty.
struct AnyEngine {
    /// Throws: std::invalid_argument when it says anything else.
    [[nodiscard]] static const detail::engine::Traits& traits();
};

static_assert(Engine<ForkEngine> && Engine<ThreadEngine> && Engine<InlineEngine> && Engine<AnyEngine>);

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/engine/engine.ipp>
#endif
