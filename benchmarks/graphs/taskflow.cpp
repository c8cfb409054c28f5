// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: Taskflow's graphs.

#include "config.hpp"

#include <taskflow/taskflow.hpp>

#include <deque>
#include <memory>
#include <vector>

namespace {

/// Tasks and their values, which stay where they are.
class Graph {
public:
    struct Node {
        tf::Task task;
        int value = 0;
    };
    explicit Graph(tf::Executor& executor) : executor_(executor) {}

    template <class F>
    Node* add(F f, const std::vector<Node*>& after) {
        Node& node = nodes_.emplace_back();
        node.task = graph_.emplace([&node, f] { node.value = f(); });
        for (Node* before : after) { before->task.precede(node.task); }
        return &node;
    }
    int run(const Node* last) {
        executor_.run(graph_).wait();
        return last->value;
    }

private:
    tf::Executor& executor_;
    tf::Taskflow graph_;
    std::deque<Node> nodes_;
};

}  // namespace

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        tf::Executor executor{arguments.workers};
        Turns turns = graphs::make_turns(arguments);
        graphs::add_node_graphs(turns, arguments, [&] { return std::make_unique<Graph>(executor); });
        turns.run_and_report();
    });
}
