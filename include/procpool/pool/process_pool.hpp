// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool: runs functions in worker processes.

#include <procpool/client/client.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/future/future.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/timings.hpp>
#include <procpool/log/trace_file.hpp>
#include <procpool/pool/cpus.hpp>
#include <procpool/pool/cut_off.hpp>
#include <procpool/pool/drivers.hpp>
#include <procpool/pool/hold.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/stats.hpp>
#include <procpool/pool/task_call.hpp>
#include <procpool/shm/shared_arguments.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

/// A fixed number of workers and a queue of tasks.
/// Called by: all members from any thread of the process that built the pool. In a forked child of that process, a
/// worker included, an inherited pool is inert: its destructor does nothing, its other members throw std::logic_error.
/// A worker may build a pool of its own. A task of a ThreadPool or InlinePool may use that very pool: while it waits
/// for another task, or for room in the queue, its thread runs such tasks itself. What could never come to an end
/// throws std::system_error (resource_deadlock_would_occur).
template <Engine E = ForkEngine>
class ProcessPool : private RefusesOverloadSets {
public:
    /// workers: 0 means usable_cpus(). Returns when all workers have been made; does not wait for initializers.
    /// Throws: std::invalid_argument, std::system_error when fewer workers can be had, SharedMemoryExhausted;
    /// std::logic_error in a task of a pool that is itself inside nine others. Nothing is left then.
    explicit ProcessPool(std::size_t workers = 0) : ProcessPool(PoolOptions{.workers = workers}) {}
    explicit ProcessPool(PoolOptions options);
    PROCPOOL_UNCOPIED(ProcessPool, a_pool_is_not_copied__move_it_or_pass_it_by_reference__tasks_cannot_have_it,
                      "procpool: a pool is not copied: move it, or pass it by reference; a task cannot have it, but "
                      "may build one of its own")
    /// A pool that has been moved from may be destroyed or assigned to; its other members throw std::logic_error.
    /// Assignment closes and joins the pool assigned to, as the destructor, then takes over.
    ProcessPool(ProcessPool&& other) noexcept
        : client_(std::exchange(other.client_, nullptr)),
          drivers_(std::exchange(other.drivers_, nullptr)) {}
    ProcessPool& operator=(ProcessPool&& other) noexcept {
        if (this == &other) { return *this; }
        end();
        client_ = std::exchange(other.client_, nullptr);
        drivers_ = std::exchange(other.drivers_, nullptr);
        return *this;
    }
    /// close() and join(); terminate() when an exception is unwinding through it. Nothing when exit() destroys it on a
    /// thread that the library has called, or while another is in a call over many items: what is suspended there never
    /// goes on. The workers end with the program then.
    ~ProcessPool() { end(); }

    using RefusesOverloadSets::apply, RefusesOverloadSets::apply_async, RefusesOverloadSets::try_apply_async,
        RefusesOverloadSets::broadcast, RefusesOverloadSets::map, RefusesOverloadSets::starmap,
        RefusesOverloadSets::map_async, RefusesOverloadSets::starmap_async, RefusesOverloadSets::map_outcomes,
        RefusesOverloadSets::for_each, RefusesOverloadSets::map_into, RefusesOverloadSets::imap,
        RefusesOverloadSets::imap_unordered, RefusesOverloadSets::map_reduce;

    // Options, where there are any, come first everywhere.

