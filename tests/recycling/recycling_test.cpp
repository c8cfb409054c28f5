// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

[[nodiscard]] PoolOptions recycled(std::size_t workers, std::size_t limit) {
    return {.workers = workers, .max_tasks_per_worker = limit};
}

[[nodiscard]] std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// How many items each process has run, by its number.
template <class Range>
[[nodiscard]] std::map<pid_t, std::size_t> count_by_process(const Range& pids) {
    std::map<pid_t, std::size_t> counts;
    for (const pid_t pid : pids) { ++counts[pid]; }
    return counts;
}

TEST_CASE("RCY-01 workers are replaced after the limit - results are right and no worker does more") {
    Muster muster;
    Pool pool{recycled(3, 10)};
    std::vector<Future<std::pair<int, pid_t>>> futures;
    for (int i = 0; i < 100; ++i) {
        futures.push_back(pool.apply_async([](int n) { return std::pair{n * n, ::getpid()}; }, i));
    }
    std::vector<pid_t> pids;
    for (int i = 0; i < 100; ++i) {
        const auto [square, pid] = get_soon(futures[static_cast<std::size_t>(i)]);
        CHECK(square == i * i);
        pids.push_back(pid);
    }
    const auto counts = count_by_process(pids);
    CHECK(counts.size() >= 10);
    for (const auto& [pid, count] : counts) { CHECK(count <= 10); }
    futures.clear();
    require_whole(pool, muster);
    CHECK(pool.stats().workers_died == 0);
    CHECK(pool.stats().failed == 0);
    wait_until([&] { return pool.stats().workers_recycled >= 9; }, "the last to be counted");
}

TEST_CASE("RCY-01 one worker and a limit: exactly every so many tasks another process") {
    for (const std::size_t limit : {1U, 2U, 3U}) {
        Pool pool{recycled(1, limit)};
        std::vector<pid_t> pids;
        for (int i = 0; i < 12; ++i) { pids.push_back(pool.apply(::getpid)); }
        const auto counts = count_by_process(pids);
        CHECK(counts.size() == 12 / limit);
        for (const auto& [pid, count] : counts) { CHECK(count == limit); }
    }
}

TEST_CASE("RCY-06 a limit that is no number of tasks is refused") {
    CHECK_THROWS_AS(Pool(PoolOptions{.workers = 1, .max_tasks_per_worker = static_cast<std::size_t>(-1)}),
                    std::invalid_argument);
    CHECK_THROWS_AS(ThreadPool(PoolOptions{.workers = 1, .max_tasks_per_worker = std::size_t{1} << 32}),
                    std::invalid_argument);
}

TEST_CASE("RCY-03 a backlog and recycling strand no task", "[slow]") {
    struct Row {
        std::size_t workers;
        std::size_t limit;
        int tasks;
    };
    for (const auto& [workers, limit, tasks] :
         {Row{1, 2, 6}, Row{2, 2, 8}, Row{1, 1, static_cast<int>(times(1000))},
          Row{4, 1, static_cast<int>(times(2000))}, Row{2, 3, static_cast<int>(times(2000))}}) {
        Muster muster;
        Pool pool{recycled(workers, limit)};
        std::vector<Future<int>> futures;
        for (int i = 0; i < tasks; ++i) {
            futures.push_back(pool.apply_async([](int n) { return n; }, i));
        }
        for (int i = 0; i < tasks; ++i) {
            if (get_soon(futures[static_cast<std::size_t>(i)]) != i) { FAIL("a wrong result"); }
        }
        futures.clear();
        require_whole(pool, muster);
        CHECK(pool.stats().workers_died == 0);
    }
}

TEST_CASE("RCY-04 a recycled pool is closed before it has finished") {
    for (const int throwing : {-1, 2}) {
        for (const bool join : {true, false}) {
            SharedPage page;
            const Gate open{page};
            std::vector<Future<int>> futures;
            {
                Pool pool{recycled(3, 1)};
                for (int i = 0; i < 6; ++i) {
                    futures.push_back(pool.apply_async(
                        [](Gate gate, int n, int bad) {
                            gate.wait();
                            if (n == bad) { throw std::out_of_range("x"); }
                            return n;
                        },
                        open, i, throwing));
                }
                pool.close();
                open.set();
                if (join) { CHECK(pool.join_for(wait_limit)); }
            }
            for (int i = 0; i < 6; ++i) {
                auto& future = futures[static_cast<std::size_t>(i)];
                CHECK(future.ready());
                if (i == throwing) {
                    CHECK_THROWS_AS(future.get(), std::out_of_range);
                } else {
                    CHECK(future.get() == i);
                }
            }
        }
    }
}

