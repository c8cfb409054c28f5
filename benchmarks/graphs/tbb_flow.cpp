// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: oneTBB's flow graph of nodes that pass no messages: a value is where its node leaves it, in this program.
/// Nodes are made within the time, as others submit tasks.

#include "config.hpp"

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>

#include <deque>
#include <utility>
#include <vector>

namespace {

using Signal = tbb::flow::continue_msg;

/// Nodes and their values, which stay where they are.
class Graph {
public:
    struct Node {
        template <class F>
        Node(tbb::flow::graph& graph, F f) : node(graph, [this, f](Signal) { value = f(); }) {}
        tbb::flow::continue_node<Signal> node;
        int value = 0;
    };

    template <class F>
    Node* add(F f, const std::vector<Node*>& after = {}) {
        nodes_.emplace_back(graph_, f);
        for (Node* before : after) { tbb::flow::make_edge(before->node, nodes_.back().node); }
        if (after.empty()) { first_.push_back(&nodes_.back()); }
        return &nodes_.back();
    }
    int run(const Node* last) {
        for (Node* node : first_) { node->node.try_put({}); }
        graph_.wait_for_all();
        return last->value;
    }

private:
    tbb::flow::graph graph_;
    std::deque<Node> nodes_;
    std::vector<Node*> first_;
};

}  // namespace

int main(int argc, char** argv) {
    using namespace benchmarks;
    using namespace benchmarks::graphs;
    return program(argc, argv, [](const Arguments& arguments) {
        const tbb::global_control limit{tbb::global_control::max_allowed_parallelism, arguments.workers + 1};
        const auto start = [](Graph& graph) { return graph.add([] { return increment(0); }); };
        const auto behind = [](Graph& graph, Graph::Node* one) {
            return graph.add([one] { return increment(one->value); }, {one});
        };
        Turns turns = make_turns(arguments);
        add_graphs(
            turns, arguments, 1,
            [&](int steps) {
                Graph graph;
                Graph::Node* last = start(graph);
                for (int i = 1; i < steps; ++i) { last = behind(graph, last); }
                return graph.run(last);
            },
            [&] {
                Graph graph;
                std::vector<Graph::Node*> first;
                for (std::size_t i = 0; i < leaves; ++i) { first.push_back(start(graph)); }
                return graph.run(join_all(std::move(first), [&](Graph::Node* left, Graph::Node* right) {
                    return graph.add([=] { return benchmarks::graphs::add(left->value, right->value); }, {left, right});
                }));
            },
            [&](int wide) {
                Graph graph;
                Graph::Node* const one = start(graph);
                std::vector<Graph::Node*> all;
                for (int i = 0; i < wide; ++i) { all.push_back(behind(graph, one)); }
                return graph.run(graph.add(
                    [&all] {
                        std::vector<int> results;
                        for (const Graph::Node* node : all) { results.push_back(node->value); }
                        return sum(results);
                    },
                    all));
            });
        turns.run_and_report();
    });
}
