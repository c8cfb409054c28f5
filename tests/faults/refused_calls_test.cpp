// SPDX-License-Identifier: BSL-1.0
#include "faults/jobs.hpp"
#include "faults/refuser.hpp"
#include "support/leak_check.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

[[nodiscard]] int seven() { return 7; }

/// Builds pools, each with one call more that succeeds, until none is refused.
void construct_with_refusals(const char* name, int error, std::size_t recycled, bool must_fail) {
    Refuser refuser;
    for (int n = 1;; ++n) {
        INFO(name << ", the call number " << n);
        REQUIRE(n < 100);
        const LeakCheck check;
        bool built = false;
        refuser.refuse(name, error, n, n);
        try {
            Pool pool{PoolOptions{.workers = 3, .max_tasks_per_worker = recycled}};
            built = true;
            CHECK(get_soon(pool.apply_async(seven)) == 7);
        } catch (const std::system_error& refused) {
            CHECK(refused.code().value() == error);
        } catch (const SharedMemoryExhausted&) { CHECK(std::strcmp(name, "mmap") == 0); }
        const std::int64_t calls = refuser.calls();
        refuser.allow();
        const std::vector<std::string> left = check.differences();
        INFO((left.empty() ? "" : left.front()));
        CHECK(left.empty());
        if (calls < n) {
            CHECK(built);
            return;
        }
        if (must_fail) { CHECK_FALSE(built); }
    }
}

TEST_CASE("DTH-14 the n-th fork of a pool's construction fails: an error and nothing is left") {
    construct_with_refusals("fork", EAGAIN, 0, true);
    construct_with_refusals("fork", ENOMEM, 5, false);
}
TEST_CASE("DTH-14 the n-th mmap of a pool's construction fails: nothing is left") {
    construct_with_refusals("mmap", ENOMEM, 0, false);
}
TEST_CASE("DTH-14 the n-th eventfd of a pool's construction fails: an error and nothing is left") {
    construct_with_refusals("eventfd", EMFILE, 0, true);
}
TEST_CASE("DTH-14 the n-th signalfd of a pool's construction fails: an error and nothing is left") {
    construct_with_refusals("signalfd", EMFILE, 0, true);
}
TEST_CASE("DTH-14 the n-th pidfd_open of a pool's construction fails: nothing is left") {
    construct_with_refusals("pidfd_open", ENOSYS, 0, false);
}

void replace_with_refusals(std::size_t count, std::size_t recycled) {
    Refuser refuser;
    Muster muster;
    Pool pool{PoolOptions{.workers = count, .max_tasks_per_worker = recycled}};
    muster.call(pool);
    for (int round = 0; round < 2; ++round) {
        refuser.refuse("fork", EAGAIN, 1);
        wait_for_full_set(pool);
        ::kill(pool.workers().front().pid, SIGKILL);
        Jobs jobs = small_jobs(pool, 20, {.retries = 3});
        wait_until([&] { return refuser.calls() >= 3; }, "a few attempts", 2 * recovery);
        if (count > 1 && recycled == 0) {
            wait_until([&] { return count_ready(jobs) == jobs.size(); }, "the tasks of the others", recovery);
        }
        refuser.allow();
        wait_until([&] { return count_ready(jobs) == jobs.size(); }, "all tasks", 2 * recovery);
        for (const Job& one : jobs) { CHECK(one.end().text == ""); }
        jobs.clear();
        wait_for_full_set(pool, 2 * recovery);
        require_whole(pool, muster);
    }
}

TEST_CASE("DTH-15 a replacement cannot be forked for a while: the others go on and it comes when it can") {
    replace_with_refusals(3, 0);
}
TEST_CASE("DTH-15 the only worker's replacement cannot be forked for a while: its tasks wait") {
    replace_with_refusals(1, 0);
}
TEST_CASE("DTH-15 replacements of recycled workers cannot be forked for a while") { replace_with_refusals(2, 4); }

