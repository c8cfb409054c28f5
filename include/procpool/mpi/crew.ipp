// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/mpi/crew.hpp>

#include <procpool/log/log_sink.hpp>
#include <procpool/log/report.hpp>
#include <procpool/log/trace_file.hpp>
#include <procpool/mpi/agent.hpp>
#include <procpool/os/affinity.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::mpi {

/// Whether this program has, or had, a pool on MPI; inherited by its workers.
inline constinit std::atomic<bool> is_used{false};

inline void prepare() {
    if (is_used.exchange(true, std::memory_order_relaxed)) {
        throw std::logic_error(
            "procpool: a program has one MpiPool: MPI can be initialised once, and the other ranks have left main()");
    }
    engine::prepare_to_fork();
}

inline engine::Layout lay_out(std::uint32_t workers, const MpiOptions& options) noexcept {
    const Launch launch = Launch::of_this_process();
    if (launch.size <= 1 || launch.rank != 0) { return {workers, 0, 0}; }
    const std::uint32_t here = options.use_root ? workers : 0;
    const auto others = static_cast<std::uint32_t>(launch.size - 1);
    return {here, others + 1, 2 * here + 2 + others * std::max(workers, most_workers_of_node)};
}

/// Launchers bind each rank to one core unless they are told otherwise, and workers inherit that.
inline void warn_if_pinned(const worker::Setup& setup, const task::Machine& machine) noexcept {
    const std::size_t cpus = os::affinity_cpus();
    const std::size_t all = os::online_cpus();
    if (cpus >= all || (cpus > 1 && setup.places <= cpus)) { return; }
    log::report(LogLevel::warning, {.pool = setup.name},
                "rank {} on machine {} may use {} of {} processors for its {} workers: start it with mpirun --bind-to "
                "none, or srun -c {}",
                machine.node, machine.host.data(), cpus, all, setup.places, all);
}

/// Effects: where rank 0 traces tasks or measures their times, all runs here are traced: it learns of them from that.
/// first: the number of the first task.
inline void observe_all(client::Client& client, const std::string& name, std::uint64_t first) {
    task::Control& control = client.board().control;
    if (client.observer().rate() && control.trace_id == 0) { control.trace_id = log::begin_trace(name); }
    client.observer().begin(control.trace_id != 0, false, first);
}

inline MpiCrew::MpiCrew(client::Client& client, worker::Setup setup)
    : client_(client),
      table_(Launch::of_this_process().size, client.board().parents_slots().size()) {
    const Launch launch = Launch::of_this_process();
    task::Machine& machine = machine_.machine();
    machine.node = launch.rank;
    machine.host = os::host_name();
    const MpiOptions options = setup.mpi;
    NodeRecord& own = table_.nodes()[0];
    own.host = machine.host;
    own.workers = setup.places;
    own.state = NodeState::serves;
    if (launch.size > 1) { warn_if_pinned(setup, machine); }
    if (launch.rank != 0) {
        setup.is_far = true;
        const std::int64_t first = std::int64_t{launch.rank} << 40;  // no two tasks have one number
        client.number_from(first);
        try {
            client.board().control.has_copies = true;
            observe_all(client, setup.name, static_cast<std::uint64_t>(first) + 1);
            client.set_crew(std::make_unique<engine::ForkCrew>(client, std::move(setup)));
        } catch (const std::exception& error) {  // the rest of main() is not for this rank
            log::report(LogLevel::error, {.pool = client.board().control.name.data()},
                        "machine {} (rank {}) cannot start its workers: {}", machine.host.data(), machine.node,
                        error.what());
            flush_log();
            std::exit(EXIT_FAILURE);
        }
        Agent{client, machine, options, launch.size}.serve();
    }
    if (launch.size > 1) {
        const auto others = static_cast<std::uint32_t>(launch.size - 1);
        const std::uint32_t most = others * std::max(setup.places, most_workers_of_node);
        companion_.emplace(table_, options, launch.size, most);
        setup.companion = &*companion_;
    }
    fork_ = std::make_unique<engine::ForkCrew>(client, std::move(setup));
    if (companion_) { wait_for_machines(); }
}

inline void MpiCrew::wait_for_machines() {
    constexpr std::chrono::milliseconds now_and_then{100};
    Table::Start start = Table::Start::waits;
    while (start == Table::Start::waits) {
        start = table_.wait(Deadline::after(now_and_then));
        if (start == Table::Start::waits && fork_->has_ended()) {
            throw std::runtime_error("procpool: the supervisor has ended while other machines were waited for");
        }
    }
    if (start == Table::Start::failed) {
        throw std::runtime_error("procpool: this pool has no other machines: " + std::string(table_.why()));
    }
}

inline std::vector<NodeInfo> MpiCrew::nodes() const {
    std::vector<NodeInfo> all;
    for (const NodeRecord& node : table_.nodes()) {
        NodeInfo& info = all.emplace_back();
        const NodeState state = node.state.load(std::memory_order_acquire);
        info.host = task::text_within(node.host);
        info.rank = static_cast<int>(all.size()) - 1;
        info.workers = node.workers.load(std::memory_order_relaxed);
        info.alive = state == NodeState::serves || state == NodeState::ended;
        info.done = node.done.load(std::memory_order_relaxed);
        info.round_trip = std::chrono::nanoseconds{node.round_trip.load(std::memory_order_relaxed)};
    }
    const task::Board& board = client_.board();
    for (const task::Seat& seat : board.seats().first(board.workers_seats())) {
        all.front().done +=
            seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed);
    }
    return all;
}

inline std::string MpiCrew::host_of(std::uint32_t seat) const {
    const std::uint32_t node = seat - client_.board().workers_seats();
    return node < table_.nodes().size() ? std::string(task::text_within(table_.nodes()[node].host)) : std::string{};
}

}  // namespace procpool::detail::mpi
