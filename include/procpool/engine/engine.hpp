// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The concept of an engine: what a pool asks of the place where its tasks run.

#include <procpool/codec/bytes.hpp>
#include <procpool/engine/client.hpp>
#include <procpool/engine/crew.hpp>
#include <procpool/engine/fork.hpp>
#include <procpool/engine/inline.hpp>
#include <procpool/engine/thread.hpp>
#include <procpool/worker/setup.hpp>

#include <concepts>
#include <memory>
#include <type_traits>

namespace procpool {

/// An engine names a crew that runs what its client hands over, and says what holds between the two:
///   shares_memory      spans and references travel as addresses
///   inherits_state     workers see the program's memory, at least as it was when they were made
///   contains_crashes   a task cannot end the program
///   place_of           what an address in an argument means to a worker
///   prepare()          makes what must exist before the crew
/// Everything above (futures, chunking, encoding, exceptions) knows engine::Client only: hand over a task, wait for it up to a time, take
/// what it left, withdraw it before it starts, stop.
template <class E>
concept Engine = std::derived_from<typename E::Crew, engine::Crew> &&
                 std::constructible_from<typename E::Crew, engine::Client&, worker::Setup> && requires {
                     { E::shares_memory } -> std::convertible_to<bool>;
                     { E::inherits_state } -> std::convertible_to<bool>;
                     { E::contains_crashes } -> std::convertible_to<bool>;
                     { E::place_of } -> std::convertible_to<PlaceOf>;
                     { E::prepare() } -> std::same_as<void>;
                 };

static_assert(Engine<ForkEngine> && Engine<ThreadEngine> && Engine<InlineEngine>);

}  // namespace procpool
