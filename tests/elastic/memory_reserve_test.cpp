// SPDX-License-Identifier: BSL-1.0
// PoolOptions::memory_reserve.
#include "faults/whole.hpp"
#include "log/records.hpp"
#include "support/memory_group.hpp"

#include <procpool/core/scope.hpp>
#include <procpool/worker/memory_guard.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;  // signed, as the words of a page
constexpr std::int64_t plenty = std::int64_t{1} << 40;
constexpr std::size_t reserve = 100 * mebibyte;

/// A machine whose memory the test decides about. Made before the pool.
class FakeMemory {
public:
    FakeMemory() {
        left = page_.word();
        waiting = page_.word();
        set(plenty);
        detail::worker::memory_source = {[] { return static_cast<std::uint64_t>(left->load()); },
                                         [] { return static_cast<double>(waiting->load()); }};
    }
    FakeMemory(const FakeMemory&) = delete;
    FakeMemory& operator=(const FakeMemory&) = delete;
    ~FakeMemory() {
        detail::worker::memory_source = {detail::worker::available_memory_here, detail::worker::memory_pressure_here};
    }
    void set(std::int64_t bytes) const { left->store(bytes); }
    /// Called by: tasks too.
    static void add(std::int64_t bytes) { left->fetch_add(bytes); }
    void set_pressure(int per_cent) const { waiting->store(per_cent); }

private:
    SharedPage page_;
    static inline Word* left;
    static inline Word* waiting;
};

/// The number of workers that take tasks in this pause.
[[nodiscard]] std::ptrdiff_t going_on(const Pool& pool) {
    return std::ranges::count_if(board_of(pool).seats(), [](const detail::task::Seat& seat) {
        return seat.state.load() == detail::task::SeatState::ready && seat.goes_on.load() != 0;
    });
}
[[nodiscard]] bool is_paused(const Pool& pool) { return board_of(pool).control.orders.look().is_paused(); }

/// Effects: gives the pool something to do until all workers take tasks.
void warm_up(Pool& pool) {
    wait_until(
        [&] {
            std::vector<Future<void>> tasks;
            for (int i = 0; i < 8; ++i) {
                tasks.push_back(pool.apply_async([] { std::this_thread::sleep_for(1ms); }));
            }
            for (Future<void>& task : tasks) { get_soon(task); }
            return !is_paused(pool);
        },
        "all workers to take tasks");
}

/// Effects: gives the pool something to do until one worker alone takes tasks.
void wait_for_pause(Pool& pool) {
    wait_until(
        [&] {
            pool.apply([] { std::this_thread::sleep_for(1ms); });
            return is_paused(pool) && going_on(pool) == 1;
        },
        "a pause");
}

/// Returns: the process that ran each of so many tasks.
[[nodiscard]] std::set<pid_t> who_runs(Pool& pool, int tasks) {
    std::vector<Future<pid_t>> futures;
    for (int i = 0; i < tasks; ++i) {
        futures.push_back(pool.apply_async([] {
            std::this_thread::sleep_for(1ms);
            return ::getpid();
        }));
    }
    std::set<pid_t> found;
    for (auto& future : futures) { found.insert(get_soon(future)); }
    return found;
}

[[nodiscard]] unsigned seed_of_run() {
    const char* const text = std::getenv("PROCPOOL_CHAOS_SEED");
    const unsigned seed = text != nullptr ? static_cast<unsigned>(std::atol(text)) : std::random_device{}();
    std::printf("PROCPOOL_CHAOS_SEED=%u\n", seed);
    return seed;
}

}  // namespace

TEST_CASE("while memory is short one worker alone begins tasks and that is told once") {
    const bool by_pressure = GENERATE(false, true);
    const FakeMemory memory;
    Muster muster;
    Records log{LogLevel::info};
    Pool pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
    for (std::size_t pause = 1; pause <= 2; ++pause) {
        warm_up(pool);
        muster.call(pool, 20s);
        by_pressure ? memory.set_pressure(50) : memory.set(reserve - 1);
        wait_for_pause(pool);
        CHECK(who_runs(pool, 40).size() == 1);
        wait_until([&] { return log.with("memory is short").size() == pause; }, "a warning");
        CHECK(log.with("memory is short").back().level == LogLevel::warning);
        CHECK(log.with("1 of 4 workers take new tasks").size() == pause);
        memory.set_pressure(0);
        memory.set(plenty);
        // Those that had to wait are there for submitters again, without one.
        wait_until([&] { return !is_paused(pool); }, "the end of the pause");
        wait_until([&] { return board_of(pool).sleeping.was_size() == 4; }, "all workers to be idle");
        muster.call(pool, 20s);
        wait_until([&] { return log.with("all workers take tasks again").size() == pause; }, "the end to be told");
    }
    CHECK(board_of(pool).control.orders.look().nothing());
}

