// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// graphs: tasks that wait for tasks and do next to nothing. A figure is the time from the first submission to the last
/// result, for each task, and the least of some rounds.

#include "../common.hpp"
#include "../turns.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace benchmarks::graphs {

constexpr const char* chain = "a chain of 100,000 tasks";
constexpr const char* tree = "a tree of 1,024 leaves";
constexpr const char* fan = "4,000 tasks behind one, one behind those";
constexpr std::size_t leaves = 1024;

constexpr auto increment = [](int x) { return x + 1; };
constexpr auto add = [](int x, int y) { return x + y; };
constexpr auto sum = [](const std::vector<int>& all) { return std::accumulate(all.begin(), all.end(), 0); };

/// Calls join(left, right) for each pair of neighbours, and again for what that returns, until one is left. Returns:
/// that.
template <class Node, class Join>
Node join_all(std::vector<Node> level, Join join) {
    while (level.size() > 1) {
        std::vector<Node> next;
        next.reserve(level.size() / 2);
        for (std::size_t i = 0; i < level.size(); i += 2) {
            next.push_back(join(std::move(level[i]), std::move(level[i + 1])));
        }
        level = std::move(next);
    }
    return std::move(level.front());
}

/// Adds a graph to what takes turns. run: returns its result.
template <class Run>
void add_graph(Turns& turns, const char* name, std::size_t tasks, std::size_t expected, Run run) {
    turns.add(name, tasks, [=] {
        int result = 0;
        const double took = seconds([&] { result = run(); });
        require(result == static_cast<int>(expected), name);
        return took;
    });
}

inline Turns make_turns(const Arguments& arguments) { return Turns{arguments.pick<std::size_t>(2, 4, 8)}; }

/// Adds the three graphs. part: the competitor does that part of the chain only. run_chain(n), run_tree(), run_fan(n):
/// return the result.
template <class Chain, class Tree, class Fan>
void add_graphs(Turns& turns, const Arguments& arguments, std::size_t part, Chain run_chain, Tree run_tree,
                Fan run_fan) {
    const std::size_t steps = std::max<std::size_t>(100, arguments.pick<std::size_t>(2000, 50'000, 100'000) / part);
    add_graph(turns, chain, steps, steps, [=] { return run_chain(static_cast<int>(steps)); });
    add_graph(turns, tree, 2 * leaves - 1, leaves, run_tree);
    const std::size_t wide = arguments.pick<std::size_t>(100, 4000, 4000);
    add_graph(turns, fan, wide + 2, 2 * wide, [=] { return run_fan(static_cast<int>(wide)); });
}

/// Adds the three graphs for libraries whose nodes pass no values: one is where its node leaves it, in this program.
/// Nodes are made within the time, as others submit tasks. make(): a graph with add(f, nodes), which returns a Node*,
/// and run(node), which returns that one's value.
template <class Make>
void add_node_graphs(Turns& turns, const Arguments& arguments, Make make) {
    constexpr auto start = [](auto& graph) { return graph.add([] { return increment(0); }, {}); };
    constexpr auto behind = [](auto& graph, auto* one) {
        return graph.add([one] { return increment(one->value); }, {one});
    };
    add_graphs(
        turns, arguments, 1,
        [=](int steps) {
            auto graph = make();
            auto* last = start(*graph);
            for (int i = 1; i < steps; ++i) { last = behind(*graph, last); }
            return graph->run(last);
        },
        [=] {
            auto graph = make();
            std::vector<decltype(start(*graph))> first;
            for (std::size_t i = 0; i < leaves; ++i) { first.push_back(start(*graph)); }
            return graph->run(join_all(std::move(first), [&](auto* left, auto* right) {
                return graph->add([=] { return add(left->value, right->value); }, {left, right});
            }));
        },
        [=](int wide) {
            auto graph = make();
            auto* const one = start(*graph);
            std::vector<decltype(start(*graph))> all;
            for (int i = 0; i < wide; ++i) { all.push_back(behind(*graph, one)); }
            return graph->run(graph->add(
                [&all] {
                    std::vector<int> results;
                    for (const auto* node : all) { results.push_back(node->value); }
                    return sum(results);
                },
                all));
        });
}

}  // namespace benchmarks::graphs
