// SPDX-License-Identifier: BSL-1.0
// A pool fits itself to its machine: workers that have nothing to do leave, those that leak are replaced, a task that
// takes too much memory is ended, and what has to run faster gets more workers.

#include <procpool/procpool.hpp>

#include <chrono>
#include <cstddef>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;

/// Leaks 10 MB.
int leak(int x) {
    auto* const lost = new std::vector<char>(10'000'000, 'x');
    return lost->back() == 'x' ? x : 0;
}

/// Takes memory until it is stopped.
void take_all() {
    for (std::vector<std::vector<char>> all;; std::this_thread::sleep_for(1ms)) { all.emplace_back(1'000'000, 'x'); }
}

int main() {
    // [elastic]
    procpool::ProcessPool pool{{
        .workers = 2,
        .grow_to = 8,             // resize() may ask for so many
        .idle_timeout = 50ms,     // workers without tasks leave, and come back for tasks
        .max_rss = 100'000'000,   // a worker that has more is replaced between two items
        .kill_rss = 400'000'000,  // a task that takes more ends in MemoryLimitExceeded
        .threads_per_worker = 1,  // of OpenMP and BLAS, in each
    }};
    // [/elastic]

    const auto waits_for = [&](std::size_t workers) {
        while (pool.workers().size() != workers) { std::this_thread::sleep_for(1ms); }
    };
    waits_for(1);
    fmt::print("idle: {} of {} workers\n", pool.workers().size(), pool.size());

    std::vector<int> numbers(60, 1);
    int sum = 0;
    for (const int x : pool.imap({.chunk_size = 1}, leak, numbers)) { sum += x; }
    fmt::print("{} items have leaked 600 MB; a worker was replaced: {}\n", sum, pool.stats().workers_recycled > 0);

    try {
        pool.apply(take_all);
    } catch (const procpool::MemoryLimitExceeded& error) {
        fmt::print("a task took more than {} MB: {}\n", error.limit() / 1'000'000, error.resident() > error.limit());
    }

    pool.resize(8);
    const auto squares = pool.map([](int x) { return x * x; }, numbers);
    fmt::print("{} squares with up to {} workers\n", squares.size(), pool.size());
}