TEST_CASE("a pool begins with one worker until it knows what tasks need") {
    const FakeMemory memory;
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    Pool pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
    CHECK(is_paused(pool));
    const auto task = [](Counter others, Gate gate) {
        others.add();
        gate.wait();
    };
    std::vector<Future<void>> futures;
    for (int i = 0; i < 4; ++i) { futures.push_back(pool.apply_async(task, begun, open)); }
    begun.wait_for(4);  // their number doubles while they run
    open.set();
    for (auto& future : futures) { get_soon(future); }
}

TEST_CASE("no more workers begin tasks than can have what one has needed") {
    if (under_sanitizer) { return; }
    const FakeMemory memory;
    memory.set(reserve + 150 * mebibyte);
    SharedPage page;
    const Counter running{page};
    const Counter most{page};
    Records log{LogLevel::warning};
    Pool pool{PoolOptions{.workers = 6, .memory_reserve = reserve}};
    const auto task = bind_front(
        [](Counter together, Counter highest, int n) {
            const std::int64_t now = together.add();
            if (now > highest.value()) { highest.add(now - highest.value()); }
            FakeMemory::add(-60 * mebibyte);
            int result = n;
            {
                const std::vector<char> need(60 * mebibyte, 'x');
                std::this_thread::sleep_for(20ms);
                result += need[static_cast<std::size_t>(n)] - 'x';
            }
            FakeMemory::add(60 * mebibyte);
            together.add(-1);
            return result;
        },
        running, most);
    wait_until([&] { return pool.apply(task, 1) == 1 && !log.with("each has needed up to").empty(); },
               "what a task needs to be known");
    std::vector<int> items(60);
    std::iota(items.begin(), items.end(), 0);
    CHECK(pool.map(task, items) == items);
    // Two, exactly; more only if looks are interrupted: see the guard's own test.
    CHECK(most.value() <= 4);
    CHECK(log.with("memory is short").size() == 1);
}

TEST_CASE("a worker that has to wait begins no further item of its chunk") {
    const FakeMemory memory;
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    Pool pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
    warm_up(pool);
    std::vector<int> items(80);
    std::iota(items.begin(), items.end(), 0);
    auto all = pool.map_async(MapOptions{.chunk_size = 20},
                              bind_front(
                                  [](Counter others, Gate gate, int) {
                                      const bool held = !gate.is_set();
                                      others.add();
                                      gate.wait();
                                      std::this_thread::sleep_for(500us);
                                      return std::pair{held, ::getpid()};
                                  },
                                  begun, open),
                              items);
    begun.wait_for(4);
    memory.set(0);
    wait_until([&] { return is_paused(pool) && going_on(pool) == 1; }, "a pause");
    open.set();
    std::set<pid_t> after;
    for (const auto& [held, pid] : get_soon(all)) {
        if (!held) { after.insert(pid); }
    }
    CHECK(after.size() == 1);
}

TEST_CASE("tasks for one worker run also while it has to wait for memory") {
    const FakeMemory memory;
    Pool pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
    warm_up(pool);
    memory.set(0);
    wait_for_pause(pool);
    for (int round = 0; round < 20; ++round) {
        const auto pids = pool.broadcast([] { return ::getpid(); });
        CHECK(std::set(pids.begin(), pids.end()).size() == 4);
        for (std::size_t index = 0; index < 4; ++index) {
            auto task = pool.apply_on_async(index, [] { return this_worker::index(); });
            CHECK(get_soon(task) == index);
        }
    }
    CHECK(is_paused(pool));
}

TEST_CASE("a task that waits in the worker that goes on runs the tasks that it waits for") {
    const FakeMemory memory;
    Pool pool{PoolOptions{.workers = 3, .memory_reserve = reserve}};
    warm_up(pool);
    memory.set(0);
    wait_for_pause(pool);
    auto outer = pool.apply_async([] {
        int sum = 0;
        for (int i = 0; i < 20; ++i) {
            sum += this_worker::submit([](int n) { return n; }, i).get();
        }
        return sum;
    });
    CHECK(get_soon(outer) == 190);
    auto first = pool.apply_async([] { return 20; });
    auto second = pool.apply_async([](int n) { return n + 1; }, std::move(first));
    auto third = pool.apply_async([](int n) { return n + 1; }, std::move(second));
    CHECK(get_soon(third) == 22);
    CHECK(is_paused(pool));
}

