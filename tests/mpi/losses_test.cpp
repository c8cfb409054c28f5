// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <csignal>
#include <cstddef>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace machines;
using namespace std::chrono_literals;

namespace {

/// Processes of the machine of rank 1, from a task there: worker, supervisor, agent.
struct Chain {
    pid_t worker;
    pid_t supervisor;
    pid_t agent;
};
Chain chain_here() { return {::getpid(), ::getppid(), parent_of(::getppid())}; }

}  // namespace

TEST_CASE("MPI-10 a crash far away costs its task and tells where") {
    MpiPool pool{remote(2)};
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 40; ++i) {
        tasks.push_back(pool.apply_async(
            [](int n) {
                if (n % 10 == 3) { ::raise(SIGSEGV); }
                return n;
            },
            i));
    }
    int died = 0;
    for (int i = 0; i < 40; ++i) {
        auto& task = tasks[static_cast<std::size_t>(i)];
        if (i % 10 != 3) {
            CHECK(task.get() == i);
            continue;
        }
        try {
            task.get();
        } catch (const WorkerDied& error) {
            ++died;
            CHECK(error.exit_status().signal() == SIGSEGV);
            CHECK(error.pid() > 0);
            CHECK(error.backtrace().find("lambda") != std::string::npos);
        }
    }
    CHECK(died == 4);
    CHECK(pool.apply(TaskOptions{.retries = 3}, [] {
        if (this_task::attempt() < 2) { ::raise(SIGKILL); }
        return this_task::attempt();
    }) == 2);
}

TEST_CASE("MPI-10 limits of memory hold on other machines too") {
    PoolOptions options = remote(2);
    options.kill_rss = std::size_t{64} << 20;
    options.max_rss = std::size_t{32} << 20;
    MpiPool pool{options};
    const auto burst = [] {
        static std::vector<std::string> kept;
        for (int i = 0; i < 600; ++i) {
            kept.emplace_back(std::size_t{1} << 20, 'x');
            std::this_thread::sleep_for(1ms);
        }
        for (;;) { ::pause(); }
    };
    try {
        pool.apply(burst);
        FAIL("it returned");
    } catch (const MemoryLimitExceeded& error) {
        CHECK(error.limit() == options.kill_rss);
        CHECK(error.resident() > error.limit());
        CHECK(error.pid() > 0);
    }
    CHECK(pool.apply(TaskOptions{.retries = 1}, [burst] {
        if (this_task::attempt() == 0) { burst(); }
        return this_task::attempt();
    }) == 1);
    CHECK(pool.stats().memory_exceeded == 1);
    // A leak ends its worker, and costs nothing.
    std::vector<int> items(40);
    std::iota(items.begin(), items.end(), 0);
    const auto pids = pool.map(
        MapOptions{.retries = 3},
        [](int) {
            static std::vector<std::string> kept;
            kept.emplace_back(std::size_t{4} << 20, 'x');
            std::this_thread::sleep_for(20ms);
            return ::getpid();
        },
        items);
    CHECK(std::set(pids.begin(), pids.end()).size() > 2);
}

TEST_CASE("MPI-11 items that a far worker finished before it died are kept") {
    MpiPool pool{remote(1)};
    std::vector<int> items(100);
    std::iota(items.begin(), items.end(), 0);
    std::size_t lost = 0;
    const auto outcomes = pool.map_outcomes(
        MapOptions{.chunk_size = 100},
        [](int n) {
            if (n == 57) { ::raise(SIGKILL); }
            return n;
        },
        items);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i].has_value()) {
            CHECK(*outcomes[i] == static_cast<int>(i));
        } else {
            ++lost;
            CHECK(i == 57);
        }
    }
    CHECK(lost == 1);
}

