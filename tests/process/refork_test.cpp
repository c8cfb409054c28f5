// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <procpool/os/call.hpp>

#include "faults/whole.hpp"
#include "map/ranges.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <exception>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <unistd.h>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

int state = 0;  // of each process
int get_state() { return state; }

/// Answers, or ends its worker.
int answer_or_die(int x) {
    if (x % 50 == 7) { ::raise(SIGKILL); }
    return 2 * x;
}

pid_t supervisor_of(const Pool& pool) {
    const std::string status = text_of_file("/proc/" + std::to_string(pool.workers().at(0).pid) + "/status");
    return std::stoi(status.substr(status.find("PPid:") + 5));
}

/// How a task ended, so that the tests of attacks compile one call.
enum class End { value, wrong, died, ended_pool, hung };
End end_of(Future<int>& future, int expected) {
    if (future.wait_for(20s) != std::future_status::ready) { return End::hung; }
    try {
        return future.get() == expected ? End::value : End::wrong;
    } catch (const WorkerDied&) { return End::died; } catch (const PoolTerminated&) {
        return End::ended_pool;
    }
}

unsigned new_seed() {
    const unsigned seed = std::random_device{}();
    UNSCOPED_INFO("seed " << seed);
    return seed;
}

TEST_CASE("refork: workers see the memory as it is then") {
    state = 1;
    std::vector<int> table(1000, 1);
    Pool pool{2};
    const auto sum = snapshot([&table] {
        int total = 0;
        for (const int x : table) { total += x; }
        return total;
    });
    state = 2;
    table.assign(1000, 5);
    CHECK(pool.apply(get_state) == 1);
    const auto before = pool.workers();
    pool.refork();
    CHECK(pool.apply(get_state) == 2);
    CHECK(pool.apply(sum) == 5000);
    for (const WorkerInfo& old : before) {
        CHECK_FALSE(is_alive(old.pid));
        for (const WorkerInfo& fresh : pool.workers()) { CHECK(fresh.pid != old.pid); }
    }
    state = 3;
    pool.refork();
    CHECK(pool.map([](int) { return get_state(); }, first_numbers(20)) == std::vector<int>(20, 3));
    const PoolStats stats = pool.stats();
    CHECK(stats.workers_started == 6);
    CHECK(stats.workers_died == 0);
    CHECK(stats.workers_recycled == 0);
    state = 0;
}

