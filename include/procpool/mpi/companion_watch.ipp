// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/mpi/companion_watch.hpp>

#include <procpool/log/report.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/control.hpp>
#include <procpool/worker/break_pool.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace procpool::inline v0::detail::mpi {

inline void Companion::look_around(Time now) {
    // Time in which this process did not run says nothing about the others.
    constexpr std::chrono::milliseconds long_gap{100};
    if (const auto gap = now - looked_; gap > long_gap) {
        for (Node& node : nodes_) { node.heard = std::min(node.heard + gap, now); }
        begun_ += gap;
    }
    looked_ = now;
    const bool beats = now - beaten_ >= std::min<nanoseconds>(beat_every, options_.node_timeout / 4);
    if (beats) {
        beaten_ = now;
        has_mail_ = true;  // a look now and then: its sender may have been stopped before it said so
    }
    bool all_known = true;
    for (int rank = 1; rank < ranks_; ++rank) {
        Node& node = nodes_[static_cast<std::size_t>(rank)];
        if (node.state == NodeState::expected) { all_known = false; }
        if (node.state == NodeState::expected || node.state == NodeState::lost) { continue; }
        if (beats) { send_beat(rank); }
        if (now - node.heard <= options_.node_timeout) { continue; }
        if (node.state == NodeState::serves) {
            lose(rank, "has fallen silent");
        } else {
            node.state = NodeState::lost;
            has_lost_ = true;
            wire_->forget(rank);
        }
    }
    if (!has_started_ && !told_ && (all_known || now - begun_ > options_.node_timeout)) { end_start(); }
    if (flying_ != 0) {
        tell_wishes(beats);
        if (!told_) { recall(); }
    }
    const task::Life life = this->life();
    if (life > task::Life::closing && told_.value_or(task::Life::closing) < life) { tell_end(life); }
}

/// Effects: machines learn which of their tasks are to be stopped or killed. all: also where no notice was given, which
/// goes to another seat when the task changes its place at that moment.
inline void Companion::tell_wishes(bool all) {
    for (int rank = 1; rank < ranks_; ++rank) {
        if (!serves(rank)) { continue; }
        const bool is_noticed = board().seats()[seat_of(rank)].stopper.take();
        if (!is_noticed && !all) { continue; }
        for (const std::uint32_t index : nodes_[static_cast<std::size_t>(rank)].held) {
            Flight& flight = flights_[index];
            const std::uint64_t word = board().all_slots()[index].word.load(std::memory_order_relaxed);
            const Message head{.slot = index, .generation = flight.generation};
            const auto tell = [&](bool& is_told, Kind kind) {
                Message message = head;
                message.kind = kind;
                if (!std::exchange(is_told, true)) { wire_->send(rank, message); }
            };
            if (task::Word{word}.is_condemned()) {
                tell(flight.is_killed, Kind::kill);
            } else if (is_asked_to_stop(index)) {
                tell(flight.is_cancelled, Kind::cancel);
            }
        }
    }
}

/// Effects: when other workers have nothing to do, asks machines for tasks that wait there: nobody waits behind a long
/// task.
inline void Companion::recall() {
    if (!board().queue.was_empty()) { return; }
    std::size_t idle = board().sleeping.was_size();
    for (const Node& node : nodes_) {
        if (node.state == NodeState::serves && node.held.size() < node.workers) {
            idle += node.workers - node.held.size();
        }
    }
    for (int rank = 1; rank < ranks_ && idle != 0; ++rank) {
        Node& node = nodes_[static_cast<std::size_t>(rank)];
        if (node.state != NodeState::serves) { continue; }
        for (std::size_t i = node.held.size(); i-- > 0 && idle != 0;) {
            if (node.held.size() <= std::size_t{node.workers} + node.recalled) { break; }
            const std::uint32_t index = node.held[i];
            Flight& flight = flights_[index];
            if (flight.is_mailed || std::exchange(flight.is_recalled, true)) { continue; }
            ++node.recalled;
            --idle;
            wire_->send(rank, {.kind = Kind::recall, .slot = index, .generation = flight.generation});
        }
    }
}

inline void Companion::lose(int rank, std::string_view why) {
    Node& node = nodes_[static_cast<std::size_t>(rank)];
    node.state = NodeState::lost;
    if (!has_started_) { node.workers = 0; }  // they have got no indexes
    has_lost_ = true;
    record(rank).state.store(NodeState::lost, std::memory_order_release);
    wire_->forget(rank);
    for (auto incoming = incoming_.begin(); incoming != incoming_.end();) {
        if (incoming->message.from != rank) {
            ++incoming;
            continue;
        }
        wire_->abandon(std::move(incoming->bytes));
        incoming = incoming_.erase(incoming);
    }
    const std::size_t had = node.held.size();
    log::report(LogLevel::error, subject(), "machine {} (rank {}) {}: it is lost, with {} tasks",
                record(rank).host.data(), rank, why, had);
    while (!node.held.empty()) {
        const std::uint32_t slot = node.held.back();
        land(slot);
        settle(slot, rank, Ending::node_lost);
    }
    break_if_none_is_left();
}

/// Effects: breaks a pool that has no workers, and will have none.
inline void Companion::break_if_none_is_left() noexcept {
    const bool any = std::any_of(nodes_.begin() + 1, nodes_.end(), [](const Node& node) {
        return node.state == NodeState::serves || node.state == NodeState::expected;
    });
    if (any || board().control.places != 0) { return; }
    worker::break_pool(board(), "no machine is left", subject());
    os::signal_child(board().control.supervisor_pid.load(std::memory_order_relaxed),
                     SIGCHLD);  // its bell is the program's
}

/// Sleeps on its parker only when nothing flies; messages wait for a beat then.
inline void Companion::pause() {
    constexpr Rest::microseconds longest_nap{100};
    constexpr std::chrono::milliseconds brief{5};
    if (flying_ != 0 || !incoming_.empty() || !returned_.empty() || !wire_->is_idle() || !has_started_ || told_ ||
        !rest_.is_longer_than(brief)) {
        rest_.wait(longest_nap);
        return;
    }
    if (!board().control.goes_on()) {  // local workers end what they have, and may put it back
        rest_.wait(look_every);
        return;
    }
    const std::uint32_t own = board().workers_seats();
    const bool takes_tasks = least_loaded() != 0;
    if (takes_tasks) { board().sleeping.add(own); }
    bool is_idle = !takes_tasks || board().queue.was_empty();
    for (std::uint32_t index = board().control.places; is_idle && index < board().all_workers(); ++index) {
        is_idle = !board().has_mail(index);
        has_mail_ = !is_idle;
    }
    if (is_idle) { board().seats()[own].parker.park(Deadline::after(beat_every / 4)); }
    if (takes_tasks) {
        board().sleeping.remove(own);
        is_relied_on_ = true;
    }
}

}  // namespace procpool::detail::mpi
