// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Engine: a place where tasks run; ForkEngine, ThreadEngine, InlineEngine, AnyEngine.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/mpi_options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
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

/// The room that a pool's board has for workers.
struct Layout {
    std::uint32_t workers;          ///< on this machine
    std::uint32_t companion_seats;  ///< see task::BoardSize
    std::uint32_t indices;          ///< likewise
};
[[nodiscard]] inline Layout lay_out_here(std::uint32_t workers, const MpiOptions&) noexcept { return {workers, 0, 0}; }

/// Properties of an engine that a pool reads when it is built; from then on its client and crew answer for it.
struct Traits {
    bool shares_memory;            ///< spans and references travel as addresses
    bool contains_crashes;         ///< a task cannot end the program
    std::size_t most_workers;      ///< that make sense
    codec::VisibilityOf place_of;  ///< what an address in an argument means to a worker
    void (*prepare)();             ///< makes what must exist before the crew
    /// Returns: what a pool with so many workers on each machine needs.
    Layout (*lay_out)(std::uint32_t workers, const MpiOptions& options) = lay_out_here;
    /// Makes the crew that runs what the client hands over.
    std::unique_ptr<client::Crew> (*make_crew)(client::Client&, worker::Setup) = nullptr;
};

}  // namespace detail::engine

/// A place where tasks run: processes, threads, or the caller. It names its traits, which only the library reads.
template <class E>
concept Engine = requires {
    { E::traits() } -> std::same_as<const detail::engine::Traits&>;
};

namespace detail::engine {

/// Its tasks may run on other machines.
template <class E>
concept FarEngine = requires {
    requires E::is_far;
};

}  // namespace detail::engine

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
