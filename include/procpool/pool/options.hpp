// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The options of a pool and its calls.

#include <procpool/core/config.hpp>
#include <procpool/core/most_workers.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/pool/cpus.hpp>
#include <procpool/pool/progress.hpp>
#include <procpool/worker/initializer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace procpool::inline v0 {

/// The processors that the workers of a pool are bound to.
enum class Pin {
    none,   ///< nothing: they run where the program may
    cores,  ///< each to one of the processors that the program may use, by its index; several to one where there are
            ///< more workers than processors
    nodes   ///< each to those processors of one memory node that the program may use, by its index, in turns
};

/// How a pool is built.
struct PoolOptions {
    /// The number of workers, at most max_workers; 0: usable_cpus().
    std::size_t workers = 0;
    /// Runs in every worker before its first task, replacements included. If it throws, the pool is broken. An object
    /// of a class that it returns is kept there for tasks, which get it by with_state() and this_worker::state(): a
    /// model, a connection. It is made in each worker, thread or process, and need not be movable.
    Initializer initializer = {};
    /// Runs in every worker that ends gracefully; then the object that the initializer returned is destroyed.
    std::function<void()> finalizer = {};
    /// A worker is replaced when it has run this many tasks, or items of calls over many; 0: never. Threads are not
    /// replaced.
    std::size_t max_tasks_per_worker = 0;
    /// The time that an initializer may take; beyond it the pool is broken. Threads cannot be stopped, so it holds for
    /// processes only.
    std::chrono::milliseconds start_timeout{60000};
    /// The number of tasks that are accepted and not finished, from 1 to max_queue_capacity; beyond it apply_async()
    /// waits.
    std::size_t queue_capacity = 4096;
    /// Time between SIGTERM and SIGKILL in terminate().
    std::chrono::milliseconds terminate_grace{3000};
    /// ps and top show name:index for each worker, cut to 15 characters.
    std::string name = "procpool";
    /// Records when each task ran on which worker, for write_trace().
    bool trace = false;
    /// Measures how long tasks wait and run, for PoolStats::waiting and PoolStats::running.
    bool latencies = false;
    /// Records where each exception that leaves a task was thrown, for backtrace_of(); costs such an exception some
    /// microseconds, and nothing else. Where tasks run in this process, as those of a ThreadPool, it then holds for the
    /// tasks of all such pools.
    bool backtraces = false;
    /// For an MpiPool. `workers` is then the number on each machine.
    MpiOptions mpi = {};
    /// The most workers that resize() may ask for; 0: `workers`. A place without a worker costs some address space.
    std::size_t grow_to = 0;
    /// A worker that has had no task for so long leaves, down to min_workers; 0: none leaves. When a task finds all
    /// workers busy, those that have left come back. What a worker keeps goes with it, such as parts of scatter().
    /// Threads stay.
    std::chrono::milliseconds idle_timeout{0};
    /// The number of workers that stay, however long they are idle; from 1 to `workers`.
    std::size_t min_workers = 1;
    /// A worker that has more memory than so many bytes of its own is replaced after the task or item that it runs, as
    /// by max_tasks_per_worker; 0: never. Its own is what it has in memory beyond what it had when it was forked, but
    /// for files and shared memory, such as Shared and SharedArray; what a task decodes, makes and returns counts, and
    /// pages that it has inherited and changes do not. It is looked at every 100
    /// ms while it runs tasks. A worker that has too much before its first task runs one all the same. Threads have no
    /// memory of their own: other pools than those of processes ignore this, kill_rss and memory_reserve.
    std::size_t max_rss = 0;
    /// A worker that has more than so many bytes, likewise, while it runs a task is killed: the task, or the item,
    /// ends in MemoryLimitExceeded, or runs again if it has retries; 0: never. Not below max_rss. Within 100 ms a task
    /// may take some hundred megabytes more.
    std::size_t kill_rss = 0;
    /// So many bytes of memory stay free, on the machine and in each control group that the program is in. While less
    /// is left, or processes wait for memory for 10 % of the time, one worker alone begins tasks and items. Otherwise
    /// the pool learns how much a worker needs, and lets no more of them begin than can all have that beside the
    /// reserve: it begins with one worker, and takes some tenths of a second to learn. What has begun goes on, and so
    /// do tasks for one worker alone, as of broadcast(). Tasks that wait for others to begin, other than by futures,
    /// may wait for as long as memory is scarce. Each time that memory gets scarce is logged once, as a warning. 0: all
    /// workers begin tasks always.
    std::size_t memory_reserve = 0;
    /// The processors that workers are bound to, before their initializer: of the processors that the thread which
    /// builds the pool may use then. A replacement is bound as the worker that it replaces; with max_tasks_per_worker
    /// its initializer may run before that. Threads and processes that a task starts are bound with it; the program's
    /// other threads are not. Where the system refuses it, the log has one warning, and the worker runs anywhere. Holds
    /// for the threads of a ThreadPool too; an InlinePool, whose tasks run in the caller's thread, ignores it.
    Pin pin = Pin::none;
    /// The number of threads that OpenMP and the usual BLAS libraries start in each worker; 0: as the program's
    /// environment says. Sets OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS, BLIS_NUM_THREADS,
    /// VECLIB_MAXIMUM_THREADS, NUMEXPR_NUM_THREADS and NUMBA_NUM_THREADS in the worker, before its initializer;
    /// libraries that the program has loaded, and which have read these already, are told by their own functions, where
    /// the loader finds these: for OpenMP that holds for the thread that runs the tasks. The thread that builds the
    /// pool gives its idle OpenMP threads up, since GCC's library hangs in children otherwise; a parallel region makes
    /// them again. TBB reads no variable: it starts a thread for each processor that a worker is bound to, see pin, or
    /// what a tbb::global_control says that the initializer makes. In a ThreadPool it holds for OpenMP and MKL, whose
    /// numbers belong to a thread; nothing else is set there, nor in an InlinePool.
    std::size_t threads_per_worker = 0;