TEST_CASE("RCY-07 planned exits are silent and leave nothing and the initializer runs once in every process",
          "[slow]") {
    Muster muster;
    SharedPage page;
    static const Counter* made = nullptr;
    static const Counter* ended = nullptr;
    const Counter initialized{page};
    const Counter finalized{page};
    made = &initialized;
    ended = &finalized;
    static pid_t initialized_in = 0;
    PoolOptions options = recycled(4, 1);
    options.initializer = [] {
        made->add();
        initialized_in = ::getpid();
    };
    options.finalizer = [] { ended->add(); };
    const std::size_t tasks = times(1000);
    {
        Pool pool{options};
        const std::size_t descriptors = open_descriptors();
        std::vector<Future<bool>> futures;
        for (std::size_t i = 0; i < tasks; ++i) {
            futures.push_back(pool.apply_async([] { return initialized_in == ::getpid(); }));
        }
        for (Future<bool>& future : futures) {
            if (!get_soon(future)) { FAIL("a task ran where no initializer did"); }
            if (pool.workers().size() > 8) { FAIL("too many workers"); }
        }
        CHECK(open_descriptors() == descriptors);
        futures.clear();
        require_whole(pool, muster);
        CHECK(pool.stats().workers_died == 0);
        CHECK(pool.stats().failed == 0);
        pool.close();
        pool.join();
        CHECK(initialized.value() == static_cast<std::int64_t>(pool.stats().workers_started));
        CHECK(pool.stats().workers_recycled >= tasks - 4);
    }
    CHECK(finalized.value() == initialized.value());
}

TEST_CASE("items of a map count not chunks: no worker runs more than its limit and every item runs once") {
    for (const std::size_t limit : {1U, 3U, 7U, 10U}) {
        for (const std::size_t chunk : {0U, 1U, 4U, 10U, 64U}) {
            Pool pool{recycled(2, limit)};
            const auto pids = pool.map(
                MapOptions{.chunk_size = chunk}, [](int) { return ::getpid(); }, numbers(60));
            std::size_t whole = 0;
            const auto counts = count_by_process(pids);
            for (const auto& [pid, count] : counts) {
                CHECK(count <= limit);
                whole += count == limit ? 1U : 0U;
            }
            CHECK(counts.size() >= (60 + limit - 1) / limit);
            CHECK(whole + 4 >= counts.size());  // those that are there at the end have some left
            CHECK(pool.stats().workers_died == 0);
        }
    }
}

TEST_CASE("the order of a map's results - its errors and its side effects survive recycling") {
    SharedPage page;
    const Counter runs{page};
    Pool pool{recycled(2, 3)};
    const auto item = [](int i) { return std::string(static_cast<std::size_t>(i), 'x'); };
    std::vector<std::string> expected;
    for (const int i : numbers(200)) { expected.push_back(item(i)); }
    CHECK(pool.map(MapOptions{.chunk_size = 8}, item, numbers(200)) == expected);
    pool.for_each(MapOptions{.chunk_size = 16}, snapshot([runs](int) { runs.add(); }), numbers(100));
    CHECK(runs.value() == 100);
    CHECK_THROWS_WITH(pool.map(
                          MapOptions{.chunk_size = 16},
                          [](int i) {
                              if (i == 37) { throw std::runtime_error("number 37"); }
                              return i;
                          },
                          numbers(100)),
                      "number 37");
}