    /// Runs f(args...) in a worker and waits for it. Throws: what f throws; WorkerDied; TaskTimedOut; as apply_async().
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto apply(F f, Args&&... args) -> task_result_t<F, Args...> {
        return apply(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
    }
    template <class F, class... Args>
    auto apply(const TaskOptions& options, F f, Args&&... args) -> task_result_t<F, Args...> {
        return apply_async(options, std::move(f), std::forward<Args>(args)...).get();
    }

    /// Runs f(args...) in a worker; waits only while queue_capacity tasks are unfinished. f gets its arguments as
    /// rvalues. Throws: PoolClosed; PoolBroken; CodecError when f or an argument cannot travel; SharedMemoryExhausted;
    /// std::invalid_argument for bad options. Nothing is queued then.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto apply_async(F f, Args&&... args) -> Future<task_result_t<F, Args...>> {
        return apply_async(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
    }
    template <class F, class... Args>
    auto apply_async(const TaskOptions& options, F f, Args&&... args) -> Future<task_result_t<F, Args...>> {
        const detail::client::Ticket ticket = *submit<F, Args...>(detail::client::Patience::wait, options, f, args...);
        return Future<task_result_t<F, Args...>>{TaskHandle{*client_, ticket}};
    }

    /// As apply_async(), but never waits. Returns: nothing when queue_capacity tasks are unfinished.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto try_apply_async(F f, Args&&... args)
        -> std::optional<Future<task_result_t<F, Args...>>> {
        return try_apply_async(TaskOptions{}, std::move(f), std::forward<Args>(args)...);
    }
    template <class F, class... Args>
    auto try_apply_async(const TaskOptions& options, F f, Args&&... args)
        -> std::optional<Future<task_result_t<F, Args...>>> {
        const std::optional<detail::client::Ticket> ticket =
            submit<F, Args...>(detail::client::Patience::try_once, options, f, args...);
        if (!ticket) { return std::nullopt; }
        return Future<task_result_t<F, Args...>>{TaskHandle{*client_, *ticket}};
    }

    // The calls over many items are defined in map/; include <procpool/procpool.hpp>. Ranges are
    // std::ranges::input_ranges. Several are zipped, to the shortest: f gets an item of each.

    /// Returns: f(items...) for all items, in their order. Throws: by MapOptions::on_error, the error of an item, or of
    /// a range, which counts as one at its place; when nothing of the call runs any more.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto map(F f, Ranges&&... ranges) {
        return map(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto map(const MapOptions& options, F f, Ranges&&... ranges);

    /// As map(), with the elements of each item of the range, a tuple, pair or array, as arguments.
    template <class F, class Range>
    requires(!std::same_as<F, MapOptions>) auto starmap(F f, Range&& range) {
        return starmap(MapOptions{}, std::move(f), range);
    }
    template <class F, class Range>
    auto starmap(const MapOptions& options, F f, Range&& range);

    /// As map() and starmap(), but return at once: the input has been read by then. MapOptions::progress is called by a
    /// thread of the pool. cancel() spares the items that have not started, kill() ends those that run too: both mean
    /// TaskCancelled, once nothing of the call runs. A pool that is closed finishes it. Throws: PoolClosed and its
    /// like; CodecError when f cannot travel; what a range or an item's Codec throws; std::system_error when no thread
    /// can be had.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto map_async(F f, Ranges&&... ranges) {
        return map_async(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto map_async(const MapOptions& options, F f, Ranges&&... ranges);
    template <class F, class Range>
    requires(!std::same_as<F, MapOptions>) auto starmap_async(F f, Range&& range) {
        return starmap_async(MapOptions{}, std::move(f), range);
    }
    template <class F, class Range>
    auto starmap_async(const MapOptions& options, F f, Range&& range);

    /// Returns: what every call came to, as Outcomes, in the order of the items: one that fails costs no other. Throws:
    /// what a range throws; PoolTerminated and its like, when items cannot be run.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto map_outcomes(F f, Ranges&&... ranges) {
        return map_outcomes(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto map_outcomes(const MapOptions& options, F f, Ranges&&... ranges);

    /// Calls f(items...) for all items. An f that takes T& changes the elements of the one range in place: it must be a
    /// SharedArray or span in shared memory then. Throws: as map(); CodecError when in place is not possible.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) void for_each(F f, Ranges&&... ranges) {
        for_each(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    void for_each(const MapOptions& options, F f, Ranges&&... ranges);

    /// Writes f(item) for every item of the range to `output`, a contiguous range of the same size. What was written
    /// before an error stays written. Throws: as map(); std::invalid_argument when the sizes differ.
    template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
    void map_into(F f, Range&& range, Output&& output) {
        map_into(MapOptions{}, std::move(f), range, output);
    }
    template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
    void map_into(const MapOptions& options, F f, Range&& range, Output&& output);

    /// Returns: a ResultRange of f(items...) in the order of the items. It starts at once and goes on when results are
    /// taken: an input is read up to MapOptions::window items ahead of them, one item to a task unless chunk_size says
    /// otherwise. Ranges passed as rvalues are kept, others must outlive it. An input that is neither in memory nor
    /// counts is not read while there is a result to take. An item that fails is thrown where its result would be, and
    /// costs no other. A pool that is joined meanwhile does not wait for the range to be read: it finishes the tasks
    /// that were submitted, and what is left of one that is cut short (chunk_size beyond 1 and a death,
    /// max_tasks_per_worker or refork()) ends in PoolClosed, as items not submitted yet do. Throws:
    /// std::invalid_argument, PoolClosed; CodecError when f cannot travel.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto imap(F f, Ranges&&... ranges) {
        return imap(MapOptions{}, std::move(f), std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
    auto imap(const MapOptions& options, F f, Ranges&&... ranges);

    /// As imap(), but a ResultRange of Indexed results, in the order in which the items end.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto imap_unordered(F f, Ranges&&... ranges) {
        return imap_unordered(MapOptions{}, std::move(f), std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
    auto imap_unordered(const MapOptions& options, F f, Ranges&&... ranges);

    /// Returns: reduce(... reduce(reduce(init, b0), b1) ..., bn), where each b is the same without init over what f
    /// returns for 256 items, the last one for the rest: the same for any number of workers and chunks. A retried item
    /// runs again with those of its 256 before it. Throws: as map().
    template <class F, class G, class T, class Range>
    requires(!std::same_as<F, MapOptions>) T map_reduce(F f, G reduce, T init, Range&& range) {
        return map_reduce(MapOptions{}, std::move(f), std::move(reduce), std::move(init), range);
    }
    template <class F, class G, class T, class Range>
    T map_reduce(const MapOptions& options, F f, G reduce, T init, Range&& range);

    /// Runs f(args...) once in every worker, when it is through with what it is at; if one dies before, its replacement
    /// runs it. Broadcasts run one after the other. Returns: what f returns, by worker index; nothing if f returns
    /// nothing. Throws: when all have ended, the error of the lowest index: what f throws, WorkerDied; otherwise as
    /// apply_async(); std::system_error (resource_deadlock_would_occur) in a task of the pool.
    template <class F, class... Args>
    auto broadcast(F f, Args&&... args);

    /// No new tasks; what was accepted is finished, calls over many items included that have begun; those of imap() and
    /// imap_unordered() until join(), after which they run what they have read so far: who waits there may be the one
    /// who would have to read on.
    void close() { client().stop(detail::task::Life::closing); }
    /// Waits for the workers to end; implies close(). In the middle of a call over many items, in its progress function
    /// say, it cannot wait for the end of that: what the call has not submitted is refused then.
    void join() {
        HeldCall::release_all(client());
        static_cast<void>(join_until(Deadline::never()));
    }
    /// Returns: false when they have not ended yet.
    template <class Rep, class Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) {
        return join_until(Deadline::after(timeout));
    }
    /// Ends the workers: SIGTERM, then SIGKILL after the grace. What is unfinished gets PoolTerminated; what has not
    /// started, at once.
    void terminate() { client().stop(detail::task::Life::terminated); }
    /// Replaces the workers by ones that see the parent's memory as it is now: snapshot() means that memory from then
    /// on, and code that was loaded since the pool was built can be sent. Running tasks finish on the old workers (of a
    /// call over many items, the items that run), queued ones run on the new. Blocks until the new workers have been
    /// forked, so as long as what runs takes; tasks may be submitted meanwhile. Nothing to do where workers are
    /// threads. Throws: PoolClosed and its like; std::system_error when the system has no process left, and the pool is
    /// broken then.
    void refork() { client().refork(); }
    /// SIGKILL now.
    void kill() { client().stop(detail::task::Life::killed); }

    /// The number of workers the pool was built with.
    [[nodiscard]] std::size_t size() const { return client().board().control.workers; }
    /// By index. A worker that is being replaced is missing for that moment.
    [[nodiscard]] std::vector<WorkerInfo> workers() const;
    [[nodiscard]] PoolStats stats() const;
    /// The tasks that have run, as far as procpool::write_trace() would tell them, in the order in which they ended.
    /// PoolOptions::trace must have been set.
    [[nodiscard]] std::vector<TaskTiming> timings() const {
        return detail::log::timings_of(client().board().control.trace_id);
    }
    /// As procpool::write_trace(), of this pool alone. PoolOptions::trace must have been set.
    void write_trace(const detail::log::FileName& path) const {
        detail::log::write_trace(path, client().board().control.trace_id);
    }

private:
    template <class F, class Range>
    void for_each_in_place(const MapOptions& options, const F& f, Range& range);

    [[nodiscard]] detail::client::Client& client() const {
        if (client_ == nullptr || !client_->is_mine()) [[unlikely]] { throw_unusable(client_ == nullptr); }
        return *client_;
    }
    [[noreturn, gnu::cold, gnu::noinline]] static void throw_unusable(bool moved) {
        throw std::logic_error(moved ? "procpool: this pool has been moved from"
                                     : "procpool: this pool belongs to another process");
    }

    /// For calls that may turn out to have nothing to submit. Throws: as a submission.
    [[nodiscard]] detail::client::Client& open_client() const {
        detail::client::Client& to = client();
        if (!to.is_open()) { to.throw_ended(); }
        return to;
    }

    [[nodiscard]] bool join_until(Deadline deadline) {
        close();
        return client().join(deadline);
    }

    void end() noexcept;

    template <class F, class... Args>
    std::optional<detail::client::Ticket> submit(detail::client::Patience patience, const TaskOptions& options,
                                                 const F& f, const std::remove_reference_t<Args>&... args) {
        require_task<F, Args...>();
        if constexpr (TaskCall<F, Args...>) {
            detail::client::Client& to = client();
            if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
                to.check_code(reinterpret_cast<std::uintptr_t>(f));
            }
            if constexpr (is_snapshot_v<F>) {
                check_snapshot(f, [&](const void* address) { return to.is_newer_than_workers(address); });
            }
            check_task(options);
            const detail::client::Order order{.code = call_code<F, Args...>,
                                              .patience = patience,
                                              .timeout = options.timeout,
                                              .retries = options.retries,
                                              .priority = options.priority,
                                              .label = options.label,
                                              .plain = is_plain_call_v<F, Args...>};
            return to.submit(order,
                             [&](Writer& out) { encode_call<F, std::remove_reference_t<Args>...>(out, f, args...); });
        } else {
            return std::nullopt;
        }
    }

    std::mutex broadcasting_;
    int unwinding_ = std::uncaught_exceptions();
    detail::client::Client* client_;
    detail::pool::Drivers* drivers_;  // not destroyed in a child, which has not their threads
};

ProcessPool()->ProcessPool<ForkEngine>;
ProcessPool(std::size_t)->ProcessPool<ForkEngine>;
ProcessPool(PoolOptions)->ProcessPool<ForkEngine>;

using Pool = ProcessPool<ForkEngine>;
using ThreadPool = ProcessPool<ThreadEngine>;
using InlinePool = ProcessPool<InlineEngine>;
/// Whichever the environment variable PROCPOOL_ENGINE names when the pool is built: inline, thread or fork, which is
/// the default. For debugging; its constructor throws std::invalid_argument when the variable says anything else.
using AnyPool = ProcessPool<AnyEngine>;

template <Engine E>
ProcessPool<E>::ProcessPool(PoolOptions options) {
    check(options);
    const detail::engine::Traits& chosen = E::traits();
    const std::size_t workers = std::min(options.workers != 0 ? options.workers : usable_cpus(), chosen.most_workers);
    chosen.prepare();
    detail::log::prepare_log();
    // Twice as many seats as workers: a replacement sits down before its predecessor's seat is free.
    static_assert(2 * PoolOptions::max_workers + 2 <= detail::task::Word::most_seats,
                  "a task's word says which seat runs it");
    auto client = std::make_unique<detail::client::Client>(static_cast<std::uint32_t>(options.queue_capacity),
                                                           static_cast<std::uint32_t>(2 * workers + 2), chosen.place_of,
                                                           !chosen.shares_memory);
    detail::task::Control& control = client->board().control;
    control.workers = static_cast<std::uint32_t>(workers);
    control.items_per_worker = chosen.contains_crashes ? static_cast<std::uint32_t>(options.max_tasks_per_worker) : 0;
    control.set_name(options.name);
    if (options.trace) { control.trace_id = detail::log::begin_trace(options.name); }
    control.spinners = static_cast<std::uint32_t>(detail::pool::spare_cpus());
    client->employ(chosen.make_crew(
        *client, detail::worker::Setup{control.workers, std::move(options.initializer), std::move(options.finalizer),
                                       options.start_timeout, options.terminate_grace, std::move(options.name),
                                       control.items_per_worker != 0}));
    drivers_ = std::make_unique<detail::pool::Drivers>().release();
    client_ = client.release();
}

template <Engine E>
void ProcessPool<E>::end() noexcept {
    if (client_ == nullptr || !client_->is_mine()) { return; }
    if (detail::pool::is_cut_off_by_exit(*client_)) {
        detail::pool::leave_to_exit(client_, drivers_);
        return;
    }
    if (std::uncaught_exceptions() > unwinding_) {
        terminate();
    } else {
        close();
    }
    static_cast<void>(client_->join(Deadline::never()));
    delete drivers_;
    detail::client::Client::release_pool(client_);
}

template <Engine E>
std::vector<WorkerInfo> ProcessPool<E>::workers() const {
    std::vector<WorkerInfo> all;
    const detail::task::Board& board = client().board();
    for (std::uint32_t number = 0; number < board.seats().size(); ++number) {
        const detail::task::Seat& seat = board.seats()[number];
        const bool spare = seat.index.load(std::memory_order_relaxed) >= size();
        if (spare || seat.state.load(std::memory_order_acquire) == detail::task::SeatState::vacant) { continue; }
        const std::int32_t sitter = board.sitter(number).load(std::memory_order_relaxed);
        const std::int32_t pid = sitter != 0 ? sitter : seat.pid.load(std::memory_order_relaxed);
        if (pid <= 0) { continue; }  // being forked, or gone
        const std::uint64_t done =
            seat.completed.load(std::memory_order_relaxed) + seat.failed.load(std::memory_order_relaxed);
        const std::uint32_t current = seat.current.load(std::memory_order_relaxed);
        all.push_back({seat.index.load(std::memory_order_relaxed), pid,
                       static_cast<std::size_t>(done - seat.before.load(std::memory_order_relaxed)),
                       current != 0 && current != detail::task::Seat::counted});
    }
    std::ranges::sort(all, {}, &WorkerInfo::index);
    return all;
}

template <Engine E>
PoolStats ProcessPool<E>::stats() const {
    const detail::task::Board& board = client().board();
    PoolStats stats;
    stats.submitted = client().submitted();
    for (const detail::task::Seat& seat : board.seats()) {
        stats.completed += seat.completed.load(std::memory_order_relaxed);
        stats.failed += seat.failed.load(std::memory_order_relaxed);
    }
    const detail::task::Control::Losses losses = board.control.losses();
    stats.failed += losses.casualties;
    stats.cancelled = client().cancelled();
    stats.timed_out = losses.timed_out;
    stats.retried = losses.retried;
    stats.workers_recycled = board.control.workers_recycled.load(std::memory_order_relaxed);
    stats.workers_started = board.control.workers_started.load(std::memory_order_relaxed);
    stats.workers_died = board.control.workers_died.load(std::memory_order_relaxed);
    return stats;
}

}  // namespace procpool
