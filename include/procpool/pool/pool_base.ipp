// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/pool_base.hpp>

#include <procpool/client/client.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/core/few.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/future/future.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/pool/call_threads.hpp>
#include <procpool/pool/cpus.hpp>
#include <procpool/pool/cut_off.hpp>
#include <procpool/pool/each_worker.hpp>
#include <procpool/pool/graph.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/processors.hpp>
#include <procpool/task/board.hpp>
#include <procpool/view/board_parts.hpp>
#include <procpool/view/prometheus.hpp>
#include <procpool/worker/setup.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail {

PROCPOOL_DECL PoolBase::PoolBase(const engine::Traits& engine, PoolOptions options, const worker::ActorLives* actor) {
    check(options);
    const std::size_t most = std::min(options.grow_to != 0 ? options.grow_to : SIZE_MAX, engine.most_workers);
    const std::size_t workers = std::min(options.workers != 0 ? options.workers : usable_cpus(), most);
    const engine::Layout layout = engine.lay_out(static_cast<std::uint32_t>(workers), options.mpi);
    const bool is_far = layout.companion_seats != 0;
    if (is_far && (options.grow_to != 0 || options.idle_timeout.count() != 0)) {
        throw std::invalid_argument("procpool: a pool on several machines has neither grow_to nor idle_timeout");
    }
    const std::uint32_t places = options.grow_to != 0 ? static_cast<std::uint32_t>(most) : layout.workers;
    const bool shrinks = options.idle_timeout.count() != 0 && !engine.shares_memory;
    engine.prepare();
    log::prepare_log();
    // Twice as many seats as workers: a replacement sits down before its predecessor's seat is free.
    static_assert(2 * PoolOptions::max_workers + 2 <= task::Word::most_seats, "a task's word says which seat runs it");
    const std::uint32_t seats = 2 * places + 2 + layout.companion_seats;
    if (seats > task::Word::most_seats) {
        throw std::invalid_argument("procpool: too many workers here for that many machines");
    }
    auto client = std::make_unique<client::Client>(
        static_cast<std::uint32_t>(options.queue_capacity), seats, engine.place_of, !engine.shares_memory,
        actor != nullptr && !engine.shares_memory, layout.companion_seats, layout.indices, shrinks, options.name);
    task::Control& control = client->board().control;
    control.places = places;
    control.workers.store(layout.workers, std::memory_order_relaxed);
    control.items_per_worker = engine.contains_crashes ? static_cast<std::uint32_t>(options.max_tasks_per_worker) : 0;
    control.kill_rss = options.kill_rss;
    control.set_name(options.name);
    if (actor != nullptr) {
        client->board().actor.is_one = true;
        client->board().actor.allowed.store(1, std::memory_order_relaxed);
    }
    auto threads = std::make_unique<pool::CallThreads>();
    client->tell_unobserved();
    if (options.trace) { control.trace_id = log::begin_trace(options.name); }
    control.measures = options.latencies;
    control.shares_memory = engine.shares_memory;
    client->observer().begin(options.trace, options.latencies,
                             actor != nullptr ? 2 : 1);  // an actor's first is no call
    if (options.backtraces) { os::intercept_throws(); }  // here, since it takes a lock
    control.spinners = static_cast<std::uint32_t>(pool::spare_cpus());
    client->set_state_type(options.initializer.state_type());
    std::vector<os::CpuSet> processors = pool::processors_of(options);
    client->set_crew(engine.make_crew(
        *client, worker::Setup{.places = places,
                               .initializer = std::move(options.initializer),
                               .finalizer = std::move(options.finalizer),
                               .start_timeout = options.start_timeout,
                               .terminate_grace = options.terminate_grace,
                               .name = std::move(options.name),
                               .recycles = control.items_per_worker != 0 && places != 0,
                               .backtraces = options.backtraces,
                               .actor = actor != nullptr ? std::optional{*actor} : std::nullopt,
                               .mpi = options.mpi,
                               .memory = {options.max_rss, options.kill_rss, options.memory_reserve},
                               .idle_timeout = shrinks ? options.idle_timeout : std::chrono::milliseconds{0},
                               .min_workers = options.min_workers,
                               .processors = std::move(processors),
                               .inner_threads = os::InnerThreads{options.threads_per_worker}}));
    threads_ = threads.release();
    client_ = client.release();
}

PROCPOOL_DECL PoolBase& PoolBase::operator=(PoolBase&& other) noexcept {
    if (this == &other) { return *this; }
    end();
    client_ = std::exchange(other.client_, nullptr);
    threads_ = std::exchange(other.threads_, nullptr);
    return *this;
}

PROCPOOL_DECL void PoolBase::end() noexcept {
    if (client_ == nullptr || !client_->is_mine()) { return; }
    if (pool::is_cut_off_by_exit(*client_)) {
        pool::leave_to_exit(client_, threads_);
        return;
    }
    if (std::uncaught_exceptions() > unwinding_) {
        terminate();
    } else {
        close();
    }
    static_cast<void>(client_->join(Deadline::never()));
    delete threads_;
    client::Client::release_pool(client_);
}