    /// The most workers a pool may have.
    static constexpr std::size_t max_workers = detail::core::most_workers;
    /// The largest threads_per_worker.
    static constexpr std::size_t max_threads_per_worker = std::size_t{1} << 16;
    /// The largest queue_capacity.
    static constexpr std::size_t max_queue_capacity = std::size_t{1} << 20;
};

/// Checks options as ProcessPool's constructor does. Throws: std::invalid_argument.
void check(const PoolOptions& options);

/// How one task is run.
struct TaskOptions {
    /// The time that the task may take from its start; 0: any. A task that exceeds it is killed with its worker; one
    /// that runs in a thread is asked to stop.
    std::chrono::nanoseconds timeout{0};
    /// The number of times that a task is run again when its worker dies or it times out.
    unsigned retries = 0;
    /// From -4 to 3. Higher ones start first; tasks of one priority start in the order of their submission.
    int priority = 0;
    /// Names the task in errors, logs and traces.
    std::string label = {};
};

/// How a call over many items goes on when one of them fails.
enum class OnError {
    fail_fast,  ///< items that have not started are not run; of the errors so far, that of the lowest item is thrown
    wait_all    ///< all items are run; the error of the lowest item that failed is thrown
};

/// How many items of a call may fail before it gives up, though it would go on after each of them.
struct FailureLimit {
    /// So many; 0: any number.
    std::size_t count = 0;
    /// A share of the items that have ended, above 0 and up to 1; 0: any. Those that a journal had do not count.
    double share = 0;
    /// The share counts only when at least so many have failed: the first items say little.
    std::size_t least = 3;
};