TEST_CASE("MPI-12 a machine that falls silent costs the tasks it had") {
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const Chain far = pool.apply_on(1, chain_here);
    std::vector<Future<int>> tasks;
    auto without = pool.apply_on_async(1, [] {
        ::pause();
        return 0;
    });
    while (!without.running()) { std::this_thread::yield(); }
    REQUIRE(::kill(far.agent, SIGSTOP) == 0);
    for (int i = 0; i < 50; ++i) {
        tasks.push_back(pool.apply_async(
            TaskOptions{.retries = 1}, [](int n) { return n; }, i));
    }
    for (int i = 0; i < 50; ++i) { CHECK(tasks[static_cast<std::size_t>(i)].get() == i); }
    try {
        without.get();
        FAIL("no machine was lost");
    } catch (const NodeLost& lost) {
        CHECK(lost.host() == this_worker::host());
        CHECK(std::string(lost.what()).find("fell silent") != std::string::npos);
    }
    CHECK_FALSE(pool.nodes()[1].alive);
    CHECK_THROWS_AS(pool.apply_on(1, [] {}), NodeLost);
    // It takes no part from when it goes on, and ends with the pool.
    REQUIRE(::kill(far.agent, SIGCONT) == 0);
    while (::kill(far.worker, 0) == 0) { std::this_thread::yield(); }
    CHECK(pool.apply([] { return this_worker::node(); }) == 0);
}

TEST_CASE("MPI-13 a map goes on without a lost machine where there are retries") {
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const Chain far = pool.apply_on(1, chain_here);
    std::vector<int> items(400);
    std::iota(items.begin(), items.end(), 0);
    std::thread stopper{[&] {
        std::this_thread::sleep_for(50ms);
        ::kill(far.agent, SIGSTOP);
    }};
    const auto results = pool.map(
        MapOptions{.chunk_size = 4, .retries = 1},
        [](int n) {
            ::usleep(1000);
            return n;
        },
        items);
    stopper.join();
    CHECK(results == items);
    ::kill(far.agent, SIGCONT);
    while (::kill(far.worker, 0) == 0) { std::this_thread::yield(); }
}

TEST_CASE("MPI-14 a pool whose workers cannot start on a machine goes on without it") {
    const bool is_root = detail::mpi::Launch::of_this_process().rank == 0;
    PoolOptions options{.workers = 1};
    if (!is_root) {
        options.initializer = [] { throw std::runtime_error("no licence here"); };
    }
    MpiPool pool{options};
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 20; ++i) {
        tasks.push_back(pool.apply_async(TaskOptions{.retries = 2}, [] { return this_worker::node(); }));
    }
    for (auto& task : tasks) { CHECK(task.get() == 0); }
}

TEST_CASE("MPI-16 each item that a lost machine had tells that it is lost") {
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const Chain far = pool.apply_on(1, chain_here);
    const std::filesystem::path begun = std::filesystem::temp_directory_path() / "begun";
    std::thread stopper{[&] {
        while (!std::filesystem::exists(begun)) { std::this_thread::yield(); }
        ::kill(far.agent, SIGSTOP);
    }};
    std::vector<int> items(60);
    std::iota(items.begin(), items.end(), 0);
    const auto outcomes = pool.map_outcomes(
        MapOptions{.chunk_size = 5},
        [](int n, const std::string& file) {
            if (this_worker::node() == 1) {
                std::ofstream{file};
                ::pause();
            }
            ::usleep(1000);  // so that some are left for the other machine
            return n;
        },
        items, repeat(begun.string()));
    stopper.join();
    std::filesystem::remove(begun);
    std::size_t lost = 0;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i].has_value()) { continue; }
        ++lost;
        try {
            static_cast<void>(outcomes[i].value());
        } catch (const NodeLost& error) {
            CHECK(error.item() == i);
            CHECK(error.host() == this_worker::host());
        }
    }
    CHECK(lost >= 5);  // more where the machine is so slow to answer that several chunks are sent ahead
    CHECK(lost % 5 == 0);
    ::kill(far.agent, SIGCONT);
    while (::kill(far.worker, 0) == 0) { std::this_thread::yield(); }
}
