// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/engine/engine.hpp>
#include <procpool/engine/fork.hpp>
#include <procpool/engine/inline.hpp>
#include <procpool/engine/thread.hpp>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace procpool::inline v0 {

namespace detail::engine {

template <class Crew>
std::unique_ptr<client::Crew> make_crew(client::Client& client, worker::Setup setup) {
    return std::make_unique<Crew>(client, std::move(setup));
}

inline constexpr Traits fork_traits{.shares_memory = false,
                                    .contains_crashes = true,
                                    .most_workers = SIZE_MAX,
                                    .place_of = place_for_workers,
                                    .prepare = prepare_to_fork,
                                    .make_crew = make_crew<ForkCrew>};
inline constexpr Traits thread_traits{.shares_memory = true,
                                      .contains_crashes = false,
                                      .most_workers = SIZE_MAX,
                                      .place_of = codec::visibility_in_this_process,
                                      .prepare = [] {},
                                      .make_crew = make_crew<ThreadCrew>};
inline constexpr Traits inline_traits{.shares_memory = true,
                                      .contains_crashes = false,
                                      .most_workers = 1,
                                      .place_of = codec::visibility_in_this_process,
                                      .prepare = [] {},
                                      .make_crew = make_crew<InlineCrew>};

}  // namespace detail::engine

PROCPOOL_DECL const detail::engine::Traits& ForkEngine::traits() noexcept { return detail::engine::fork_traits; }
PROCPOOL_DECL const detail::engine::Traits& ThreadEngine::traits() noexcept { return detail::engine::thread_traits; }
PROCPOOL_DECL const detail::engine::Traits& InlineEngine::traits() noexcept { return detail::engine::inline_traits; }

PROCPOOL_DECL const detail::engine::Traits& AnyEngine::traits() {
    const char* const value = std::getenv("PROCPOOL_ENGINE");
    const std::string_view name = value != nullptr ? value : "";
    if (name.empty() || name == "fork") { return ForkEngine::traits(); }
    if (name == "thread") { return ThreadEngine::traits(); }
    if (name == "inline") { return InlineEngine::traits(); }
    throw std::invalid_argument("procpool: the environment variable PROCPOOL_ENGINE is '" + std::string(name) +
                                "'; it must be inline, thread or fork");
}

}  // namespace procpool