/// How a call over many items is run.
struct MapOptions {
    /// The number of items that a worker takes at once; 0: the pool chooses and adapts it. For imap() and
    /// its relatives, 0 means one item at first, and more where items turn out to take less than about 50 µs and the
    /// input is memory or numbers; an item of any other input is sent before the next is read.
    std::size_t chunk_size = 0;
    /// For imap() and its relatives: the number of items taken from the input and not yet given to the consumer. 0:
    /// four chunks for each worker; where the pool chooses the chunks, at most 4096 items, or 16 for each worker of an
    /// input that may be slow.
    std::size_t window = 0;
    /// Ignored by imap(), its relatives and map_outcomes(), which tell every item's error.
    OnError on_error = OnError::fail_fast;
    /// As TaskOptions::timeout, for each item.
    std::chrono::nanoseconds timeout{0};
    /// As TaskOptions::retries, for each item.
    unsigned retries = 0;
    /// As TaskOptions::priority.
    int priority = 0;
    /// As TaskOptions::label, for all tasks of the call.
    std::string label = {};
    /// Called at most every 100 ms, and once at the end of a call that succeeds, by the thread that made the call and
    /// waits in it. An exception of it stops the call as an item's error would, and is thrown by the call. Items of a
    /// chunk that runs on another machine of an MpiPool count some 200 ms later.
    std::function<void(const Progress&)> progress = {};
    /// The time that the whole call may take; 0: any. Items that have not ended by then end in TaskTimedOut, whose
    /// limit() is this time, each with its index: those that run are killed with their workers (threads are asked to
    /// stop), and nothing is retried. Counts from the call; for imap() and its relatives from the first item taken from
    /// the input, and they look at the time when a result is requested: until then, items that run go on, and a range
    /// that is destroyed looks no more. An input whose size is not known is read no further: one item that ends in
    /// TaskTimedOut stands for the rest of it, for imap() and its relatives also where its end had not been seen. What
    /// the call's own thread is at is not interrupted, such as an input that blocks or the folding of map_reduce(), nor
    /// is an item of an InlinePool. stats() counts the chunks as cancelled.
    std::chrono::nanoseconds total_timeout{0};
    /// When this is reached, items that have not started are not run, those that run are let finish, and the call ends
    /// in TooManyFailures, also where a failed item would be a result. For imap_outcomes(), map_outcomes(), imap() and
    /// imap_unordered(), and with OnError::wait_all; other calls end with their first failure anyway and refuse it.
    FailureLimit stop_after_failures = {};
    /// The path of a file in which results are kept as they come. When the program has died, or was interrupted, the
    /// same call goes on where it was: items whose results are there are not run again, those that are new or changed
    /// are. An item is known by its place and a checksum, so one that is put in front makes those behind it run. What a
    /// killed program had recorded is there; when the machine dies, all but the last two seconds. Results of long items
    /// are recorded one by one, others every 20 ms or so; a failure is not kept, the item runs again. The number of
    /// workers, chunks, retries and so on may differ between the runs.
    ///
    /// The file is for one call: for its kind, its function, with what that has captured or is bound to, the types of
    /// items and results, and the build of the program (see journal_version); JournalMismatch otherwise. It stays when
    /// the call has succeeded, and then gives all results to the next one (see journal_keep). Only one call at a time
    /// may use it: JournalBusy. A damaged record is as if it were not there; what a program wrote half is cut off.
    /// Where a record cannot be written, since the disk is full, the call goes on, with one warning in the log.
    ///
    /// Checksums are of an item's bytes, those of spans and Refs of what they refer to; other addresses in items or
    /// results end in CodecError. Results are copied, also where workers could write them into shared memory.
    /// for_each() of a function that changes its items, and fork_map(), refuse a journal. The call's own thread writes
    /// it: some microseconds for each record.
    std::optional<std::string> journal = {};
    /// Stands for the build of the program in the journal, so that a rebuild goes on with the journal of an earlier
    /// build. Change it when the function changes, or is another one: then only a function pointer is known by itself,
    /// by its symbol, where the program has symbols, and a closure by the bytes that it captured. Memory that it refers
    /// to, as a snapshot() does, is taken to be the same.
    std::string journal_version = {};
    /// Whether the journal stays when the call has succeeded, and no item has failed.
    bool journal_keep = true;
    /// With a journal, only the items run that had failed when it was written: what it has results of is given, and
    /// the others end in TaskCancelled. Only where a failed item is a result: map_outcomes(), imap_outcomes(), imap()
    /// and imap_unordered(). (Without it failed items run again, and so do those that have not run.)
    bool retry_failed = false;
    /// A chunk of items that takes longer than so many times what it should, going by the median of those that have
    /// ended, and 1 ms, runs a second time when the call has nothing else to run and fewer tasks than there are
    /// workers. The first of the two that ends with results or an exception counts; the other one is asked to stop, and
    /// killed if it still runs when the call ends. One whose worker dies, or that times out, leaves the other one to
    /// count; the chunk is lost when both are. So items may run twice, with all that they do, but each is counted once:
    /// in results, progress, journal and failures; to stats(), a second run is a task of its own, and one that is
    /// killed a worker that died. With retries, each of the two has them. All items of the chunk run again that had not
    /// ended when it was submitted. 0: nothing runs twice; otherwise at least 1.
    ///
    /// Chunks' arguments are kept in this process meanwhile, and results are copied, also where workers could write
    /// them into shared memory. for_each() of a function that changes its items refuses it. imap() and its relatives
    /// have chunks run again while their consumer waits. Threads cannot be killed: the call waits until a run that does
    /// not count has stopped, so it gains only where the function looks at its std::stop_token. An InlinePool ignores
    /// it.
    double hedge = 0;
    /// For a function that takes a `Random&` behind its items, f(items..., Random&), or f(std::stop_token, items...,
    /// Random&): the item at index i of the input gets Random{seed, i}, so that results do not depend on workers,
    /// chunks, retries and what a journal had. A journal is for one seed, where the function takes a generator.
    std::uint64_t seed = 0;
};

/// How a range is scattered.
struct ScatterOptions {
    /// Keeps a copy of each part in this process, encoded. A part that is lost with its worker is made again of it, as
    /// it was when it was scattered; the changes that were made since are gone.
    bool remake = false;
};

namespace detail::pool {

/// Throws: std::invalid_argument.
void check_timeout(std::chrono::nanoseconds timeout);
/// Throws: std::invalid_argument.
void check_task(std::chrono::nanoseconds timeout, unsigned retries, int priority);
/// Checks what only calls over many items have. Throws: std::invalid_argument.
void check_map(const MapOptions& options);

}  // namespace detail::pool

/// Checks TaskOptions or MapOptions as the calls do. Throws: std::invalid_argument.
template <class Options>
void check_task(const Options& options) {
    detail::pool::check_task(options.timeout, options.retries, options.priority);
    if constexpr (requires { options.total_timeout; }) { detail::pool::check_map(options); }
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/pool/options.ipp>
#endif
