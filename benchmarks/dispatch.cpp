// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: what it costs to hand over a task and to get its result, against what the machine and other people's pools cost. All
/// competitors run in turn, round by round, in one process, because a machine's speed drifts; the table gives medians and ratios within
/// rounds. Usage: dispatch [ROUNDS]

#include "thread_pool.hpp"

#include <procpool/procpool.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fmt/core.h>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

/// Nanoseconds for each of `count` operations.
template <class Function>
double time_each(std::size_t count, Function function) {
    const Clock::time_point start = Clock::now();
    function();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(count);
}

void require(bool holds, const char* what) {
    if (!holds) { throw std::runtime_error(what); }
}

/// One cache line to another process and back, spinning: the least that any dispatch between two processes can cost.
double ping_pong() {
    constexpr int trips = 100'000;
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(page != MAP_FAILED, "mmap");
    auto& line = *new (page) std::atomic<int>{0};
    const pid_t child = ::fork();
    require(child >= 0, "fork");
    if (child == 0) {
        for (int i = 0; i < trips; ++i) {
            while (line.load(std::memory_order_acquire) != 2 * i + 1) {}
            line.store(2 * i + 2, std::memory_order_release);
        }
        ::_exit(0);
    }
    const auto trip = [&](int i) {
        line.store(2 * i + 1, std::memory_order_release);
        while (line.load(std::memory_order_acquire) != 2 * i + 2) {}
    };
    constexpr int warm_up = 1000;
    for (int i = 0; i < warm_up; ++i) { trip(i); }
    const double each = time_each(trips - warm_up, [&] {
        for (int i = warm_up; i < trips; ++i) { trip(i); }
    });
    ::waitpid(child, nullptr, 0);
    ::munmap(page, 4096);
    return each;
}

template <class Pool>
double round_trips(Pool& pool, std::size_t count) {
    const auto empty = [] {};
    for (int i = 0; i < 1000; ++i) { pool.apply_async(empty).get(); }
    return time_each(count, [&] {
        for (std::size_t i = 0; i < count; ++i) { pool.apply_async(empty).get(); }
    });
}

/// All submitted before the first is collected.
template <class Pool>
double submit_and_collect(Pool& pool, std::size_t count) {
    using Future = decltype(pool.apply_async([](std::uint32_t x) { return x + 1; }, std::uint32_t{}));
    std::vector<Future> futures;
    futures.reserve(count);
    std::uint64_t sum = 0;
    const double each = time_each(count, [&] {
        for (std::uint32_t i = 0; i < count; ++i) { futures.push_back(pool.apply_async([](std::uint32_t x) { return x + 1; }, i)); }
        for (Future& future : futures) { sum += future.get(); }
    });
    require(sum == std::uint64_t{count} * (count + 1) / 2, "wrong sum");
    return each;
}

/// As submit_and_collect(), many times over, while a worker is killed every second, or none is. Nanoseconds a task.
double with_kills(std::size_t workers, bool kill, std::chrono::seconds duration) {
    procpool::ProcessPool pool{workers};
    std::uint64_t tasks = 0;
    std::uint64_t lost = 0;
    std::vector<procpool::Future<std::uint32_t>> futures(1000);
    const Clock::time_point start = Clock::now();
    Clock::time_point next_kill = start + std::chrono::milliseconds{500};
    while (Clock::now() - start < duration) {
        for (int batch = 0; batch < 100; ++batch) {
            for (auto& future : futures) { future = pool.apply_async([](std::uint32_t x) { return x + 1; }, 1U); }
            for (auto& future : futures) {
                try {
                    require(future.get() == 2, "wrong result");
                } catch (const procpool::WorkerDied&) { ++lost; }
            }
        }
        tasks += 100 * futures.size();
        if (kill && Clock::now() >= next_kill) {
            ::kill(pool.workers().front().pid, SIGKILL);
            next_kill += std::chrono::seconds{1};
        }
    }
    require(lost <= static_cast<std::uint64_t>(duration.count()) + 1, "a kill cost more than one task");
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(tasks);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

struct Row {
    std::string name;
    std::vector<double> nanoseconds;
    std::vector<double> to_ping_pong;
    std::vector<double> to_procpool;

    void add(double value, double ping, double ours) {
        nanoseconds.push_back(value);
        to_ping_pong.push_back(value / ping);
        to_procpool.push_back(value / ours);
    }
    void print() const {
        const auto [least, most] = std::ranges::minmax(nanoseconds);
        fmt::print("| {} | {:.0f} | {:.0f} – {:.0f} | {:.2f} | {:.2f} |\n", name, median(nanoseconds), least, most, median(to_ping_pong), median(to_procpool));
    }
};

void run(std::size_t workers, int rounds) {
    constexpr std::size_t million = 1'000'000;
    procpool::ProcessPool processes{workers};
    benchmarks::ThreadPool threads{workers};
    Row ping{"raw cache-line ping-pong", {}, {}, {}};
    Row apply{"procpool: `apply` of an empty task", {}, {}, {}};
    Row thread_apply{"thread pool: the same", {}, {}, {}};
    Row async_apply{"`std::async`: the same", {}, {}, {}};
    Row tasks{"procpool: a million tasks submitted, then collected", {}, {}, {}};
    Row thread_tasks{"thread pool: the same", {}, {}, {}};
    int near = 0;
    for (int round = 0; round < rounds; ++round) {
        const double trip = ping_pong();
        const double ours = round_trips(processes, 50'000);
        const double our_tasks = submit_and_collect(processes, million);
        near += trip < 100 ? 1 : 0;
        ping.add(trip, trip, ours);
        apply.add(ours, trip, ours);
        thread_apply.add(round_trips(threads, 10'000), trip, ours);
        async_apply.add(time_each(2000, [] { for (int i = 0; i < 2000; ++i) { std::async(std::launch::async, [] {}).get(); } }), trip, ours);
        tasks.add(our_tasks, trip, our_tasks);
        thread_tasks.add(submit_and_collect(threads, million), trip, our_tasks);
    }
    fmt::print("\n{} worker{}, {} rounds, in {} of them the ping-pong read under 100 ns\n\n", workers, workers == 1 ? "" : "s", rounds, near);
    fmt::print("| nanoseconds for each | median | from – to | to the ping-pong | to procpool |\n| --- | ---: | ---: | ---: | ---: |\n");
    for (const Row* row : {&ping, &apply, &thread_apply, &async_apply, &tasks, &thread_tasks}) { row->print(); }
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 11;
    for (const std::size_t workers : {1U, 2U}) { run(workers, rounds); }

    std::vector<double> calm;
    std::vector<double> killed;
    for (int round = 0; round < std::max(1, rounds / 3); ++round) {
        calm.push_back(with_kills(2, false, std::chrono::seconds{3}));
        killed.push_back(with_kills(2, true, std::chrono::seconds{3}));
    }
    fmt::print("\n2 workers, a worker killed every second: {:.0f} ns for each task, {:.0f} ns without; ratio {:.2f}\n", median(killed), median(calm), median(killed) / median(calm));
}
