// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool: runs functions in worker processes.

#include <procpool/client/submission.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/core/few.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/future/future.hpp>
#include <procpool/pool/defined_elsewhere.hpp>
#include <procpool/pool/later_call.hpp>
#include <procpool/pool/linked_call.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/pool_base.hpp>
#include <procpool/pool/pool_fwd.hpp>
#include <procpool/pool/ref.hpp>
#include <procpool/pool/refused_calls.hpp>
#include <procpool/pool/task_call.hpp>
#include <procpool/shm/shared_arguments.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// A fixed number of workers and a queue of tasks. Options, where there are any, come first in all calls.
/// Called by: any thread of the process that built the pool. In a forked child of that process, a worker included, an
/// inherited pool is inert: its destructor does nothing, its other members throw std::logic_error. A worker may build a
/// pool of its own. A task of a ThreadPool or InlinePool may use that very pool: while it waits for another task, or
/// for room in the queue, its thread runs such tasks itself. A wait that could never end throws std::system_error
/// (resource_deadlock_would_occur).
template <class E>
class ProcessPool : public detail::PoolBase,
                    private detail::codec::RefusesOverloadSets,
                    private detail::pool::RefusesIncompleteCalls {
    static_assert(Engine<E>, "procpool: a pool's engine is ForkEngine, ThreadEngine, InlineEngine or AnyEngine");

public:
    /// \{
    /// Makes all workers; does not wait for their initializers. workers: 0 means usable_cpus(). Throws:
    /// std::invalid_argument; std::system_error when fewer workers can be had; SharedMemoryExhausted; std::logic_error
    /// in a task of a pool that is itself inside nine others. Nothing is left then.
    explicit ProcessPool(std::size_t workers = 0) : ProcessPool(PoolOptions{.workers = workers}) {}
    explicit ProcessPool(PoolOptions options) : detail::PoolBase(E::traits(), std::move(options)) {}
    /// \}
    /// \{
    /// Do not compile: these are no PoolOptions.
    template <class Options = detail::codec::MistakenOptions>
    requires detail::pool::NotPoolOptions<Options>
    explicit ProcessPool(const Options&) : ProcessPool() {
        static_cast<void>(sizeof(detail::pool::not_pool_options<Options>));
    }
    PROCPOOL_REFUSE_CONSTRUCTION(ProcessPool)
#undef PROCPOOL_REFUSE_CONSTRUCTION
    /// \}
    PROCPOOL_UNCOPIED(ProcessPool, a_pool_is_not_copied__move_it_or_pass_it_by_reference__tasks_cannot_have_it,
                      "procpool: a pool is not copied: move it, or pass it by reference; a task cannot have it, but "
                      "may build one of its own")
    /// \{
    /// Takes the other pool over, which may only be destroyed or assigned to afterwards: its other members throw
    /// std::logic_error. Assignment closes and joins the pool that was here, as the destructor does, first.
    ProcessPool(ProcessPool&& other) noexcept : detail::PoolBase(std::move(other)) {}
    ProcessPool& operator=(ProcessPool&& other) noexcept {
        detail::PoolBase::operator=(std::move(other));
        return *this;
    }
    /// \}
    /// As PoolBase's. Not for an MpiPool: the other machines never had this memory.
    void refork() {
        static_assert(!detail::engine::FarEngine<E>,
                      "procpool: refork() gives workers this program's memory, which other machines do not have");
        detail::PoolBase::refork();
    }
    /// As PoolBase's. Not for an MpiPool: its size is what the machines have.
    void resize(std::size_t workers) {
        static_assert(!detail::engine::FarEngine<E>, "procpool: the size of an MpiPool is what its machines have");
        detail::PoolBase::resize(workers);
    }
    /// Returns: the machines of an MpiPool, in the order of their ranks. Called by: any thread.
    [[nodiscard]] std::vector<NodeInfo> nodes() const requires detail::engine::FarEngine<E> { return machines(); }
    /// Closes and joins the pool; terminates it when an exception is unwinding through it. Does nothing when exit()
    /// destroys the pool on a thread that the library has called, or while another thread is in a call over many items,
    /// since code that is suspended there never goes on. The workers end with the program then.
    ~ProcessPool() = default;

    using RefusesIncompleteCalls::map_reduce, detail::pool::RefusesIncompleteCalls::map_reduce_by_key,
        detail::pool::RefusesIncompleteCalls::starmap, detail::pool::RefusesIncompleteCalls::starmap_async,
        detail::pool::RefusesIncompleteCalls::map_into;
    using RefusesOverloadSets::apply, detail::codec::RefusesOverloadSets::apply_async,
        detail::codec::RefusesOverloadSets::try_apply_async, detail::codec::RefusesOverloadSets::apply_on,
        detail::codec::RefusesOverloadSets::apply_on_async, detail::codec::RefusesOverloadSets::broadcast,
        detail::codec::RefusesOverloadSets::map, detail::codec::RefusesOverloadSets::starmap,
        detail::codec::RefusesOverloadSets::map_async, detail::codec::RefusesOverloadSets::starmap_async,
        detail::codec::RefusesOverloadSets::map_outcomes, detail::codec::RefusesOverloadSets::for_each,
        detail::codec::RefusesOverloadSets::for_each_async, detail::codec::RefusesOverloadSets::map_into,
        detail::codec::RefusesOverloadSets::imap, detail::codec::RefusesOverloadSets::imap_unordered,
        detail::codec::RefusesOverloadSets::imap_outcomes, detail::codec::RefusesOverloadSets::map_reduce,
        detail::codec::RefusesOverloadSets::map_reduce_by_key;

    /// \{
    /// Runs f(args...) in a worker and waits for it. Returns: f's result. Throws: the exceptions of f; WorkerDied;
    /// TaskTimedOut; as apply_async().
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto apply(F f, Args&&... args)
        -> detail::pool::result_of_call_t<F, Args...> {
        return apply_async(std::move(f), std::forward<Args>(args)...).get();
    }
    template <class F, class... Args>
    auto apply(const TaskOptions& options, F f, Args&&... args) -> detail::pool::result_of_call_t<F, Args...> {
        return apply_async(options, std::move(f), std::forward<Args>(args)...).get();
    }
    /// \}

    /// \{
    /// Lets a worker run f(args...). An argument may be a Future, which is moved away, a SharedFuture, or what
    /// when_all() returns: the task starts once they are ready, no worker waits for that, f gets what they give,
    /// nothing for those of void, and the results of this pool's tasks do not come here in between. If one ends in an
    /// error, f is not called and the task ends in that error, in the first one where there are several; a cancelled
    /// one cancels it. Waits only while PoolOptions::queue_capacity tasks are unfinished. f gets its arguments as
    /// rvalues. Returns: the future of f's result. Throws: PoolClosed; PoolBroken; CodecError when f or an argument
    /// cannot travel; SharedMemoryExhausted; std::invalid_argument for bad options. Nothing is queued then.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto apply_async(F f, Args&&... args)
        -> Future<detail::pool::result_of_call_t<F, Args...>> {
        return *submit_call<F, Args...>(detail::client::Patience::wait, nullptr, f, args...);
    }
    template <class F, class... Args>
    auto apply_async(const TaskOptions& options, F f, Args&&... args)
        -> Future<detail::pool::result_of_call_t<F, Args...>> {
        return *submit_call<F, Args...>(detail::client::Patience::wait, &options, f, args...);
    }
    /// \}

    /// \{
    /// As apply_async(), but never waits. Returns: the future; nothing when PoolOptions::queue_capacity tasks are
    /// unfinished.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto try_apply_async(F f, Args&&... args)
        -> std::optional<Future<detail::pool::result_of_call_t<F, Args...>>> {
        return submit_call<F, Args...>(detail::client::Patience::try_once, nullptr, f, args...);
    }
    template <class F, class... Args>
    auto try_apply_async(const TaskOptions& options, F f, Args&&... args)
        -> std::optional<Future<detail::pool::result_of_call_t<F, Args...>>> {
        return submit_call<F, Args...>(detail::client::Patience::try_once, &options, f, args...);
    }
    /// \}

    /// Returns: a function that submits: app(f)(args...) is apply_async(f, args...), whose arguments may be what others
    /// returned, so that calls of calls make a graph. It refers to this pool, which must outlive it.
    template <class F>
    [[nodiscard]] App<ProcessPool, F> app(F f, TaskOptions options = {}) {
        return {*this, std::move(f), std::move(options)};
    }

    /// Sends a value once, for any number of tasks: see Ref. It is encoded here and now; where workers are threads it
    /// is moved or copied, and shared. Text is kept as a std::string, the elements of a std::span as a std::vector.
    /// Returns: the handle. Throws: PoolClosed; PoolBroken; CodecError; SharedMemoryExhausted; any exception of the
    /// value's Codec.
    template <class T>
    [[nodiscard]] auto put(T&& value) -> Ref<detail::pool::stored_t<T>> {
        using Value = detail::pool::stored_t<T>;
        detail::codec::require_travels<Value>();
        if constexpr (Encodable<Value>) {
            detail::client::Client& to = open_client();
            auto stored = std::make_shared<detail::pool::StoredOf<Value>>(to);
            const bool is_shared = detail::client::shares_memory(to);
            if constexpr (std::same_as<std::remove_cvref_t<T>, Value>) {
                stored->put(is_shared, std::forward<T>(value));
            } else if constexpr (std::same_as<detail::codec::wire_type_t<T>, Value>) {
                stored->put(is_shared, Value(detail::codec::to_wire(value)));
            } else {
                stored->put(is_shared, Value(value.begin(), value.end()));
            }
            return Ref<Value>{std::move(stored)};
        } else {
            return detail::codec::this_call_is_refused{};
        }
    }

    /// \{
    /// Runs f(args...) on the worker of that index, after its present task and the tasks that were given to it like
    /// this before, and before what is queued for any worker; so TaskOptions::priority has no effect. If the worker
    /// dies before it starts, its replacement runs it. Waits as apply() does, and apply_on_async() as apply_async():
    /// tasks for a worker count for PoolOptions::queue_capacity. Returns: f's result; its future. Throws: as apply()
    /// and apply_async(); std::invalid_argument when the pool has no such worker; std::system_error
    /// (resource_deadlock_would_occur) in a task of the pool.
    template <class F, class... Args>
    auto apply_on(std::size_t worker, F f, Args&&... args) -> detail::codec::task_result_t<F, Args...> {
        return apply_on_async(worker, std::move(f), std::forward<Args>(args)...).get();
    }
    template <class F, class... Args>
    auto apply_on(const TaskOptions& options, std::size_t worker, F f, Args&&... args)
        -> detail::codec::task_result_t<F, Args...> {
        return apply_on_async(options, worker, std::move(f), std::forward<Args>(args)...).get();
    }
    template <class F, class... Args>
    auto apply_on_async(std::size_t worker, F f, Args&&... args) -> Future<detail::codec::task_result_t<F, Args...>> {
        return Future<detail::codec::task_result_t<F, Args...>>{submit_on<F, Args...>(worker, nullptr, f, args...)};
    }
    template <class F, class... Args>
    auto apply_on_async(const TaskOptions& options, std::size_t worker, F f, Args&&... args)
        -> Future<detail::codec::task_result_t<F, Args...>> {
        return Future<detail::codec::task_result_t<F, Args...>>{submit_on<F, Args...>(worker, &options, f, args...)};
    }
    /// \}

    /// \{
    /// Chosen without a worker's index in its place; do not compile, and say so.
    template <class F, class... Args>
    requires detail::NoWorker<F>
    auto apply_on(const F&, Args&&...) {
        return static_cast<void>(sizeof(detail::worker_not_first<F>)), detail::codec::this_call_is_refused{};
    }
    template <class F, class... Args>
    requires detail::NoWorker<F>
    auto apply_on_async(const F&, Args&&...) {
        return static_cast<void>(sizeof(detail::worker_not_first<F>)), detail::codec::this_call_is_refused{};
    }
    /// \}

    // The calls over many items are defined in map/; include <procpool/procpool.hpp>. Ranges are
    // std::ranges::input_ranges. Several are zipped, to the shortest: f gets an item of each.

    /// \{
    /// Calls f(items...) for all items and waits for that. Several ranges are zipped, to the shortest: f gets an item
    /// of each. Returns: the results, in the order of the items. Throws: the error of an item, by MapOptions::on_error,
    /// or of a range, which counts as an item's at its place; once nothing of the call runs any more.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto map(F f, Ranges&&... ranges) {
        return map(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto map(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// As map(), but the elements of each item, a tuple, pair or array, are the arguments of a call.
    template <class F, class Range>
    requires(!std::same_as<F, MapOptions>) auto starmap(F f, Range&& range) {
        return starmap(MapOptions{}, std::move(f), range);
    }
    template <class F, class Range>
    auto starmap(const MapOptions& options, F f, Range&& range);
    /// \}

    /// \{
    /// As map() and starmap(), but return as soon as the input has been read. A thread of the pool calls
    /// MapOptions::progress. Returns: the future of all results. Its cancel() withdraws the items that have not
    /// started, its kill() also ends those that run; both end in TaskCancelled, once nothing of the call runs. A pool
    /// that is closed finishes the call. Throws: PoolClosed; PoolTerminated; PoolBroken; CodecError when f cannot
    /// travel; the exceptions of ranges and of the items' Codecs; std::system_error when no thread can be had.
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
    /// \}

    /// \{
    /// As map(), but a call that fails costs no other. Returns: the Outcome of each call, in the order of the items.
    /// Throws: the exceptions of ranges; PoolClosed, PoolTerminated or PoolBroken when items cannot be run.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto map_outcomes(F f, Ranges&&... ranges) {
        return map_outcomes(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto map_outcomes(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// As map(), without results. An f that takes T& changes the elements of the one range in place, which must be a
    /// SharedArray or a span in shared memory then. Throws: as map(); CodecError when the elements cannot be changed in
    /// place.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) void for_each(F f, Ranges&&... ranges) {
        for_each(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    void for_each(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// As map_async(), without results. An f that takes T& changes the elements in place, as for_each() does: they are
    /// not copied then, and must live until the future is ready. Throws: as map_async(); CodecError when the elements
    /// cannot be changed in place.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto for_each_async(F f, Ranges&&... ranges) {
        return for_each_async(MapOptions{}, std::move(f), ranges...);
    }
    template <class F, class... Ranges>
    auto for_each_async(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// Writes f(item) for every item of the range to `output`, a contiguous range of the same size. Results that were
    /// written before an error stay there. Throws: as map(); std::invalid_argument when the sizes differ.
    template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
    void map_into(F f, Range&& range, Output&& output) {
        map_into(MapOptions{}, std::move(f), range, output);
    }
    template <class F, std::ranges::input_range Range, std::ranges::contiguous_range Output>
    void map_into(const MapOptions& options, F f, Range&& range, Output&& output);
    /// \}

    /// \{
    /// Calls f(items...) for all items, while the results are read. Starts at once, and goes on when results are taken:
    /// the input is read up to MapOptions::window items ahead of them, one item to a task unless chunk_size says
    /// otherwise. Ranges passed as rvalues are kept; others must outlive the ResultRange. An input that is neither
    /// memory nor numbers is not read while there is a result to take. Returns: a ResultRange of the results, in the
    /// order of the items. The error of an item is thrown where its result would be, and costs no other. A pool that is
    /// joined meanwhile does not wait for the results to be read: it finishes the tasks that were submitted. Other
    /// items end in PoolClosed, as does the rest of a chunk that is cut short by a death, max_tasks_per_worker or
    /// refork(). Throws: std::invalid_argument; PoolClosed; CodecError when f cannot travel.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto imap(F f, Ranges&&... ranges) {
        return imap(MapOptions{}, std::move(f), std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
    auto imap(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// As imap(), but returns a ResultRange of Indexed results, in the order in which the items end.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto imap_unordered(F f, Ranges&&... ranges) {
        return imap_unordered(MapOptions{}, std::move(f), std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
    auto imap_unordered(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// As imap_unordered(), but returns a ResultRange of Indexed Outcomes: an item that fails keeps its index. f may
    /// return nothing. What concerns no single item is thrown as by imap(): the exceptions of ranges, and PoolClosed.
    template <class F, class... Ranges>
    requires(!std::same_as<F, MapOptions>) auto imap_outcomes(F f, Ranges&&... ranges) {
        return imap_outcomes(MapOptions{}, std::move(f), std::forward<Ranges>(ranges)...);
    }
    template <class F, class... Ranges>
    auto imap_outcomes(const MapOptions& options, F f, Ranges&&... ranges);
    /// \}

    /// \{
    /// Calls f(item) for all items, and folds the results in the workers. Returns: reduce(... reduce(reduce(init, b0),
    /// b1) ..., bn), where each b is the fold of f's results for 256 items, and the last one for the rest; so it is the
    /// same for any number of workers and chunks. A retried item runs again with those of its 256 before it. Throws: as
    /// map().
    template <class F, class G, class T, class Range>
    requires(!std::same_as<F, MapOptions>) T map_reduce(F f, G reduce, T init, Range&& range) {
        return map_reduce(MapOptions{}, std::move(f), std::move(reduce), std::move(init), range);
    }
    template <class F, class G, class T, class Range>
    T map_reduce(const MapOptions& options, F f, G reduce, T init, Range&& range);
    /// \}

    /// \{
    /// Calls f(item) for all items, which returns a std::pair<K, V> or a range of such pairs, and folds the values of
    /// equal keys in the workers. K needs an order (<), V is movable. Returns: a std::map<K, V>. The value of a key is
    /// the fold by reduce(V, V), from left to right, of the values that come with it: first those of an item, then
    /// those of 256 items, then of all; so it is the same for any number of workers and chunks. A key's only value
    /// stays as it is. A retried item may run again with those of its 256 before it. Throws: as map().
    template <class F, class G, class Range>
    requires(!std::same_as<F, MapOptions>) auto map_reduce_by_key(F f, G reduce, Range&& range) {
        return map_reduce_by_key(MapOptions{}, std::move(f), std::move(reduce), range);
    }
    template <class F, class G, class Range>
    auto map_reduce_by_key(const MapOptions& options, F f, G reduce, Range&& range);
    /// \}

    /// Runs f(args...) once in every worker, after its present task; if a worker dies before, its replacement runs it.
    /// Broadcasts start in the same order in every worker. Returns: the results by worker index; nothing if f returns
    /// nothing. Throws: the error of the lowest index, once all have ended: an exception of f, or WorkerDied; otherwise
    /// as apply_async(); std::system_error (resource_deadlock_would_occur) in a task of the pool.
    template <class F, class... Args>
    auto broadcast(F f, Args&&... args);

    /// \{
    /// Splits the range into size() parts in a row, whose sizes differ by at most 1, and sends each to the worker of
    /// its index, which keeps it as a std::vector until the handle is destroyed, the worker ends or is replaced.
    /// Returns: the handle. Throws: as broadcast(); the exceptions of the range and of the items' Codecs.
    template <class Range>
    requires(!std::same_as<std::remove_cvref_t<Range>, ScatterOptions>) auto scatter(Range&& range) {
        return scatter(ScatterOptions{}, range);
    }
    template <class Range>
    auto scatter(const ScatterOptions& options, Range&& range);
    /// \}

    // clang-format off
    PROCPOOL_DEFINED_IN("map/map.hpp", detail::map::MapCalls, map, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/map.hpp", detail::map::MapCalls, starmap, (const MapOptions&, F, Range&&), class F, class Range)
    PROCPOOL_DEFINED_IN("map/map.hpp", detail::map::MapCalls, map_outcomes, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/map.hpp", detail::map::MapCalls, for_each, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/map.hpp", detail::map::MapCalls, map_into, (const MapOptions&, F, Range&&, Output&&), class F, std::ranges::input_range Range, std::ranges::contiguous_range Output)
    PROCPOOL_DEFINED_IN("map/map_async.hpp", detail::map::MapAsyncCalls, map_async, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/map_async.hpp", detail::map::MapAsyncCalls, starmap_async, (const MapOptions&, F, Range&&), class F, class Range)
    PROCPOOL_DEFINED_IN("map/map_async.hpp", detail::map::MapAsyncCalls, for_each_async, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/imap.hpp", detail::map::ImapCalls, imap, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/imap.hpp", detail::map::ImapCalls, imap_unordered, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/imap.hpp", detail::map::ImapCalls, imap_outcomes, (const MapOptions&, F, Ranges&&...), class F, class... Ranges)
    PROCPOOL_DEFINED_IN("map/reduce.hpp", detail::map::MapReduceCall, map_reduce, (const MapOptions&, F, G, T, Range&&), class F, class G, class T, class Range)
    PROCPOOL_DEFINED_IN("map/scatter.hpp", detail::map::ScatterCall, scatter, (const ScatterOptions&, F&&), class F)
    PROCPOOL_DEFINED_IN("map/reduce_by_key.hpp", detail::map::MapReduceByKeyCall, map_reduce_by_key, (const MapOptions&, F, G, Range&&), class F, class G, class Range)
    PROCPOOL_DEFINED_IN("map/broadcast.hpp", detail::map::BroadcastCall, broadcast, (F, Args&&...), class F, class... Args)
    // clang-format on
#undef PROCPOOL_DEFINED_IN

private:
    /// Throws: CodecError when f is a snapshot of memory that is newer than the workers.
    template <class F>
    CallTraits traits_of_call(const F& f, detail::TaskCode code, bool plain = false) const {
        std::uintptr_t function = 0;
        if constexpr (std::is_function_v<std::remove_pointer_t<F>>) { function = reinterpret_cast<std::uintptr_t>(f); }
        if constexpr (detail::codec::is_snapshot_v<F>) {
            static_assert(!detail::engine::FarEngine<E>,
                          "procpool: a snapshot is memory of this program, which other machines do not have");
            const detail::client::Client& run_by = client();
            detail::codec::check_snapshot(f,
                                          [&](const void* address) { return is_newer_than_workers(run_by, address); });
        }
        return {.code = code, .plain = plain, .function = function};
    }

    template <class F, class... Args>
    detail::TaskHandle submit_on(std::size_t worker, const TaskOptions* options, const F& f,
                                 const std::remove_reference_t<Args>&... args) {
        detail::require_task<F, Args...>();
        if constexpr (detail::codec::TaskCall<F, Args...>) {
            return detail::PoolBase::submit_on(
                worker, traits_of_call<F>(f, detail::call_code<F, Args...>, detail::codec::is_plain_call_v<F, Args...>),
                options, [&](Writer& out) {
                    detail::codec::encode_call_for<E, F, std::remove_reference_t<Args>...>(out, f, args...);
                });
        } else {
            return {};
        }
    }

    /// options: null for the defaults. Returns: nothing when there is no room now, with Patience::try_once.
    template <class F, class... Args>
    auto submit_call(detail::client::Patience patience, const TaskOptions* options, F& f,
                     std::remove_reference_t<Args>&... args)
        -> std::optional<Future<detail::pool::result_of_call_t<F, Args...>>> {
        using Result = detail::pool::result_of_call_t<F, Args...>;
        if constexpr (detail::pool::passes_futures_v<Args...>) {
            return submit_linked_call<F, Args...>(patience, options, f, args...);
        } else {
            detail::TaskHandle task = submit<F, Args...>(patience, options, f, args...);
            if (!task.has_task()) { return std::nullopt; }
            return Future<Result>{std::move(task)};
        }
    }

    template <class F, class... Args>
    auto submit_linked_call(detail::client::Patience patience, const TaskOptions* options, F& f,
                            std::remove_reference_t<Args>&... args)
        -> std::optional<Future<detail::pool::result_of_call_t<F, Args...>>> {
        using Linked = detail::pool::linked_call_t<F, Args...>;
        using Result = typename Linked::Result;
        detail::pool::require_futures_moved<Args...>();
        Linked::require();
        if constexpr (Linked::is_task) {
            detail::core::Few<FutureArgument, 8> futures;
            detail::pool::each_future(
                [&](FutureBase& future, bool is_shared) {
                    detail::future::Argument::each_leaf(future, is_shared, [&](FutureBase& leaf, bool shared) {
                        futures.push_back({&leaf, !shared});
                    });
                },
                args...);
            CallTraits call = traits_of_call<F>(f, detail::pool::linked_code<F, Args...>,
                                                detail::pool::is_plain_linked_v<F, Args...>);
            LinkedTask submitted = PoolBase::submit_linked(
                call, options, patience, futures.all(), [&](Writer& out, detail::client::WriteDependency write) {
                    detail::codec::encode_function_for<E>(out, f);
                    std::size_t next = 0;
                    const auto encode = [&]<class Arg>(Arg& arg) {
                        if constexpr (detail::pool::Passed<Arg>::is_future) {
                            detail::pool::write_future(out, detail::pool::future_of_argument(arg), write, next);
                        } else {
                            Codec<detail::codec::wire_type_t<Arg>>::encode(out, detail::codec::to_wire(arg));
                        }
                    };
                    (encode(args), ...);
                });
            if (submitted.task.has_task() || submitted.error) {
                const auto leave_empty = []<class Arg>(Arg& arg) {
                    if constexpr (detail::pool::Passed<Arg>::is_future && std::is_base_of_v<FutureBase, Arg>) {
                        arg = Arg{};
                    }
                };
                (leave_empty(args), ...);
            }
            if (submitted.task.has_task()) { return Future<Result>{std::move(submitted.task)}; }
            if (submitted.error) { return detail::pool::failed_future<Result>(client(), std::move(submitted.error)); }
            if (!submitted.comes_later) { return std::nullopt; }
            return detail::pool::call_later<E, F, Args...>(client(), options, std::move(f), args...);
        } else {
            return std::nullopt;
        }
    }

    /// options: null for the defaults.
    template <class F, class... Args>
    detail::TaskHandle submit(detail::client::Patience patience, const TaskOptions* options, const F& f,
                              const std::remove_reference_t<Args>&... args) {
        detail::require_task<F, Args...>();
        if constexpr (detail::codec::TaskCall<F, Args...>) {
            return detail::PoolBase::submit(
                traits_of_call<F>(f, detail::call_code<F, Args...>, detail::codec::is_plain_call_v<F, Args...>),
                options, patience, [&](Writer& out) {
                    detail::codec::encode_call_for<E, F, std::remove_reference_t<Args>...>(out, f, args...);
                });
        } else {
            return {};
        }
    }
};

/// \{
/// A pool without template arguments has workers that are processes.
ProcessPool()->ProcessPool<ForkEngine>;
ProcessPool(std::size_t)->ProcessPool<ForkEngine>;
ProcessPool(PoolOptions)->ProcessPool<ForkEngine>;
template <class Options = detail::codec::MistakenOptions>
requires detail::pool::NotPoolOptions<Options> ProcessPool(const Options&)
->ProcessPool<ForkEngine>;
template <class Nothing = void>
ProcessPool(...) -> ProcessPool<ForkEngine>;
/// \}

}  // namespace procpool
