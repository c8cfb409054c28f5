// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: oneTBB's flow graph, of nodes that pass no messages.

#include "config.hpp"

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>

#include <deque>
#include <memory>
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
    Node* add(F f, const std::vector<Node*>& after) {
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
    return program(argc, argv, [](const Arguments& arguments) {
        const tbb::global_control limit{tbb::global_control::max_allowed_parallelism, arguments.workers + 1};
        Turns turns = graphs::make_turns(arguments);
        graphs::add_node_graphs(turns, arguments, [] { return std::make_unique<Graph>(); });
        turns.run_and_report();
    });
}
