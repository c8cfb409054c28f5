// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/printable.hpp>
#include <procpool/pool/graph.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <cstddef>

namespace procpool::inline v0::detail::pool {

/// Effects: appends the text as a part of a string of Graphviz, to be drawn as it is. Its lines stay lines; other
/// control characters, and bytes that are no UTF-8, are shown as append_printable() writes them.
PROCPOOL_DECL void append_dot_text(std::string& to, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = core::utf8_length(text);
        const std::string_view first = text.substr(0, std::max<std::size_t>(length, 1));
        if (first == "\n") {
            to += "\\n";
        } else if (first == "\"" || first == "\\") {
            to += '\\';
            to += first;
        } else if (first == "&") {  // begins the name of a character there
            to += "&amp;";
        } else if (length == 0 || core::is_control(first)) {
            to += '\\';
            core::append_printable(to, first);
        } else {
            to += first;
        }
        text.remove_prefix(first.size());
    }
}

[[nodiscard]] PROCPOOL_DECL std::string state_of(const client::TaskGraph::Node& node) {
    using State = client::TaskGraph::State;
    using Place = client::TaskGraph::Place;
    switch (node.state) {
        case State::blocked: return "blocked";
        case State::pending: return "pending";
        case State::done: return "done";
        case State::running: break;
    }
    return node.place == Place::unknown
               ? std::string{"running"}
               : fmt::format("running on {} {}", node.place == Place::worker ? "worker" : "machine", node.where);
}

[[nodiscard]] PROCPOOL_DECL std::string_view style_of(client::TaskGraph::State state) noexcept {
    using State = client::TaskGraph::State;
    switch (state) {
        case State::blocked: return R"(class=blocked, style="rounded,filled,dashed", fillcolor="#f6f8fa")";
        case State::pending: return R"(class=pending, fillcolor="#fff3c4")";
        case State::running: return R"(class=running, fillcolor="#b6d7ff", penwidth=2)";
        case State::done: break;
    }
    return R"(class=done, fillcolor="#c8ecc8")";
}

PROCPOOL_DECL std::string dot_of(const client::TaskGraph& graph, std::string_view name) {
    std::string text = "digraph \"";
    append_dot_text(text, name);
    // Seen on white and on black.
    text +=
        "\" {\n"
        "  graph [rankdir=LR, bgcolor=transparent];\n"
        "  node [shape=box, style=\"rounded,filled\", color=\"#768390\", fontname=\"sans-serif\", fontsize=11];\n"
        "  edge [color=\"#768390\"];\n";
    for (const client::TaskGraph::Node& node : graph.nodes) {
        text += fmt::format("  t{} [label=\"", node.number);
        append_dot_text(text, node.label.empty() ? fmt::format("task {}", node.number) : node.label);
        text += fmt::format("\\n{}\", {}];\n", state_of(node), style_of(node.state));
    }
    for (const client::TaskGraph::Edge& edge : graph.edges) {
        text += fmt::format("  t{} -> t{};\n", edge.dependency, edge.dependant);
    }
    return text + "}\n";
}

}  // namespace procpool::detail::pool