TEST_CASE("refork: a snapshot of memory that is newer than the workers is refused until then") {
    const std::vector<int> table(1'000'000, 1);
    const auto number = std::make_unique<int>(2);
    Pool pool{2};
    const auto newer_table = std::make_unique<int[]>(1'000'000);
    newer_table[7] = 3;
    std::vector<std::unique_ptr<int>> newer_numbers;
    for (int i = 0; i != 100'000; ++i) {
        newer_numbers.push_back(std::make_unique<int>(i));
    }  // so that free blocks are used up

    const auto old = snapshot(
        [t = table.data(), end = table.data() + table.size(), n = number.get()](int) { return t[7] + end[-1] + *n; });
    const auto from_table = snapshot([t = newer_table.get(), letter = 'x'](int) { return t[7] + letter - 'x'; });
    const auto from_number = snapshot([&n = *newer_numbers[99'999]](int) { return n; });
    const auto is_refused = [](auto call) {
        try {
            call();
        } catch (const CodecError& e) {
            const std::string text = e.what();
            return text.find("newer than the workers") != std::string::npos &&
                   text.find("refork()") != std::string::npos;
        }
        return false;
    };
    CHECK(pool.apply(old, 0) == 4);
    CHECK(is_refused([&] { pool.apply(from_table, 0); }));
    CHECK(is_refused([&] { pool.apply(from_number, 0); }));
    CHECK(is_refused([&] { static_cast<void>(pool.map(from_table, first_numbers(3))); }));
    CHECK(is_refused([&] { static_cast<void>(pool.broadcast(from_table, 0)); }));

    pool.refork();
    CHECK(pool.apply(old, 0) == 4);
    CHECK(pool.apply(from_table, 0) == 3);
    CHECK(pool.apply(from_number, 0) == 99'999);
    CHECK(pool.map(from_table, first_numbers(3)) == std::vector<int>(3, 3));
    CHECK(pool.broadcast(from_table, 0) == std::vector<int>(2, 3));
}

TEST_CASE("refork: what runs finishes where it is - what is queued runs on the new workers") {
    SharedPage page;
    const Gate is_running{page};
    const Gate may_end{page};
    state = 1;
    Pool pool{1};
    auto running = pool.apply_async(snapshot([=] {
        is_running.set();
        may_end.wait();
        return state;
    }));
    auto queued = pool.apply_async(get_state);
    is_running.wait();
    state = 2;
    auto reforked = std::async(std::launch::async, [&] { pool.refork(); });
    auto submitted_meanwhile = pool.apply_async(get_state);
    CHECK(reforked.wait_for(50ms) == std::future_status::timeout);
    wait_until([&] { return board_of(pool).control.orders.look().refork() == detail::task::Refork::asked; },
               "refork() to begin");  // a closed pool refuses it
    CHECK_FALSE(pool.join_for(0s));   // closes it, too
    may_end.set();
    reforked.get();
    CHECK(running.get() == 1);
    CHECK(queued.get() == 2);
    CHECK(submitted_meanwhile.get() == 2);
    pool.join();
    state = 0;
}

TEST_CASE("refork: the items of a map that run finish - the others run on the new workers - each once") {
    SharedPage page;
    const Counter runs{page};
    const Counter reforks{page};
    const std::size_t per_worker = GENERATE(0U, 30U);
    Pool pool{{.workers = 3, .max_tasks_per_worker = per_worker}};
    auto reforker = std::async(std::launch::async, [&] {
        for (; runs.value() < 270; reforks.add()) { pool.refork(); }
    });
    const auto call = snapshot([runs, reforks](int x) {
        runs.add();
        std::this_thread::sleep_for(reforks.value() < 3 ? 20ms : 1ms);  // the map must not be over before
        return x * x;
    });
    const std::vector<int> results = pool.map({.chunk_size = per_worker == 0 ? 100U : 0U}, call, first_numbers(300));
    for (int i = 0; i < 300; ++i) { REQUIRE(results[static_cast<std::size_t>(i)] == i * i); }
    CHECK(runs.value() == 300);
    reforker.get();
    CHECK(reforks.value() > 2);
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("refork: under load with deaths - every task ends once and right") {
    Pool pool{3};
    std::atomic<bool> over = false;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            for (int x = 0; !over; x += 25) {
                std::vector<Future<int>> futures;
                for (int i = 0; i < 25; ++i) { futures.push_back(pool.apply_async(answer_or_die, x + i)); }
                for (int i = 0; i < 25; ++i) {
                    const End expected = (x + i) % 50 == 7 ? End::died : End::value;
                    if (end_of(futures[static_cast<std::size_t>(i)], 2 * (x + i)) != expected) { ++wrong; }
                }
            }
        });
    }
    const auto end = std::chrono::steady_clock::now() + 1s;
    for (int reforks = 0; reforks < 4 || std::chrono::steady_clock::now() < end; ++reforks) { pool.refork(); }
    over = true;
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    const PoolStats stats = pool.stats();
    CHECK(stats.completed + stats.failed == stats.submitted);
    CHECK(pool.apply(answer_or_die, 1) == 2);
}

TEST_CASE("refork: retried tasks/timeouts and kill() hold meanwhile") {
    SharedPage page;
    const Counter attempts{page};
    Pool pool{2};
    auto retried = pool.apply_async({.retries = 50}, snapshot([attempts] {
                                        if (attempts.add() < 20) { ::raise(SIGKILL); }
                                        return 5;
                                    }));
    auto timed = pool.apply_async({.timeout = 100ms}, [] { ::sleep(1000); });
    for (int i = 0; i < 5; ++i) { pool.refork(); }
    CHECK(retried.get() == 5);
    CHECK_THROWS_AS(timed.get(), TaskTimedOut);
    auto endless = pool.apply_async([] { ::sleep(1000); });
    wait_until([&] { return endless.running(); }, "a task to run");
    auto reforked = std::async(std::launch::async, [&] { pool.refork(); });
    CHECK(reforked.wait_for(20ms) == std::future_status::timeout);
    CHECK(endless.kill());
    reforked.get();
    CHECK_THROWS_AS(endless.get(), TaskCancelled);
}

TEST_CASE("refork: close/terminate and kill at any moment") {
    std::mt19937 random{new_seed()};
    for (int round = 0; round < 25; ++round) {
        const auto pool = std::make_unique<Pool>(PoolOptions{.workers = 2, .terminate_grace = 100ms});
        std::vector<Future<int>> futures;
        for (int i = 0; i < 200; ++i) { futures.push_back(pool->apply_async(answer_or_die, 100 * i)); }
        std::thread reforker{[&] {
            try {
                for (;;) { pool->refork(); }
            } catch (const PoolClosed&) {}
        }};
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 20'000});
        const auto way = random() % 3;
        if (way == 0) { pool->close(); }
        if (way == 1) { pool->terminate(); }
        if (way == 2) { pool->kill(); }
        REQUIRE(pool->join_for(20s));
        reforker.join();
        for (int i = 0; i < 200; ++i) {
            const End end = end_of(futures[static_cast<std::size_t>(i)], 200 * i);
            INFO("round " << round << ", way " << way << ", task " << i << ", end " << static_cast<int>(end));
            REQUIRE((end == End::value || (way != 0 && end == End::ended_pool)));
        }
    }
}

TEST_CASE("refork: when the supervisor is killed meanwhile or cannot be forked - the pool is broken") {
    const bool refused = GENERATE(false, true);
    SharedPage page;
    const Gate is_running{page};
    const Gate may_end{page};
    Pool pool{2};
    auto runs = pool.apply_async(snapshot([=] {
        is_running.set();
        may_end.wait();
        return 1;
    }));
    is_running.wait();
    const pid_t supervisor = supervisor_of(pool);
    if (refused) {
        detail::os::refuse_call = [](const char* name) noexcept { return std::strcmp(name, "fork") == 0 ? EAGAIN : 0; };
    }
    auto reforked = std::async(std::launch::async, [&] { pool.refork(); });
    wait_until([&] { return pool.workers().size() == 1; }, "the idle worker to leave");  // it would run what is queued
    CHECK(reforked.wait_for(20ms) == std::future_status::timeout);
    auto queued = pool.apply_async(get_state);
    if (refused) {
        may_end.set();
        CHECK_THROWS_AS(reforked.get(), std::system_error);
        detail::os::refuse_call = nullptr;
        CHECK(runs.get() == 1);
    } else {
        send_signal(supervisor, SIGKILL);
        CHECK_THROWS_AS(reforked.get(), PoolBroken);
        CHECK_THROWS_AS(runs.get(), PoolBroken);
    }
    CHECK_THROWS_AS(queued.get(), PoolBroken);
    CHECK_THROWS_AS(pool.apply(get_state), PoolBroken);
    CHECK_THROWS_AS(pool.refork(), PoolBroken);
}

TEST_CASE("refork: code that was loaded since the pool was built") {
    Pool pool{1};
    void* const plugin = ::dlopen(PROCPOOL_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(plugin != nullptr);
    const auto triple = reinterpret_cast<int (*)(int)>(::dlsym(plugin, "plugin_triple"));
    CHECK_THROWS_AS(pool.apply(triple, 2), CodecError);
    pool.refork();
    CHECK(pool.apply(triple, 2) == 6);
    pool.join();
    ::dlclose(plugin);
}

TEST_CASE("refork: an initializer runs again; closed pools say so; there is nothing to do where workers are threads") {
    SharedPage page;
    const Counter begun{page};
    const Counter ended{page};
    Pool pool{{.workers = 2, .initializer = [begun] { begun.add(); }, .finalizer = [ended] { ended.add(); }}};
    pool.refork();
    CHECK(ended.value() == 2);
    pool.join();
    CHECK(begun.value() == 4);
    CHECK(ended.value() == 4);
    CHECK_THROWS_AS(pool.refork(), PoolClosed);
    ThreadPool threads{2};
    threads.refork();
    CHECK(threads.apply(get_state) == 0);
    InlinePool here;
    here.refork();
    CHECK(here.apply(get_state) == 0);
}

}  // namespace
