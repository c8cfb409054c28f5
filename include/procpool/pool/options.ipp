// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/options.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL void check(const PoolOptions& options) {
    const auto require = [](bool holds, const char* text) {
        if (!holds) { throw std::invalid_argument(text); }
    };
    require(options.workers <= PoolOptions::max_workers, "procpool: PoolOptions::workers must be from 0 to 2000");
    require(options.mpi.node_timeout >= std::chrono::milliseconds{100},
            "procpool: MpiOptions::node_timeout must be at least 100 ms");
    require(options.queue_capacity >= 1 && options.queue_capacity <= PoolOptions::max_queue_capacity,
            "procpool: PoolOptions::queue_capacity must be from 1 to 1048576");
    require(options.max_tasks_per_worker <= 0xffffffff,
            "procpool: PoolOptions::max_tasks_per_worker must be from 0 to 4294967295");
    require(options.start_timeout.count() > 0, "procpool: PoolOptions::start_timeout must be positive");
    require(options.terminate_grace.count() >= 0, "procpool: PoolOptions::terminate_grace must not be negative");
    require(options.grow_to <= PoolOptions::max_workers, "procpool: PoolOptions::grow_to must be from 0 to 2000");
    require(options.grow_to == 0 || options.workers <= options.grow_to,
            "procpool: PoolOptions::workers must be at most grow_to");
    require(options.min_workers >= 1 && (options.min_workers == 1 || options.workers == 0 ||
                                         options.min_workers <= std::max(options.workers, options.grow_to)),
            "procpool: PoolOptions::min_workers must be from 1 to workers");
    require(options.idle_timeout.count() >= 0, "procpool: PoolOptions::idle_timeout must not be negative");
    require(options.kill_rss == 0 || options.kill_rss >= options.max_rss,
            "procpool: PoolOptions::kill_rss must not be below PoolOptions::max_rss");
    require(options.pin == Pin::none || options.pin == Pin::cores || options.pin == Pin::nodes,
            "procpool: PoolOptions::pin must be none, cores or nodes");
    require(options.threads_per_worker <= PoolOptions::max_threads_per_worker,
            "procpool: PoolOptions::threads_per_worker must be from 0 to 65536");
}

PROCPOOL_DECL void detail::pool::check_timeout(std::chrono::nanoseconds timeout) {
    if (timeout.count() < 0) { throw std::invalid_argument("procpool: a timeout must not be negative"); }
}

PROCPOOL_DECL void detail::pool::check_task(std::chrono::nanoseconds timeout, unsigned retries, int priority) {
    check_timeout(timeout);
    if (priority < -4 || priority > 3) { throw std::invalid_argument("procpool: a priority must be from -4 to 3"); }
    if (retries > 65535) { throw std::invalid_argument("procpool: retries must be from 0 to 65535"); }
}

PROCPOOL_DECL void detail::pool::check_map(const MapOptions& options) {
    check_timeout(options.total_timeout);
    const auto require = [](bool holds, const char* text) {
        if (!holds) { throw std::invalid_argument(text); }
    };
    const double share = options.stop_after_failures.share;
    require(share >= 0 && share <= 1, "procpool: the share of MapOptions::stop_after_failures must be from 0 to 1");
    require(!options.journal || !options.journal->empty(), "procpool: MapOptions::journal must be the path of a file");
    require(!options.journal || options.journal->find('\0') == std::string::npos,
            "procpool: MapOptions::journal must be the path of a file, and has a zero in it");
    // written so that it refuses what is not a number
    require(options.hedge == 0 || (options.hedge >= 1 && options.hedge <= std::numeric_limits<double>::max()),
            "procpool: MapOptions::hedge must be 0 or at least 1");
    require(options.journal || !options.retry_failed,
            "procpool: MapOptions::retry_failed needs MapOptions::journal, which says what has failed");
}

}  // namespace procpool