TEST_CASE("10 000 items with a limit of one: each runs once in a process of its own", "[slow]") {
    const auto count = static_cast<int>(times(10'000) / (under_sanitizer ? 2 : 1));
    Muster muster;
    Pool pool{recycled(2, 1)};
    const auto pids = pool.map([](int) { return ::getpid(); }, numbers(count));
    const std::set<pid_t> different(pids.begin(), pids.end());
    CHECK(different.size() == pids.size());
    require_whole(pool, muster);
    CHECK(pool.stats().workers_died == 0);
    CHECK(pool.stats().workers_recycled + 8 >= static_cast<std::size_t>(count));
}

TEST_CASE("a replacement is there before the old worker has gone: no capacity is missed while a finalizer is slow") {
    SharedPage page;
    static const Gate* release = nullptr;
    const Gate open{page};
    release = &open;
    PoolOptions options = recycled(2, 1);
    options.finalizer = [] { release->wait(); };
    Pool pool{options};
    const pid_t first = pool.apply(::getpid);  // this worker leaves slowly now
    const Counter arrived{page};
    // Two tasks at once, although one of the two workers has not ended.
    std::vector<Future<pid_t>> both;
    for (int i = 0; i < 2; ++i) {
        both.push_back(pool.apply_async(
            [](Counter here) {
                here.add();
                here.wait_for(2);
                return ::getpid();
            },
            arrived));
    }
    for (auto& one : both) { CHECK(get_soon(one, recovery) != first); }
    CHECK(is_alive(first));
    open.set();
}

TEST_CASE("indices stay unique and known to the workers through thousands of replacements", "[slow]") {
    Muster muster;
    Pool pool{recycled(3, 2)};
    for (std::size_t round = 0; round < times(300); ++round) {
        for (const std::size_t index : pool.map(
                 MapOptions{.chunk_size = 1}, [](int) { return this_worker::index(); }, numbers(10))) {
            if (index > 2) { FAIL("a worker had index " << index); }
        }
    }
    require_whole(pool, muster);
}

/// The process that waits to replace the next worker that leaves.
[[nodiscard]] pid_t spare_of(const Pool& pool) {
    pid_t found = 0;
    wait_until(
        [&] {
            const std::uint32_t spare = board_of(pool).from_workers.spare.load();
            if (spare != 0) { found = board_of(pool).seats()[spare - 1].pid.load(); }
            return found != 0 && is_alive(found);
        },
        "a spare worker", recovery);
    return found;
}

TEST_CASE("the spare worker is killed again and again while idle and under load") {
    Muster muster;
    Pool pool{recycled(2, 3)};
    for (int round = 0; round < 30; ++round) {
        const pid_t spare = spare_of(pool);
        std::vector<Future<int>> futures;
        if (round % 2 == 0) {
            for (int i = 0; i < 20; ++i) {
                futures.push_back(pool.apply_async(
                    TaskOptions{.retries = 1}, [](int n) { return n; }, i));
            }
        }
        ::kill(spare, SIGKILL);
        for (int i = 0; i < 20; ++i) {
            futures.push_back(pool.apply_async(
                TaskOptions{.retries = 1}, [](int n) { return n; }, i));
        }
        for (Future<int>& future : futures) { static_cast<void>(get_soon(future, recovery)); }
        wait_until_gone(spare, recovery);
    }
    require_whole(pool, muster);
}

TEST_CASE("the spare worker is stopped: the pool goes on without it") {
    Muster muster;
    Pool pool{recycled(2, 3)};
    for (int round = 0; round < 4; ++round) {
        const pid_t spare = spare_of(pool);
        ::kill(spare, SIGSTOP);
        // Otherwise it might still take a task, if it is no spare worker any more.
        wait_until([&] { return state_in("/proc/" + std::to_string(spare)) == 'T'; }, "the worker to stop", recovery);
        std::vector<Future<int>> futures;
        for (int i = 0; i < 50; ++i) {
            futures.push_back(pool.apply_async([](int n) { return n; }, i));
        }
        for (Future<int>& future : futures) { static_cast<void>(get_soon(future, recovery)); }
        ::kill(spare, round % 2 == 0 ? SIGKILL : SIGCONT);
        wait_for_full_set(pool);
        require_whole(pool, muster);
    }
}

TEST_CASE("a worker that dies while it leaves costs nothing") {
    Muster muster;
    PoolOptions options = recycled(2, 5);
    options.finalizer = [] { ::kill(::getpid(), SIGKILL); };
    Pool pool{options};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 200; ++i) {
        futures.push_back(pool.apply_async([](int n) { return n; }, i));
    }
    for (int i = 0; i < 200; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == i); }
    futures.clear();
    require_whole(pool, muster);
    CHECK(pool.stats().failed == 0);
}

TEST_CASE("a deadline - a crash and a retry meet recycling") {
    Muster muster;
    Pool pool{recycled(3, 4)};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 120; ++i) {
        futures.push_back(pool.apply_async(
            TaskOptions{.timeout = i % 10 == 3 ? 500ms : 0ms, .retries = 1},  // time enough for the second attempt
            [](int n) {
                if (this_task::attempt() == 0 && n % 10 == 3) { spin_for_ever(); }
                if (this_task::attempt() == 0 && n % 10 == 7) { ::kill(::getpid(), SIGKILL); }
                return n;
            },
            i));
    }
    for (int i = 0; i < 120; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)]) == i); }
    CHECK(pool.stats().retried == 24);
    futures.clear();
    require_whole(pool, muster);
}

TEST_CASE("FRK-02 eight threads submit/cancel and read while every task replaces its worker", "[slow]") {
    Muster muster;
    Pool pool{recycled(4, 1)};
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < static_cast<int>(times(600)); ++i) {
                auto future = pool.apply_async([](int n) { return n; }, i);
                if ((i + t) % 7 == 0) { static_cast<void>(future.cancel()); }
                try {
                    if (get_soon(future) != i) { ++wrong; }
                } catch (const TaskCancelled&) {
                    if ((i + t) % 7 != 0) { ++wrong; }
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    require_whole(pool, muster);
    CHECK(pool.stats().workers_died == 0);
}

}  // namespace
