// SPDX-License-Identifier: BSL-1.0
#include "chaos/mixed_work.hpp"

#include <random>
#include <thread>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

/// Mixed work with deaths that the tasks bring upon themselves.
void work_and_die(PoolOptions options, std::size_t threads, int rounds) {
    Muster muster;
    Pool pool{std::move(options)};
    std::vector<std::thread> workers;
    std::vector<std::string> wrong(threads);
    for (std::size_t i = 0; i < threads; ++i) {
        workers.emplace_back([&, i] {
            try {
                MixedWork work{pool, static_cast<unsigned>(i) + 1};
                for (int round = 0; round < rounds; ++round) {
                    work.some();
                    auto deadly = pool.apply_async([] { ::kill(::getpid(), SIGKILL); });
                    try {
                        get_soon(deadly);
                        throw std::logic_error("it must have died");
                    } catch (const WorkerDied&) {}
                }
            } catch (const std::exception& error) { wrong[i] = error.what(); }
        });
    }
    for (std::thread& worker : workers) { worker.join(); }
    for (const std::string& text : wrong) {
        if (!text.empty()) { throw std::runtime_error(text); }
    }
    wait_for_full_set(pool, 5 * recovery);
    muster.call(pool, 5 * recovery);
}

TEST_CASE("64 workers on few processors with deaths/deadlines and cancellations", "[slow]") {
    work_and_die({.workers = 64}, 3, 10);
}

TEST_CASE("64 workers that are recycled on few processors", "[slow]") {
    work_and_die({.workers = 64, .max_tasks_per_worker = 7}, 2, 10);
}

TEST_CASE("with 256 descriptors: deaths/recycling/deadlines and cancellations", "[slow]") {
    Subprocess program{[] {
        const rlimit few{256, 256};
        ::setrlimit(RLIMIT_NOFILE, &few);
        work_and_die({.workers = 100, .max_tasks_per_worker = 20}, 2, 5);
        work_and_die({.workers = 3, .max_tasks_per_worker = 2}, 2, 20);
        Pool first{4};
        Pool second{4};
        std::printf("%d", first.apply([] { return 4; }) + second.apply([] { return 3; }));
    }};
    CHECK(exited_with(program.wait(100s), 0));
    CHECK(program.output() == "7");
}

TEST_CASE("on one processor: deaths/recycling/deadlines and cancellations", "[slow]") {
    Subprocess program{[] {
        cpu_set_t one;
        CPU_ZERO(&one);
        ::sched_getaffinity(0, sizeof one, &one);
        for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(cpu, &one) && kept++ > 0) { CPU_CLR(cpu, &one); }
        }
        ::sched_setaffinity(0, sizeof one, &one);
        work_and_die({.workers = 4}, 2, 20);
        work_and_die({.workers = 2, .max_tasks_per_worker = 3}, 2, 20);
    }};
    CHECK(exited_with(program.wait(100s), 0));
    CHECK(program.output().empty());
}

TEST_CASE("SIG-06 an alarm that a task leaves armed - a thread that it leaves behind - a group that it leaves") {
    Muster muster;
    Pool pool{1};
    pool.apply([] { static_cast<void>(::alarm(2)); });  // time enough to submit the next one
    auto hit = pool.apply_async([] { std::this_thread::sleep_for(30s); });
    try {
        get_soon(hit);
        FAIL("the alarm did not come");
    } catch (const WorkerDied& died) { CHECK(died.exit_status() == ExitStatus::from_signal(SIGALRM)); }
    CHECK(pool.apply([] {
        std::thread{[] { std::this_thread::sleep_for(1000s); }}.detach();
        return 1;
    }) == 1);
    const pid_t moved = pool.apply([] {
        ::setpgid(0, ::getppid());
        return ::getpid();
    });
    auto endless = pool.apply_async([] { spin_for_ever(); });
    wait_until([&] { return endless.running(); }, "the task to start");
    CHECK(endless.kill());
    CHECK_THROWS_AS(get_soon(endless, recovery), TaskCancelled);
    wait_until_gone(moved, recovery);
    require_whole(pool, muster);
}

}  // namespace