TEST_CASE("another worker goes on when the one that does dies or is stopped or is replaced") {
    const FakeMemory memory;
    Pool pool{PoolOptions{.workers = 3, .memory_reserve = reserve}};
    warm_up(pool);
    memory.set(0);
    wait_for_pause(pool);
    const auto the_one = [&] {
        const std::set<pid_t> found = who_runs(pool, 4);
        REQUIRE(!found.empty());
        return *found.begin();
    };
    for (int round = 0; round < 6; ++round) {
        const pid_t first = the_one();
        send_signal(first, round % 2 == 0 ? SIGKILL : SIGSTOP);
        CHECK(the_one() != first);
        if (round % 2 != 0) { send_signal(first, SIGCONT); }
        wait_for_full_set(pool, 20s);
    }
    // One that dies over a task, and one that is stopped in one.
    for (int round = 0; round < 4; ++round) {
        auto dies = pool.apply_async([] { ::raise(SIGKILL); });
        CHECK_THROWS_AS(get_soon(dies), WorkerDied);
        CHECK(the_one() > 0);
        auto stops = pool.apply_async([] {
            ::raise(SIGSTOP);
            return ::getpid();
        });
        const pid_t other = the_one();
        for (const WorkerInfo& info : pool.workers()) {
            if (info.pid != other) { send_signal(info.pid, SIGCONT); }
        }
        CHECK(get_soon(stops) != other);
    }
    CHECK(is_paused(pool));
}

TEST_CASE("workers are replaced during a pause and nothing is lost") {
    const FakeMemory memory;
    Pool pool{PoolOptions{.workers = 3, .max_tasks_per_worker = 3, .memory_reserve = reserve}};
    warm_up(pool);
    memory.set(0);
    wait_for_pause(pool);
    std::vector<int> items(100);
    std::iota(items.begin(), items.end(), 0);
    auto results = pool.map_async(
        MapOptions{.chunk_size = 5}, [](int n) { return n; }, items);
    CHECK(get_soon(results) == items);
    CHECK(who_runs(pool, 30).size() >= 9);
    // Those that have to wait too, when they have run their tasks.
    std::map<pid_t, int> runs;
    for (int round = 0; round < 9; ++round) {
        for (std::size_t index = 0; index < 3; ++index) {
            auto task = pool.apply_on_async(index, [] { return ::getpid(); });
            ++runs[get_soon(task)];
        }
    }
    for (const auto& [pid, count] : runs) { CHECK(count <= 3); }
    pool.refork();
    CHECK(get_soon(pool.apply_async([] { return 1; })) == 1);
    wait_for_pause(pool);
    CHECK(pool.stats().workers_died == 0);
}

TEST_CASE("a pool can be closed and ended during a pause") {
    const FakeMemory memory;
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    for (int way = 0; way < 5; ++way) {
        memory.set(plenty);
        std::optional<Pool> pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
        warm_up(*pool);
        memory.set(0);
        wait_for_pause(*pool);
        std::vector<Future<int>> futures;
        for (int n = 0; n < 50; ++n) { futures.push_back(pool->apply_async(same, n)); }
        switch (way) {
            case 0: pool->close(); break;
            case 1: break;
            case 2: pool->terminate(); break;
            case 3: pool->kill(); break;
            default: pool.reset();  // closes it
        }
        if (way == 1) {  // a last task that submits more
            auto last = pool->apply_async([] { return this_worker::submit([] { return 7; }).get(); });
            pool->close();
            CHECK(get_soon(last) == 7);
        }
        if (pool) {
            CHECK(pool->join_for(20s));
            CHECK_FALSE(is_paused(*pool));  // all that had to wait were let go
        }
        for (int n = 0; n < 50; ++n) {
            if (way == 2 || way == 3) {
                static_cast<void>(futures[static_cast<std::size_t>(n)].wait_for(20s));
            } else {
                CHECK(get_soon(futures[static_cast<std::size_t>(n)]) == n);
            }
        }
    }
}

/// The sets of seats that take tasks change all the time, as the guard changes them, and no submission is missed.
template <class P>
void no_submission_is_missed() {
    P pool{4};
    detail::task::Board& board = board_of(pool);
    std::atomic<bool> stop{false};
    std::thread changes{[&] {
        std::minstd_rand random{seed_of_run()};
        while (!stop) {
            const std::size_t chosen = random() % 4;
            std::size_t number = 0;
            for (detail::task::Seat& seat : board.seats()) {
                const bool does = seat.state.load() == detail::task::SeatState::ready && number++ == chosen;
                if (does) { seat.goes_on.store(1); }
            }
            number = 0;
            for (detail::task::Seat& seat : board.seats()) {
                const bool does = seat.state.load() == detail::task::SeatState::ready && number++ == chosen;
                if (!does) { seat.goes_on.store(0); }
            }
            board.control.orders.set_paused(true);
            board.wake_seats();
            if (random() % 4 == 0) {
                board.control.orders.set_paused(false);
                board.wake_seats();
            }
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 300});
        }
        board.control.orders.set_paused(false);
        board.wake_seats();
    }};
    const detail::core::OnExit end{[&] {
        stop = true;
        changes.join();
    }};
    for (int round = 0; round < (under_sanitizer ? 300 : 3000); ++round) {
        std::vector<Future<int>> futures;
        for (int n = 0; n < 1 + round % 5; ++n) { futures.push_back(pool.apply_async(same, n)); }
        for (int n = 0; n < 1 + round % 5; ++n) { REQUIRE(get_soon(futures[static_cast<std::size_t>(n)]) == n); }
        if (round % 7 == 0) { std::this_thread::sleep_for(300us); }  // they fall asleep
    }
}
ON_ENGINES_WITH_WORKERS("no submission is missed while pauses come and go", no_submission_is_missed)

