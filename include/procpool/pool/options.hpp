// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The options of a pool and its calls.

#include <procpool/core/config.hpp>
#include <procpool/core/most_workers.hpp>
#include <procpool/pool/cpus.hpp>
#include <procpool/pool/progress.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace procpool::inline v0 {

/// How a pool is built.
struct PoolOptions {
    /// How many; 0: usable_cpus(). At most max_workers.
    std::size_t workers = 0;
    /// Runs in every worker before its first task, replacements included. If it throws, the pool is broken.
    std::function<void()> initializer = {};
    /// Runs in every worker that ends gracefully.
    std::function<void()> finalizer = {};
    /// A worker is replaced when it has run this many; 0: never. Counts items, not chunks. Threads are not replaced.
    std::size_t max_tasks_per_worker = 0;
    /// An initializer may take this long; then the pool is broken. Threads cannot be stopped, so it holds for processes
    /// only.
    std::chrono::milliseconds start_timeout{60000};
    /// Tasks accepted and not finished; beyond it apply_async() waits. At least 1.
    std::size_t queue_capacity = 4096;
    /// Between SIGTERM and SIGKILL in terminate().
    std::chrono::milliseconds terminate_grace{3000};
    /// ps and top show "<name>:<worker index>", cut to 15 characters.
    std::string name = "procpool";
    /// When which task ran on which worker is recorded, for write_trace().
    bool trace = false;

    static constexpr std::size_t max_workers = detail::core::most_workers;
    static constexpr std::size_t max_queue_capacity = std::size_t{1} << 20;
};

/// Throws: std::invalid_argument.
void check(const PoolOptions& options);

/// How one task is run.
struct TaskOptions {
    /// 0: none. From the moment the task starts; a task past it is killed with its worker. A thread is asked to stop.
    std::chrono::nanoseconds timeout{0};
    /// How often a task whose worker died, or that timed out, is run again.
    unsigned retries = 0;
    /// -4 to 3, higher first; first in first out within one priority.
    int priority = 0;
    /// Shown in errors.
    std::string label = {};
};

/// How a call over many items goes on when one of them fails.
enum class OnError {
    fail_fast,  ///< items that have not started are spared; of the errors known then, that of the lowest item is thrown
    wait_all    ///< all items are run; the error of the lowest item that failed is thrown
};

/// How a call over many items is run.
struct MapOptions {
    /// Items a worker takes at once; 0: chosen and adapted by the pool. For imap() and its relatives, 0 is one item at
    /// first, and more where items are measured to take less than about 50 µs and the input is memory or numbers; an
    /// item of any other input is sent before the next is read.
    std::size_t chunk_size = 0;
    /// For imap() and imap_unordered(): items taken from the input and not yet given to the consumer; 0: four chunks
    /// for each worker, where the pool chooses them at most 4096 items, or 16 for each worker of an input that may take
    /// its time.
    std::size_t window = 0;
    /// imap() and map_outcomes() tell every item's error anyway.
    OnError on_error = OnError::fail_fast;
    /// As in TaskOptions; for each item.
    std::chrono::nanoseconds timeout{0};
    unsigned retries = 0;
    /// As in TaskOptions.
    int priority = 0;
    std::string label = {};
    /// Called at most every 100 ms, and once at the end of a call that succeeds, by the thread that made the call and
    /// waits in it. What it throws stops the call as an error would, and comes out.
    std::function<void(const Progress&)> progress = {};
};

namespace detail::pool {

/// Throws: std::invalid_argument.
void check_task(std::chrono::nanoseconds timeout, unsigned retries, int priority);

}  // namespace detail::pool

/// Throws: std::invalid_argument.
template <class Options>
void check_task(const Options& options) {
    detail::pool::check_task(options.timeout, options.retries, options.priority);
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/pool/options.ipp>
#endif