TEST_CASE("DTH-15 that a worker cannot be replaced for now is told once") {
    std::atomic<int> told{0};
    set_log_sink(
        [&](const LogRecord& record) {
            told += record.text.find("cannot be replaced for now: fork: ") != std::string::npos;
        },
        LogLevel::warning);
    {
        Refuser refuser;
        Pool pool{1};
        refuser.refuse("fork", EAGAIN, 1);
        auto dies = pool.apply_async([] { ::kill(::getpid(), SIGKILL); });
        CHECK_THROWS_AS(get_soon(dies), WorkerDied);
        wait_until([&] { return refuser.calls() >= 3; }, "attempts");
        refuser.allow();
        CHECK(get_soon(pool.apply_async(seven)) == 7);
    }
    set_log_sink({});
    CHECK(told == 1);
}

TEST_CASE("DTH-15 a pool can be closed/terminated and killed while no replacement can be forked") {
    for (int way = 0; way < 3; ++way) {
        Refuser refuser;
        Pool pool{1};
        refuser.refuse("fork", EAGAIN, 1);  // before the death, or the replacement may be there already
        auto first = pool.apply_async([] { ::kill(::getpid(), SIGKILL); });
        CHECK_THROWS_AS(get_soon(first), WorkerDied);
        auto waits = pool.apply_async(seven);
        wait_until([&] { return refuser.calls() >= 1; }, "an attempt");
        if (way == 0) {
            pool.close();
            CHECK_FALSE(pool.join_for(50ms));
            refuser.allow();
            CHECK(get_soon(waits) == 7);
        } else if (way == 1) {
            pool.terminate();
            CHECK_THROWS_AS(get_soon(waits, recovery), PoolTerminated);
        } else {
            pool.kill();
            CHECK_THROWS_AS(get_soon(waits, recovery), PoolTerminated);
        }
        CHECK(pool.join_for(recovery));
    }
}

TEST_CASE("a kernel without pidfds: everything works") {
    Refuser refuser;
    refuser.refuse("pidfd_open", ENOSYS, 1);
    Muster muster;
    {
        Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 10}};
        Jobs jobs = small_jobs(pool, 60);
        CHECK_THROWS_AS(get_soon(pool.apply_async([] { ::kill(::getpid(), SIGKILL); })), WorkerDied);
        CHECK_THROWS_AS(get_soon(pool.apply_async(TaskOptions{.timeout = 50ms}, [] { spin_for_ever(); })),
                        TaskTimedOut);
        for (const Job& one : jobs) { wait_until(one.ready, "a task"); }
        for (const Job& one : jobs) { CHECK(one.end().text == ""); }
        jobs.clear();
        require_whole(pool, muster);
    }
    {
        Pool pool{PoolOptions{.workers = 2, .terminate_grace = 100ms}};
        auto endless = pool.apply_async([] { spin_for_ever(); });
        pool.terminate();
        CHECK(pool.join_for(recovery));
        CHECK_THROWS_AS(endless.get(), PoolTerminated);
    }
    CHECK(refuser.calls() > 0);
}

TEST_CASE("a kernel without pidfds: the death of the parent and of the supervisor is noticed") {
    Refuser refuser;
    refuser.refuse("pidfd_open", ENOSYS, 1);
    SharedPage page;
    const Counter begun{page};
    const std::chrono::nanoseconds in_time = 200ms + (under_sanitizer ? 2s : 500ms);
    std::chrono::nanoseconds best = 1h;
    for (int round = 1; round <= 5 && best >= in_time; ++round) {  // a busy machine gets more chances
        Subprocess parent{[begun] {
            Pool pool{3};
            std::vector<Future<void>> endless;
            for (int i = 0; i < 2; ++i) {
                endless.push_back(pool.apply_async(
                    [](Counter started) {
                        started.add();
                        spin_for_ever();
                    },
                    begun));
            }
            endless.front().wait();
        }};
        begun.wait_for(2 * round);
        ::kill(parent.pid(), SIGKILL);
        const auto start = std::chrono::steady_clock::now();
        CHECK(killed_by(parent.wait(5 * recovery), SIGKILL));  // its output ends with the last worker
        best = std::min(best, since(start));
    }
    CHECK(best < in_time);

    Pool pool{2};
    auto endless = pool.apply_async([] { spin_for_ever(); });
    const pid_t worker = pool.workers().front().pid;
    const std::string stat = text_of_file("/proc/" + std::to_string(worker) + "/stat");
    ::kill(std::atoi(stat.c_str() + stat.rfind(')') + 4), SIGKILL);
    CHECK_THROWS_AS(get_soon(endless, recovery), PoolBroken);
    wait_until_gone(worker, recovery);
}

}  // namespace