[[gnu::cold]] PROCPOOL_DECL void PoolBase::throw_unusable() const {
    throw std::logic_error(client_ == nullptr ? "procpool: this pool has been moved from"
                                              : "procpool: this pool belongs to another process: a task cannot use "
                                                "it, but may build a pool of its own");
}

PROCPOOL_DECL client::Client& PoolBase::client() const {
    if (client_ == nullptr || !client_->is_mine()) [[unlikely]] { throw_unusable(); }
    return *client_;
}

PROCPOOL_DECL client::Client* PoolBase::own_client() const noexcept {
    return client_ != nullptr && client_->is_mine() ? client_ : nullptr;
}

PROCPOOL_DECL client::Client& PoolBase::open_client() const {
    client::Client& to = client();
    if (!to.is_open()) { to.throw_ended(); }
    return to;
}

PROCPOOL_DECL TaskHandle PoolBase::submit(const CallTraits& call, const TaskOptions* options, client::Patience patience,
                                          client::Encode encode) const {
    if (client_ == nullptr || !client_->is_mine()) [[unlikely]] { throw_unusable(); }
    client::Client& to = *client_;
    if (call.function != 0) { to.check_code(call.function); }
    client::Submission submission{.code = call.code, .patience = patience, .plain = call.plain};
    if (options != nullptr) { pool::set_options(submission, *options); }
    const std::optional<client::Ticket> ticket = to.submit(submission, encode);
    return ticket ? TaskHandle{to, *ticket} : TaskHandle{};
}

PROCPOOL_DECL PoolBase::LinkedTask PoolBase::submit_linked(const CallTraits& call, const TaskOptions* options,
                                                           client::Patience patience,
                                                           std::span<const FutureArgument> futures,
                                                           client::EncodeLinked encode) const {
    client::Client& to = client();
    for (const FutureArgument& one : futures) { future::Argument::require_valid(*one.future); }
    if (call.function != 0) { to.check_code(call.function); }
    core::Few<client::Dependency> dependencies;
    dependencies.reserve(futures.size());
    for (const FutureArgument& one : futures) {
        const std::optional<client::Ticket> ticket = future::Argument::task(*one.future).ticket_of(to);
        if (!ticket) { return {.comes_later = true}; }
        dependencies.push_back({.ticket = *ticket});
    }
    client::Submission submission{.code = call.code, .patience = patience, .plain = call.plain};
    if (options != nullptr) { pool::set_options(submission, *options); }
    client::Submitted submitted = to.submit_linked(submission, dependencies.all(), encode);
    if (submitted.has_too_many) { return {.comes_later = true}; }
    if (!submitted.ticket && !submitted.error) { return {}; }
    for (const FutureArgument& one : futures) {
        if (one.is_owned) { future::Argument::consume(*one.future); }
    }
    if (submitted.error) { return {.error = std::move(submitted.error)}; }
    return {.task = TaskHandle{to, *submitted.ticket}};
}

PROCPOOL_DECL TaskHandle PoolBase::submit_on(std::size_t worker, const CallTraits& call, const TaskOptions* options,
                                             client::Encode encode) const {
    client::Client& to = client();
    if (worker >= size()) {
        throw std::invalid_argument("procpool: the pool has no worker " + std::to_string(worker) +
                                    ", only those from 0 to " + std::to_string(size() - 1));
    }
    if (to.is_in_task()) {  // which would have to end first
        core::throw_deadlock("procpool: apply_on() or apply_on_async() in a task of the pool");
    }
    if (call.function != 0) { to.check_code(call.function); }
    client::Submission submission{.code = call.code, .plain = call.plain, .worker = static_cast<std::uint32_t>(worker)};
    if (options != nullptr) { pool::set_options(submission, *options); }
    return TaskHandle{to, *to.submit(submission, encode)};
}

PROCPOOL_DECL std::vector<TaskHandle> PoolBase::run_in_each_worker(const CallTraits& call,
                                                                   client::Encode encode) const {
    client::Client& to = open_client();
    if (call.function != 0) { to.check_code(call.function); }
    std::vector<TaskHandle> tasks =
        pool::submit_to_each(to, "procpool: broadcast() in a task of the pool", {.code = call.code},
                             pool::all_workers(to), [&](Writer& out, std::uint32_t) { encode(out); });
    pool::wait_for_all(tasks);
    return tasks;
}

PROCPOOL_DECL void PoolBase::close() { client().stop(task::Life::closing); }

PROCPOOL_DECL void PoolBase::join() {
    pool::OpenCall::release_all(client());
    static_cast<void>(join_until(Deadline::never()));
}

/// Looks at this pool once: exit() in another thread may destroy it meanwhile, and leaves the client.
PROCPOOL_DECL bool PoolBase::join_until(Deadline deadline) {
    client::Client& to = client();
    to.stop(task::Life::closing);
    return to.join(deadline);
}

PROCPOOL_DECL void PoolBase::terminate() { client().stop(task::Life::terminated); }

