// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The concept of an engine: what a pool asks of the place where its tasks run.
/// AnyEngine: one of them, chosen when a pool is built.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/engine/fork.hpp>
#include <procpool/engine/inline.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/worker/setup.hpp>

#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace procpool::inline v0 {

/// An engine names a crew that runs what its client hands over, and says what holds between the two:
///   shares_memory      spans and references travel as addresses
///   inherits_state     workers see the program's memory, at least as it was when they were made
///   contains_crashes   a task cannot end the program
///   place_of           what an address in an argument means to a worker
///   most_workers       that make sense
///   prepare()          makes what must exist before the crew
/// Everything above (futures, chunking, encoding, exceptions) knows client::Client only: hand over a task, wait for it
/// up to a time, take what it left, withdraw it before it starts, stop.
template <class E>
concept KnownEngine = std::derived_from<typename E::Crew, detail::client::Crew> &&
    std::constructible_from<typename E::Crew, detail::client::Client&, detail::worker::Setup> && requires {
    { E::shares_memory } -> std::convertible_to<bool>;
    { E::inherits_state } -> std::convertible_to<bool>;
    { E::contains_crashes } -> std::convertible_to<bool>;
    { E::most_workers } -> std::convertible_to<std::size_t>;
    { E::place_of } -> std::convertible_to<PlaceOf>;
    { E::prepare() } -> std::same_as<void>;
};

static_assert(KnownEngine<ForkEngine> && KnownEngine<ThreadEngine> && KnownEngine<InlineEngine>);

namespace detail::engine {

/// What a pool needs of an engine to be built; from then on its client and crew tell.
struct Traits {
    bool shares_memory;
    bool contains_crashes;
    std::size_t most_workers;
    PlaceOf place_of;
    void (*prepare)();
    std::unique_ptr<client::Crew> (*make_crew)(client::Client&, worker::Setup);
};
template <KnownEngine E>
inline constexpr Traits traits_of{E::shares_memory,
                                  E::contains_crashes,
                                  E::most_workers,
                                  E::place_of,
                                  E::prepare,
                                  [](client::Client& client, worker::Setup setup) -> std::unique_ptr<client::Crew> {
                                      return std::make_unique<typename E::Crew>(client, std::move(setup));
                                  }};

}  // namespace detail::engine

/// The environment variable PROCPOOL_ENGINE says which: inline, thread or fork; fork if it is not set or empty.
struct AnyEngine {
    /// Throws: std::invalid_argument when it says anything else.
    [[nodiscard]] static const detail::engine::Traits& choose() {
        const char* const value = std::getenv("PROCPOOL_ENGINE");
        const std::string_view name = value != nullptr ? value : "";
        if (name.empty() || name == "fork") { return detail::engine::traits_of<ForkEngine>; }
        if (name == "thread") { return detail::engine::traits_of<ThreadEngine>; }
        if (name == "inline") { return detail::engine::traits_of<InlineEngine>; }
        throw std::invalid_argument("procpool: the environment variable PROCPOOL_ENGINE is '" + std::string(name) +
                                    "'; it must be inline, thread or fork");
    }
};

template <class E>
concept Engine = KnownEngine<E> || std::same_as<E, AnyEngine>;

namespace detail::engine {

template <Engine E>
[[nodiscard]] const Traits& choose() {
    if constexpr (KnownEngine<E>) {
        return traits_of<E>;
    } else {
        return E::choose();
    }
}

}  // namespace detail::engine

}  // namespace procpool
