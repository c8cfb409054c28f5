// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/client_graph.hpp>

#include <algorithm>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace procpool::inline v0::detail::client {

/// Tasks are published and edges freed under mutex_, but workers change words all the time. A task depends on older
/// ones only, and starts after they have ended. So the words are read from the newest task to the oldest: one that has
/// started is read before what it has waited for, which is seen to have ended.
PROCPOOL_DECL TaskGraph Client::graph() {
    struct Seen {
        Ticket ticket;
        task::Word word;
        bool is_shown = false;
    };
    const auto number_of = [](const Seen& seen) { return seen.ticket.serial; };
    const std::lock_guard guard{mutex_};
    std::vector<Seen> all;  // from the newest to the oldest
    for (std::uint32_t index = 0; index < board_.used_slots().size(); ++index) {
        const std::uint64_t serial = notes_[index].serial.load(std::memory_order_acquire);
        if (serial != no_serial) { all.push_back({{serial, index}, {}}); }
    }
    std::ranges::sort(all, std::greater{}, number_of);
    for (Seen& one : all) {
        one.word = word_of(one.ticket);
        one.is_shown = one.word.is_undecided();
    }
    const auto find = [&](std::uint64_t serial) -> Seen* {
        const auto found = std::ranges::lower_bound(all, serial, std::greater{}, number_of);
        return found != all.end() && found->ticket.serial == serial ? &*found : nullptr;
    };

    TaskGraph graph;
    for (const LinkedTask& linked : linked_) {
        const std::uint64_t dependant = linked.ticket.serial;
        if (const Seen* const seen = find(dependant); seen == nullptr || !seen->word.is_undecided()) { continue; }
        for (std::uint32_t name = linked.first_edge; name != 0; name = task::Edge::get(edge(name).sibling)) {
            // Of a task before the dependant, and pinned, so it is in its slot.
            Seen* const dependency =
                find(notes_[task::Edge::get(edge(name).dependency)].serial.load(std::memory_order_relaxed));
            if (dependency == nullptr) { continue; }
            dependency->is_shown = true;
            graph.edges.push_back({dependency->ticket.serial, dependant});
        }
    }
    std::ranges::sort(graph.edges);
    graph.edges.erase(std::unique(graph.edges.begin(), graph.edges.end()), graph.edges.end());
    for (auto seen = all.rbegin(); seen != all.rend(); ++seen) {
        if (seen->is_shown) { graph.nodes.push_back(node_of(seen->ticket, seen->word)); }
    }
    return graph;
}

/// Requires: mutex_ is held.
PROCPOOL_DECL TaskGraph::Node Client::node_of(Ticket ticket, task::Word word) const {
    using State = TaskGraph::State;
    TaskGraph::Node node{.number = ticket.serial, .state = State::done};
    if (word.is_undecided()) {
        node.state = word.phase() == task::Phase::blocked   ? State::blocked
                     : word.phase() == task::Phase::pending ? State::pending
                                                            : State::running;
    }
    if (node.state == State::running) {
        const task::Seat* const seat = board_.seat_of(word.seat());
        if (seat != nullptr && board_.is_companions(word.seat())) {
            node.place = TaskGraph::Place::machine;
            node.where = word.seat() - board_.workers_seats();
        } else if (seat != nullptr) {
            node.place = TaskGraph::Place::worker;
            node.where = seat->index.load(std::memory_order_relaxed);
        }
    }
    if (board_.issue(ticket.slot).has(task::Slot::labelled)) {
        const std::lock_guard labels{label_mutex_};
        node.label = labels_[ticket.slot];
    }
    return node;
}

}  // namespace procpool::detail::client
