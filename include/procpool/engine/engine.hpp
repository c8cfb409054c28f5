// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Engine: a place where tasks run; ForkEngine, ThreadEngine, InlineEngine, AnyEngine.

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

/// Properties of an engine that a pool reads when it is built; from then on its client and crew answer for it.
struct Traits {
    bool shares_memory;            ///< spans and references travel as addresses
    bool contains_crashes;         ///< a task cannot end the program
    std::size_t most_workers;      ///< that make sense
    codec::VisibilityOf place_of;  ///< what an address in an argument means to a worker
    void (*prepare)();             ///< makes what must exist before the crew
    /// Makes the crew that runs what the client hands over.
    std::unique_ptr<client::Crew> (*make_crew)(client::Client&, worker::Setup);
};

}  // namespace detail::engine

/// A place where tasks run: processes, threads, or the caller. It names its traits, which only the library reads.
template <class E>
concept Engine = requires {
    { E::traits() } -> std::same_as<const detail::engine::Traits&>;
};

/// Workers are processes: a task that crashes, leaks, hangs or exits costs that task. They see the program's memory as
/// it was when they were forked; spans and references outside shared memory do not travel.
struct ForkEngine {
    /// The traits that a pool reads.
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// Workers are threads: nothing is contained, but the program's memory is everybody's.
struct ThreadEngine {
    /// The traits that a pool reads.
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// Tasks run in the thread that submits them, when it submits them; for debugging.
struct InlineEngine {
    /// The traits that a pool reads.
    [[nodiscard]] static const detail::engine::Traits& traits() noexcept;
};

/// The engine that the environment variable PROCPOOL_ENGINE names: inline, thread or fork; fork if it is unset or
/// empty.
struct AnyEngine {
    /// The traits that a pool reads. Throws: std::invalid_argument when the variable says anything else.
    [[nodiscard]] static const detail::engine::Traits& traits();
};

static_assert(Engine<ForkEngine> && Engine<ThreadEngine> && Engine<InlineEngine> && Engine<AnyEngine>);

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/engine/engine.ipp>
#endif
