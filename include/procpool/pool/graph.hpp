// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// dot_of(): a graph of tasks in Graphviz's language.

#include <procpool/client/task_graph.hpp>
#include <procpool/core/config.hpp>

#include <string>
#include <string_view>

namespace procpool::inline v0::detail::pool {

/// Returns: the graph as text. name: of the pool; may be empty.
[[nodiscard]] std::string dot_of(const client::TaskGraph& graph, std::string_view name);

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/graph.ipp>
#endif
