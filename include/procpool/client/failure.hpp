// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Failure: what is known of a task that ended without a result, and the exception that reports it.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::task {
class Board;
}

namespace procpool::inline v0::detail::client {

struct Failure {
    Ending ending = Ending::died;
    core::Death death = {};  ///< of its worker, where that died or was killed
    bool of_actor = false;   ///< it was a call of an actor; then `death` is also there where the pool ended
    std::chrono::nanoseconds timeout{0};
    std::string label = {};
    std::string reason = {};              ///< why the pool is broken; of a guest's
    std::string host = {};                ///< the machine that was lost
    std::vector<std::byte> results = {};  ///< of the items that it had finished, once it has left its slot
};

/// Returns: the exception that the task's future throws. item: which one of its call was lost, where it is one. reason:
/// why the pool is broken, where it is.
[[nodiscard]] std::exception_ptr error_of(const Failure& failure, std::optional<std::size_t> item,
                                          std::string_view reason);

/// Whether it says that the process of an actor has ended, or that its pool has, which comes to the same.
[[nodiscard]] constexpr bool is_end_of_actor(Ending ending) noexcept {
    return ending == Ending::died || ending == Ending::terminated || ending == Ending::broken;
}
/// label: the call's; empty: the actor's name.
[[nodiscard]] ActorDied actor_died(const core::Death& death, std::string label);

/// Throws: why the pool of that board takes no more tasks.
[[noreturn]] void throw_ended(const task::Board& board);

/// Returns: a line for each frame, innermost first, without those of the crash reporter itself; empty when there are
/// none.
[[nodiscard]] std::string backtrace_text(const core::Crash& crash);

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/failure.ipp>
#endif