TEST_CASE("workers that are killed at random during pauses cost no result") {
    const FakeMemory memory;
    std::minstd_rand random{seed_of_run()};
    Pool pool{PoolOptions{.workers = 4, .memory_reserve = reserve}};
    warm_up(pool);
    std::vector<int> items(400);
    std::iota(items.begin(), items.end(), 0);
    for (int round = 0; round < 5; ++round) {
        memory.set(random() % 2 == 0 ? 0 : plenty);
        auto results = pool.map_async(
            MapOptions{.retries = 1000},
            [](int n) {
                std::this_thread::sleep_for(500us);
                return n;
            },
            items);
        for (int kill = 0; kill < 12 && results.wait_for(0s) != std::future_status::ready; ++kill) {
            std::this_thread::sleep_for(std::chrono::milliseconds{random() % 30});
            memory.set(random() % 3 == 0 ? plenty : 0);
            // Not one that is starting: many such deaths in a row are a broken pool.
            const auto seats = board_of(pool).seats();
            const detail::task::Seat& seat = seats[random() % seats.size()];
            if (seat.state.load() != detail::task::SeatState::ready) { continue; }
            const pid_t victim = seat.pid.load();
            if (random() % 4 == 0) {
                send_signal(victim, SIGSTOP);
                std::this_thread::sleep_for(std::chrono::milliseconds{random() % 5});
                send_signal(victim, SIGCONT);
            } else {
                send_signal(victim, SIGKILL);
            }
        }
        CHECK(get_soon(results, 40s) == items);
    }
    memory.set(plenty);
    warm_up(pool);
    wait_for_full_set(pool, 20s);
}

TEST_CASE("64 workers with limits of memory on any number of processors lose nothing", "[slow]") {
    if (under_sanitizer) { return; }
    const FakeMemory memory;
    memory.set(reserve + 40 * mebibyte);
    Pool pool{
        PoolOptions{.workers = 64, .max_rss = 24 * mebibyte, .kill_rss = 200 * mebibyte, .memory_reserve = reserve}};
    std::vector<int> items(2000);
    std::iota(items.begin(), items.end(), 0);
    auto results = pool.map_async(
        [](int n) {
            static std::vector<std::vector<char>> kept;
            if (n % 4 == 0) { kept.emplace_back(4 * mebibyte, 'x'); }
            std::this_thread::sleep_for(1ms);
            return n;
        },
        items);
    wait_until([&] { return results.wait_for(0s) == std::future_status::ready; }, "a map", 200s);
    CHECK(results.get() == items);
    CHECK(pool.stats().workers_recycled > 0);
    CHECK(pool.stats().workers_died == 0);
    CHECK(pool.stats().memory_exceeded == 0);
}

TEST_CASE("in a group of 200 MB eight workers finish items that need 60 MB each and nobody is killed", "[serial]") {
    if (under_sanitizer) { return; }
    const MemoryGroup group{200 * mebibyte};
    if (!group) { return; }
    Subprocess program{[&] {
        if (!group.join()) { return; }
        Pool pool{PoolOptions{.workers = 8, .memory_reserve = 40 * mebibyte}};
        std::vector<int> items(48);
        std::iota(items.begin(), items.end(), 0);
        const auto results = pool.map(
            [](int n) {
                std::vector<char> need(60 * mebibyte);
                for (std::size_t at = 0; at < need.size(); at += mebibyte) {
                    std::memset(need.data() + at, 1, mebibyte);
                    std::this_thread::sleep_for(200us);
                }
                std::this_thread::sleep_for(20ms);
                return n + need.back() - 1;
            },
            items);
        if (results != items) { std::printf("wrong results\n"); }
        const PoolStats stats = pool.stats();
        if (stats.workers_died != 0) { std::printf("%s\n", to_string(stats).c_str()); }
    }};
    const int status = program.wait();
    CAPTURE(status, program.output());
    CHECK(exited_with(status, 0));
    CHECK(program.output() == "");
}