PROCPOOL_DECL void PoolBase::refork() { client().refork(); }

PROCPOOL_DECL void PoolBase::kill() { client().stop(task::Life::killed); }

PROCPOOL_DECL void PoolBase::resize(std::size_t workers) {
    client::Client& to = client();
    const std::size_t most = to.board().control.places;
    if (workers != 0 && workers <= PoolOptions::max_workers && to.runs_here()) { return; }
    if (workers == 0 || workers > most) {
        throw std::invalid_argument("procpool: resize() to " + std::to_string(workers) + ", of a pool for 1 to " +
                                    std::to_string(most) + " workers: see PoolOptions::grow_to");
    }
    to.resize(static_cast<std::uint32_t>(workers));
}

PROCPOOL_DECL std::size_t PoolBase::size() const { return client().board().all_workers(); }

PROCPOOL_DECL std::vector<NodeInfo> PoolBase::machines() const { return client().nodes(); }

PROCPOOL_DECL std::vector<WorkerInfo> PoolBase::workers() const {
    std::vector<WorkerInfo> all;
    const task::Board& board = client().board();
    for (std::uint32_t number = 0; number < board.workers_seats(); ++number) {
        const task::Seat& seat = board.seats()[number];
        const bool spare = seat.index.load(std::memory_order_relaxed) >=
                           (board.control.shares_memory ? board.control.workers.load(std::memory_order_relaxed)
                                                        : board.control.places);
        if (spare || seat.state.load(std::memory_order_acquire) == task::SeatState::vacant) { continue; }
        const std::int32_t sitter = board.sitter(number).load(std::memory_order_relaxed);
        const std::int32_t pid = sitter != 0 ? sitter : seat.pid.load(std::memory_order_relaxed);
        if (pid <= 0) { continue; }  // being forked, or gone
        const std::uint64_t done =
            seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed);
        const std::uint32_t current = seat.current.load(std::memory_order_relaxed);
        all.push_back({seat.index.load(std::memory_order_relaxed), pid,
                       static_cast<std::size_t>(done - seat.before.load(std::memory_order_relaxed)),
                       current != 0 && current != task::Seat::counted});
    }
    std::ranges::sort(all, {}, &WorkerInfo::index);
    return all;
}

PROCPOOL_DECL PoolStats PoolBase::stats() const {
    const task::Board& board = client().board();
    PoolStats stats;
    stats.submitted = client().submitted() + board.guests.submitted();
    for (const task::Seat& seat : board.seats()) {
        stats.completed += seat.completed.load(std::memory_order_relaxed);
        stats.failed += seat.failed.load(std::memory_order_relaxed);
    }
    const task::Control::Losses losses = board.control.losses();
    stats.failed += losses.casualties;
    stats.cancelled = client().cancelled() + board.guests.cancelled() +
                      board.control.withdrawn.load(std::memory_order_relaxed) +
                      board.from_workers.cancelled_with_others.load(std::memory_order_relaxed);
    stats.timed_out = losses.timed_out;
    stats.memory_exceeded = losses.over_memory;
    stats.retried = losses.retried;
    client().settle_dropped(true);
    stats.unobserved = client().unobserved()->count() + board.guests.unobserved();
    stats.workers_recycled = board.control.workers_recycled.load(std::memory_order_relaxed);
    stats.workers_started = board.control.workers_started.load(std::memory_order_relaxed);
    stats.workers_died = board.control.workers_died.load(std::memory_order_relaxed);
    if (const auto& rate = client().observer().rate()) {
        task::Histogram::Counts waiting{};
        task::Histogram::Counts running{};
        for (std::uint32_t seat = 0; seat < board.seats().size(); ++seat) {
            board.latencies(seat).waiting.add_to(waiting);
            board.latencies(seat).running.add_to(running);
        }
        const double tick = rate->nanoseconds_per_tick();
        stats.waiting = pool::percentiles_of(waiting, tick);
        stats.running = pool::percentiles_of(running, tick);
    }
    return stats;
}

PROCPOOL_DECL std::string PoolBase::prometheus() const {
    const view::PoolView view = view::view_of(client().board());
    const view::ExposedPool exposed{&view};
    return view::prometheus_text({&exposed, 1});
}

PROCPOOL_DECL std::string PoolBase::graph() const {
    client::Client& of = client();
    return pool::dot_of(of.graph(), task::text_within(of.board().control.name));
}

PROCPOOL_DECL std::vector<TaskTiming> PoolBase::timings() const {
    std::vector<TaskTiming> all = log::timings_of(client().board().control.trace_id);
    const std::vector<NodeInfo> nodes = machines();
    for (TaskTiming& one : all) {
        if (const auto node = static_cast<std::size_t>(one.node); node < nodes.size()) { one.host = nodes[node].host; }
    }
    return all;
}

PROCPOOL_DECL void PoolBase::write_trace(const log::FileName& path) const {
    log::write_trace(path, client().board().control.trace_id);
}

}  // namespace procpool::detail
