// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskGraph: the tasks of a pool that have not ended, and which of them depend on which.

#include <cstdint>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::client {

struct TaskGraph {
    enum class State : std::uint8_t { blocked, pending, running, done };
    /// Where a running task is; of one that is not running, nothing.
    enum class Place : std::uint8_t { unknown, worker, machine };

    struct Node {
        std::uint64_t number;
        State state;
        Place place = Place::unknown;
        std::uint32_t where = 0;  ///< index of the worker, or rank of the machine
        std::string label = {};   ///< empty: it has none
    };
    struct Edge {
        std::uint64_t dependency;
        std::uint64_t dependant;
        auto operator<=>(const Edge&) const = default;
    };

    std::vector<Node> nodes = {};  ///< by number
    std::vector<Edge> edges = {};  ///< by the numbers of both, each once
};

}  // namespace procpool::detail::client
