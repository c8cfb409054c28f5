// expect-errors
// besides: cannot pass initializer list
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <chrono>
#include <vector>

// Options in braces, which the compiler only compares with what a call takes.

using namespace std::chrono_literals;

int thrice(int n) { return 3 * n; }

void use(procpool::Pool& pool, const std::vector<int>& numbers) {
    // expect-error: these braces are no options of this call: a task has timeout, retries, priority, label.*has a unit
    const int first = pool.apply({.timeout = 5}, thrice, 1);
    // expect-error: these braces are no options of this call: a task has timeout, retries, priority, label
    pool.apply_async({.chunk_size = 5}, thrice, 1).get();
    // expect-error: these braces are no options of this call.*many items have chunk_size, window, on_error
    const std::vector<int> third = pool.map({.chunksize = 5}, thrice, numbers);
    // expect-error: these braces are no options of this call
    pool.for_each({.timeout = 1}, thrice, numbers);
    // expect-error: these braces are no options of this call
    const auto fifth = pool.map_reduce({.retries = "3"}, thrice, thrice, 0, numbers);
    // expect-error: these braces are no options of this call.*workers and the rest are the pool.s
    const auto sixth = procpool::fork_map({.workers = "2"}, thrice, numbers);
    // expect-error: a.pool.is.built.with.a.number.or.with.PoolOptions
    const procpool::ProcessPool seventh{{.worker = 2}};
    // expect-error: a.pool.is.built.with.a.number.or.with.PoolOptions
    const procpool::ProcessPool eighth{2, [] {}};
    // expect-error: options are of the wrong kind
    const auto ninth = pool.broadcast(procpool::TaskOptions{}, thrice, 1);
    // expect-error: a pool is built with PoolOptions, as in.*workers, initializer, finalizer.*a time has a unit
    const procpool::ProcessPool tenth{{.max_workers = 2}};
    // expect-error: a pool is built with PoolOptions
    const procpool::ProcessPool eleventh{procpool::TaskOptions{.retries = 2}};
}
