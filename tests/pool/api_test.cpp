// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

int square(int x) { return x * x; }
int power(int base, int exponent) { return exponent == 0 ? 1 : base * power(base, exponent - 1); }

// ---- one task

template <class P>
void returns_the_value() {
    P pool{2};
    CHECK(pool.apply(square, 5) == 25);
    CHECK(pool.apply_async(power, 2, 8).get() == 256);
    std::vector<Future<int>> five;
    for (int i = 0; i < 5; ++i) { five.push_back(pool.apply_async(square, i)); }
    int sum = 0;
    for (auto& future : five) { sum += future.get(); }
    CHECK(sum == 30);
    CHECK((pool.apply([] { return ::getpid(); }) == ::getpid()) == !has_processes<P>());
    CHECK(pool.apply([] { return std::make_error_code(std::errc::io_error); }) ==
          std::errc::io_error);  // returned, not thrown
}
ON_EVERY_ENGINE("API-01 apply returns the function's value", returns_the_value)

template <class P>
void returns_nothing() {
    SharedPage page;
    const Counter ran{page};
    P pool{1};
    pool.apply([](Counter counter) { counter.add(); }, ran);
    auto future = pool.apply_async([](Counter counter) { counter.add(); }, ran);
    future.get();
    CHECK(ran.value() == 2);
}
ON_EVERY_ENGINE("API-01 a function may return nothing", returns_nothing)

struct Point {
    int x = 0;
    std::string name;
    friend bool operator==(const Point&, const Point&) = default;
};

template <class P>
void echoes_every_shape() {
    P pool{1};
    const auto echo = [&](const auto& value) {
        return pool.apply([](auto arrived) { return arrived; }, value) == value;
    };
    CHECK(echo(std::int8_t{-1}));
    CHECK(echo(std::numeric_limits<std::int64_t>::min()));
    CHECK(echo(std::numeric_limits<std::uint64_t>::max()));
    CHECK(std::isnan(pool.apply([](float f) { return f; }, std::numeric_limits<float>::quiet_NaN())));
    CHECK(echo(std::string{}));
    CHECK(echo(std::string{"zero\0inside", 11}));
    CHECK(echo(std::vector<std::string>{"", "a", std::string(100, 'b')}));
    CHECK(echo(std::vector<int>{}));
    CHECK(echo(std::map<std::string, std::vector<int>>{{"a", {1, 2}}, {"b", {}}}));
    CHECK(echo(std::optional<std::string>{"x"}));
    CHECK(echo(std::optional<int>{}));
    CHECK(echo(std::variant<int, std::string>{"second"}));
    CHECK(echo(std::tuple<int, std::string, double>{1, "b", 2.5}));
    CHECK(echo(std::vector<std::vector<std::vector<std::vector<int>>>>{{{{1}, {2, 3}}}, {}}));
    CHECK(echo(std::array<Point, 2>{Point{1, "one"}, Point{2, "two"}}));
    CHECK(*pool.apply([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(5)) == 5);  // cannot be copied
    CHECK(pool.apply([](const std::string& s) { return s.size(); }, "four") == 4);
    CHECK(pool.apply([](std::string s, const std::vector<int>& v,
                        int i) { return s + std::to_string(v.at(1)) + std::to_string(i); },
                     "a", std::vector<int>{1, 2}, 3) == "a23");
    CHECK(pool.apply([] { return 1; }) == 1);
    CHECK(pool.apply([](auto... all) { return (all + ...); }, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) == 55);
    STATIC_REQUIRE(detail::codec::TaskCall<int (*)(int), int>);
    STATIC_REQUIRE_FALSE(detail::codec::TaskCall<int (*)(int), int, int>);
    STATIC_REQUIRE_FALSE(detail::codec::TaskCall<int (*)(int)>);
}
ON_EVERY_ENGINE("API-02 every shape of argument arrives unchanged", echoes_every_shape)

struct Greeter {
    std::string greeting;
    [[nodiscard]] std::string greet(const std::string& who) const { return greeting + " " + who; }
    static int two() { return 2; }
};
struct AddN {
    int n;
    int operator()(int x) const { return x + n; }
};
struct Shape {
    virtual ~Shape() = default;
    [[nodiscard]] virtual int corners() const { return 0; }
};
struct Triangle : Shape {
    [[nodiscard]] int corners() const override { return 3; }
};

template <class P>
void calls_every_callable() {
    P pool{1};
    CHECK(pool.apply(square, 3) == 9);
    CHECK(pool.apply(&square, 3) == 9);
    CHECK(pool.apply(&Greeter::two) == 2);
    CHECK(pool.apply(&Greeter::greet, Greeter{"hello"}, "you") == "hello you");
    CHECK(pool.apply(AddN{4}, 3) == 7);
    int late = 40;  // this closure's values did not exist when the workers were made
    CHECK(pool.apply([late](int x) { return late + x; }, 2) == 42);
    late = 50;
    CHECK(pool.apply([late](auto x) { return late + x; }, 2) == 52);
}
ON_EVERY_ENGINE("API-03 every kind of callable works", calls_every_callable)

TEST_CASE("API-03 a pointer to an object of the parent is refused and the pool goes on") {
    Pool pool{1};
    const auto triangle = std::make_unique<Triangle>();
    const Shape* const shape = triangle.get();
    CHECK_THROWS_AS(pool.apply([shape] { return shape->corners(); }), CodecError);
    CHECK_THROWS_AS(pool.apply([&triangle] { return triangle->corners(); }), CodecError);
    CHECK_THROWS_AS(pool.apply([](const Shape* s) { return s->corners(); }, shape), CodecError);
    CHECK(pool.apply(square, 2) == 4);
    CHECK(pool.stats().submitted == 1);
}

// ---- building

TEST_CASE("API-11 bad options are refused and leave no child") {
    const auto refused = [](PoolOptions options) {
        CHECK_THROWS_AS(Pool{options}, std::invalid_argument);
        CHECK_THROWS_AS(ThreadPool{options}, std::invalid_argument);
        CHECK_THROWS_AS(InlinePool{options}, std::invalid_argument);
    };
    refused({.workers = static_cast<std::size_t>(-1)});
    refused({.workers = PoolOptions::max_workers + 1});
    refused({.queue_capacity = 0});
    refused({.queue_capacity = PoolOptions::max_queue_capacity + 1});
    refused({.start_timeout = 0ms});
    refused({.start_timeout = -1ms});
    refused({.terminate_grace = -1ms});
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("API-11 a pool of three has three processes in a family of their own") {
    SharedPage page;
    const Meeting all_here{page, 3};
    Pool pool{3};
    CHECK(pool.size() == 3);
    std::vector<Future<std::pair<pid_t, pid_t>>> futures;
    for (int i = 0; i < 3; ++i) {
        futures.push_back(pool.apply_async(
            [](Meeting all) {
                all.arrive_and_wait();
                return std::pair{::getpid(), ::getppid()};
            },
            all_here));
    }
    std::set<pid_t> workers;
    std::set<pid_t> parents;
    for (auto& future : futures) {
        const auto [pid, parent] = get_soon(future);
        workers.insert(pid);
        parents.insert(parent);
    }
    CHECK(workers.size() == 3);
    CHECK(parents.size() == 1);
    std::set<pid_t> listed;
    for (const WorkerInfo& worker : pool.workers()) { listed.insert(worker.pid); }
    CHECK(listed == workers);
}

TEST_CASE("API-12 the default size follows the affinity mask and PROCPOOL_WORKERS") {
    Subprocess program{[] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(::sched_getcpu(), &one);
        ::sched_setaffinity(0, sizeof one, &one);
        std::printf("%zu %zu ", Pool{}.size(), usable_cpus());
        ::setenv("PROCPOOL_WORKERS", "3", 1);
        std::printf("%zu %zu\n", Pool{}.size(), ThreadPool{}.size());
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "1 1 3 3\n");
}

TEST_CASE("API-13 200 workers start/run and stop within 256 descriptors", "[slow]") {
    Subprocess program{[] {
        const rlimit descriptors{256, 256};
        ::setrlimit(RLIMIT_NOFILE, &descriptors);
        Pool pool{under_sanitizer ? 50U : 200U};
        std::vector<int> numbers(1000);
        std::iota(numbers.begin(), numbers.end(), 0);
        const std::vector<int> squares = pool.map(square, numbers);
        std::printf("%d\n", std::accumulate(squares.begin(), squares.end(), 0));
    }};
    CHECK(exited_with(program.wait(120s), 0));
    CHECK(program.output() == "332833500\n");
}

TEST_CASE("API-14 more workers than processors all run at once and a full queue makes no more of them") {
    SharedPage page;
    const std::size_t n = 2 * usable_cpus() + 2;
    const Meeting all_here{page, static_cast<std::int64_t>(n)};
    const Gate may_end{page};
    Pool pool{n};
    std::vector<Future<void>> futures;
    for (std::size_t i = 0; i < n; ++i) {
        futures.push_back(pool.apply_async([](Meeting all) { all.arrive_and_wait(); }, all_here));
    }
    for (auto& future : futures) { get_soon(future); }
    futures.clear();
    for (std::size_t i = 0; i < 15 * n; ++i) {
        futures.push_back(pool.apply_async([](Gate gate) { gate.wait(); }, may_end));
    }
    CHECK(pool.workers().size() == n);
    CHECK(pool.stats().workers_started == n);
    may_end.set();
    for (auto& future : futures) { get_soon(future); }
    CHECK(pool.stats().workers_started == n);
}

TEST_CASE("API-30 the initializer runs once in every worker - before its first task in replacements too") {
    static int made_by_initializer = 0;
    SharedPage page;
    const Counter runs{page};
    {
        Pool pool{{.workers = 2, .initializer = [runs] {
                       made_by_initializer = 7;
                       runs.add();
                   }}};
        for (int i = 0; i < 20; ++i) {
            CHECK(pool.apply([] { return made_by_initializer; }) == 7);
        }
        runs.wait_for(2);
        CHECK_THROWS_AS(pool.apply([] { ::_exit(1); }), WorkerDied);
        runs.wait_for(3);
        for (int i = 0; i < 20; ++i) {
            CHECK(pool.apply([] { return made_by_initializer; }) == 7);
        }
    }
    CHECK(runs.value() == 3);
    CHECK(made_by_initializer == 0);
}

template <class P>
void initializes_and_finalizes_unused_workers() {
    SharedPage page;
    const Counter begun{page};
    const Counter ended{page};
    {
        P pool{{.workers = 1, .initializer = [begun] { begun.add(); }, .finalizer = [ended] { ended.add(); }}};
        pool.close();
        pool.join();
    }
    CHECK(begun.value() == 1);
    CHECK(ended.value() == 1);
}
ON_EVERY_ENGINE("API-30 initializer and finalizer run in a pool without tasks",
                initializes_and_finalizes_unused_workers)

TEST_CASE("API-31 workers see the memory of the parent as it was when they were forked and keep theirs") {
    static int global = 1;
    global = 1;
    Pool pool{1};
    global = 2;
    CHECK(pool.apply([] { return global++; }) == 1);
    CHECK(pool.apply([] { return global; }) == 2);
    CHECK(global == 2);
    global = 3;
    CHECK_THROWS_AS(pool.apply([] { ::_exit(1); }), WorkerDied);
    CHECK(pool.apply([] { return global; }) == 1);  // replacements are forked from the memory of that time too
}

// ---- where a task runs

template <class P>
void knows_where_it_runs() {
    CHECK_FALSE(in_worker());
    CHECK_THROWS_AS(this_worker::index(), std::logic_error);
    CHECK_THROWS_AS(this_worker::pid(), std::logic_error);
    CHECK_THROWS_AS(this_task::id(), std::logic_error);
    P pool{2};
    CHECK(pool.apply([] { return in_worker(); }));
    CHECK(pool.apply([] { return this_worker::index(); }) < pool.size());
    CHECK(pool.apply([] { return this_worker::pid() == ::getpid(); }));
    std::set<std::uint64_t> ids;
    for (int i = 0; i < 10; ++i) {
        ids.insert(pool.apply([] { return this_task::id(); }));
    }
    CHECK(ids.size() == 10);
    CHECK_FALSE(in_worker());
}
ON_EVERY_ENGINE("a task knows that it is one - its worker and its number", knows_where_it_runs)

TEST_CASE("a worker is called by the pool's name and its index - cut to what the kernel keeps") {
    Pool pool{{.workers = 1, .name = "a-rather-long-name"}};
    CHECK(pool.apply([] { return text_of_file("/proc/self/comm"); }) == "a-rather-long:0\n");
}

template <class P>
void counts() {
    SharedPage page;
    const Gate may_end{page};
    P pool{1};
    pool.apply(square, 1);
    CHECK_THROWS(pool.apply([] { throw std::runtime_error("no"); }));
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == 2);
    CHECK(stats.completed == 1);
    CHECK(stats.failed == 1);
    CHECK(stats.workers_started == 1);
    CHECK(stats.workers_died == 0);
    CHECK(fmt::format("{}", stats).starts_with("2 submitted, 1 completed, 1 failed"));
    const std::vector<WorkerInfo> workers = pool.workers();
    REQUIRE(workers.size() == 1);
    CHECK(workers[0].index == 0);
    CHECK(workers[0].tasks_done == 2);
    CHECK_FALSE(workers[0].busy);
}
ON_EVERY_ENGINE("stats() and workers() count what happened", counts)

template <class P>
void shows_busy_workers() {
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    P pool{1};
    auto future = pool.apply_async(
        [](Gate entered, Gate end) {
            entered.set();
            end.wait();
        },
        runs, may_end);
    runs.wait();
    CHECK(pool.workers().at(0).busy);
    may_end.set();
    get_soon(future);
    CHECK_FALSE(pool.workers().at(0).busy);
}
ON_ENGINES_WITH_WORKERS("workers() tells who is busy", shows_busy_workers)

TEST_CASE("PROCPOOL_WORKERS beyond what a pool may have is an error for every engine that would use it") {
    for (const char* const many : {"2001", "2047", "100000"}) {
        Subprocess program{[=] {
            ::setenv("PROCPOOL_WORKERS", many, 1);
            try {
                const Pool pool;
            } catch (const std::invalid_argument&) { std::printf("processes "); }
            try {
                const ThreadPool pool;
            } catch (const std::invalid_argument&) { std::printf("threads "); }
            try {
                static_cast<void>(fork_map([](int n) { return n; }, std::vector<int>{1, 2, 3}));
            } catch (const std::invalid_argument& error) { std::printf("%s", error.what()); }
            std::printf("; %zu", Pool{1}.size());
        }};
        CHECK(exited_with(program.wait(), 0));
        CHECK(program.output() ==
              std::string{"processes threads procpool: PROCPOOL_WORKERS must be a number from 1 to 2000, not '"} +
                  many + "'; 1");
    }
}

// ---- futures

template <class P>
void futures_wait_until_the_ends_of_time() {
    SharedPage page;
    const Gate may_end{page};
    P pool{1};
    auto future = pool.apply_async([](Gate gate) { gate.wait(); }, may_end);
    auto continued = pool.apply_async([] { return 1; }).then([](int n) { return n; });
    using System = std::chrono::system_clock;
    using Steady = std::chrono::steady_clock;
    using Hours = std::chrono::time_point<System, std::chrono::hours>;
    for (const FutureBase* const one :
         {static_cast<const FutureBase*>(&future), static_cast<const FutureBase*>(&continued)}) {
        CHECK(one->wait_until(System::time_point::min()) == std::future_status::timeout);
        CHECK(one->wait_until(Steady::time_point::min()) == std::future_status::timeout);
        CHECK(one->wait_until(Hours::min()) == std::future_status::timeout);
        CHECK(one->wait_for(Steady::duration::min()) == std::future_status::timeout);
        CHECK(one->wait_for(std::chrono::hours::min()) == std::future_status::timeout);
    }
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    threads.emplace_back([&] { ready += future.wait_until(System::time_point::max()) == std::future_status::ready; });
    threads.emplace_back([&] { ready += future.wait_until(Steady::time_point::max()) == std::future_status::ready; });
    threads.emplace_back([&] { ready += future.wait_until(Hours::max()) == std::future_status::ready; });
    threads.emplace_back(
        [&] { ready += continued.wait_until(System::time_point::max()) == std::future_status::ready; });
    CHECK(future.wait_until(Steady::now() + 1ms) == std::future_status::timeout);
    may_end.set();
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(ready == 4);
}
ON_ENGINES_WITH_WORKERS("wait_until() the first and the last moment of a clock", futures_wait_until_the_ends_of_time)

template <class P>
void futures_have_states() {
    SharedPage page;
    const Gate may_end{page};
    P pool{1};
    auto running = pool.apply_async(
        [](Gate gate) {
            gate.wait();
            return 49;
        },
        may_end);
    auto queued = pool.apply_async([]() -> int { throw std::out_of_range("late"); });
    CHECK(running.valid());
    CHECK_FALSE(running.ready());
    CHECK_FALSE(queued.ready());
    CHECK(running.wait_for(0s) == std::future_status::timeout);
    CHECK(running.wait_for(-1s) == std::future_status::timeout);
    CHECK(running.wait_until(std::chrono::steady_clock::now() + 1ms) == std::future_status::timeout);
    CHECK(running.wait_until(std::chrono::system_clock::now() - 1h) == std::future_status::timeout);
    CHECK(queued.wait_for(1ms) == std::future_status::timeout);
    may_end.set();
    CHECK(running.wait_for(wait_limit) == std::future_status::ready);
    CHECK(running.ready());
    CHECK(queued.wait_for(std::chrono::hours::max()) == std::future_status::ready);
    CHECK(running.wait_for(0s) == std::future_status::ready);
    running.wait();
    CHECK(running.get() == 49);
    CHECK_FALSE(running.valid());
    CHECK_FALSE(running.ready());
    CHECK_THROWS_AS(running.get(), std::future_error);  // once
    running.wait();                                     // nothing to wait for
    CHECK(running.wait_for(0s) == std::future_status::ready);
    CHECK_FALSE(running.cancel());
    CHECK_FALSE(running.kill());
    CHECK_THROWS_AS(running.on_done([] {}), std::future_error);
    CHECK_THROWS_AS(queued.get(), std::out_of_range);
    CHECK_FALSE(queued.valid());
    Future<int> none;
    CHECK_FALSE(none.valid());
    CHECK_FALSE(none.ready());
    CHECK_THROWS_AS(none.get(), std::future_error);
    CHECK_THROWS_AS(none.wait(), std::future_error);
    CHECK_THROWS_AS(none.cancel(), std::future_error);
}
ON_ENGINES_WITH_WORKERS("API-22 API-24 a future is unfinished - ready - used up", futures_have_states)

template <class P>
void futures_in_every_state() {
    struct State {
        bool valid, ready, running;
        bool operator==(const State&) const = default;
    };
    const auto state_of = [](const FutureBase& future) {
        return State{future.valid(), future.ready(), future.running()};
    };
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    P pool{1};
    auto finished = pool.apply_async(same, 1);
    finished.wait();
    auto failed = pool.apply_async(fail, 2);
    failed.wait();
    auto running = pool.apply_async(
        [](Gate begun, Gate end) {
            begun.set();
            end.wait();
            return 3;
        },
        runs, may_end);
    runs.wait();
    auto pending = pool.apply_async(same, 4);
    auto to_be_killed = pool.apply_async(same, 5);
    auto cancelled = pool.apply_async(same, 6);
    CHECK(cancelled.cancel());
    CHECK(state_of(finished) == State{true, true, false});
    CHECK(state_of(failed) == State{true, true, false});
    CHECK(state_of(cancelled) == State{true, true, false});
    CHECK(state_of(running) == State{true, false, true});
    CHECK(state_of(pending) == State{true, false, false});
    for (Future<int>* const ended : {&finished, &failed, &cancelled}) {
        CHECK_FALSE(ended->cancel());
        CHECK_FALSE(ended->kill());
        CHECK(state_of(*ended) == State{true, true, false});
    }
    CHECK_FALSE(running.cancel());
    CHECK(state_of(running) == State{true, false, true});
    CHECK(pending.cancel());
    CHECK(to_be_killed.kill());
    CHECK(state_of(pending) == State{true, true, false});
    CHECK(state_of(to_be_killed) == State{true, true, false});
    CHECK(running.kill());
    if (!has_processes<P>()) { may_end.set(); }  // it can only be asked
    running.wait();
    CHECK(state_of(running) == State{true, true, false});
    CHECK(finished.get() == 1);
    CHECK_THROWS_AS(failed.get(), std::out_of_range);
    if (has_processes<P>()) {
        CHECK_THROWS_AS(running.get(), TaskCancelled);
    } else {
        CHECK(running.get() == 3);
    }
    for (Future<int>* const withdrawn : {&pending, &to_be_killed, &cancelled}) {
        CHECK_THROWS_AS(withdrawn->get(), TaskCancelled);
    }
    for (Future<int>* const used : {&finished, &failed, &running, &pending, &to_be_killed, &cancelled}) {
        CHECK(state_of(*used) == State{false, false, false});
        CHECK_FALSE(used->cancel());
        CHECK_FALSE(used->kill());
    }
}
ON_ENGINES_WITH_WORKERS(
    "API-22 API-24 what a pending/running/finished/failed and cancelled future say and answer to cancel() and "
    "kill()",
    futures_in_every_state)

template <class P>
void futures_move() {
    P pool{1};
    auto first = pool.apply_async(square, 2);
    Future<int> second = std::move(first);
    CHECK_FALSE(first.valid());  // NOLINT: the moved-from state is under test
    first = pool.apply_async(square, 3);
    second = std::move(first);  // the one it had is dropped
    CHECK(second.get() == 9);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Future<int>>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Future<int>>);
}
ON_EVERY_ENGINE("API-22 futures move", futures_move)

template <class P>
void waits_about_as_long_as_asked() {
    SharedPage page;
    const Gate may_end{page};
    P pool{1};
    auto future = pool.apply_async([](Gate gate) { gate.wait(); }, may_end);
    const auto start = std::chrono::steady_clock::now();
    CHECK(future.wait_for(100ms) == std::future_status::timeout);
    const auto waited = since(start);
    may_end.set();
    CHECK(waited >= 100ms);
    CHECK(waited < wait_limit / 2);  // the task would end after wait_limit
    get_soon(future);                // the task was left alone
}
ON_ENGINES_WITH_WORKERS("TMO-01 wait_for() returns in time and leaves the task alone", waits_about_as_long_as_asked)

template <class P>
void many_threads_wait_for_one_task() {
    for (int round = 0; round < 20; ++round) {
        SharedPage page;
        const Gate may_end{page};
        P pool{1};
        auto future = pool.apply_async(
            [](Gate gate) {
                gate.wait();
                return 7;
            },
            may_end);
        std::atomic<int> woken{0};
        std::atomic<int> waiting{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                ++waiting;
                if (future.wait_for(wait_limit) == std::future_status::ready && future.ready()) { ++woken; }
            });
        }
        wait_until([&] { return waiting == 8; }, "the threads");
        may_end.set();
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(woken == 8);
        CHECK(future.get() == 7);
    }
}
ON_ENGINES_WITH_WORKERS("API-23 many threads wait for one future", many_threads_wait_for_one_task)

template <class P>
void wait_runs_beside_get() {
    for (int round = 0; round < 50; ++round) {
        SharedPage page;
        const Gate may_end{page};
        P pool{1};
        auto future = pool.apply_async(
            [](Gate gate) {
                gate.wait();
                return 7;
            },
            may_end);
        std::atomic<int> waiting{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                ++waiting;
                future.wait();  // also when get() is faster
            });
        }
        threads.emplace_back([&] {
            while (future.valid() && !future.ready()) { std::this_thread::yield(); }
        });
        wait_until([&] { return waiting == 4; }, "the threads");
        may_end.set();
        CHECK(future.get() == 7);
        for (std::thread& thread : threads) { thread.join(); }
    }
}
ON_ENGINES_WITH_WORKERS("API-23 wait() and ready() run beside one get()", wait_runs_beside_get)

template <class P>
void many_threads_submit() {
    P pool{2};
    constexpr int threads_count = 8;
    constexpr int tasks = 2000;
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < threads_count; ++t) {
        threads.emplace_back([&, t] {
            std::vector<Future<int>> futures;
            for (int i = 0; i < tasks; ++i) {
                futures.push_back(pool.apply_async([](int a, int b) { return a * 10000 + b; }, t, i));
            }
            for (int i = 0; i < tasks; ++i) { right += futures[static_cast<std::size_t>(i)].get() == t * 10000 + i; }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == threads_count * tasks);
}
ON_EVERY_ENGINE("SML-01 eight threads submit to one pool", many_threads_submit)

// ---- several pools

template <class P>
void pools_do_not_mix() {
    std::vector<std::unique_ptr<P>> pools;
    for (int i = 0; i < 4; ++i) { pools.push_back(std::make_unique<P>(1)); }
    std::vector<Future<int>> futures;
    for (int i = 0; i < 400; ++i) {
        futures.push_back(pools[static_cast<std::size_t>(i % 4)]->apply_async([](int x) { return x; }, i));
    }
    pools[2]->close();
    pools[0].reset();
    int right = 0;
    for (int i = 399; i >= 0; --i) { right += futures[static_cast<std::size_t>(i)].get() == i; }
    CHECK(right == 400);
    CHECK(pools[1]->apply(square, 3) == 9);
    pools[3].reset();
    CHECK(pools[1]->apply(square, 4) == 16);
}
ON_EVERY_ENGINE("API-29 several pools at once keep their results apart", pools_do_not_mix)

// ---- capacity

template <class P>
void tiny_queues_work() {
    for (const std::size_t capacity : {1, 2, 3}) {
        P pool{{.workers = 2, .queue_capacity = capacity}};
        std::vector<Future<int>> futures;
        for (int i = 0; i < 500; ++i) { futures.push_back(pool.apply_async(square, i)); }
        int right = 0;
        for (int i = 0; i < 500; ++i) { right += futures[static_cast<std::size_t>(i)].get() == i * i; }
        CHECK(right == 500);
        std::vector<int> numbers(100);
        std::iota(numbers.begin(), numbers.end(), 0);
        CHECK(pool.map(square, numbers).at(99) == 99 * 99);
    }
}
ON_EVERY_ENGINE("a queue for one/two or three tasks is enough", tiny_queues_work)

template <class P>
void try_gives_nothing_when_full() {
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    P pool{{.workers = 1, .queue_capacity = 2}};
    auto running = pool.apply_async(
        [](Gate entered, Gate end) {
            entered.set();
            end.wait();
        },
        runs, may_end);
    runs.wait();
    auto queued = pool.try_apply_async(square, 2);
    REQUIRE(queued);
    CHECK_FALSE(pool.try_apply_async(square, 3));
    CHECK_FALSE(pool.try_apply_async(square, 3));
    may_end.set();
    CHECK(get_soon(*queued) == 4);
    get_soon(running);
    const auto again = pool.try_apply_async(square, 3);
    CHECK(again);
}
ON_ENGINES_WITH_WORKERS("try_apply_async() on a full queue gives nothing", try_gives_nothing_when_full)

template <class P>
void waits_when_full() {
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    P pool{{.workers = 1, .queue_capacity = 1}};
    auto running = pool.apply_async(
        [](Gate entered, Gate end) {
            entered.set();
            end.wait();
        },
        runs, may_end);
    runs.wait();
    std::atomic<pid_t> submitter{0};
    std::atomic<int> result{0};
    std::thread thread{[&] {
        submitter = ::gettid();
        result = pool.apply_async(square, 5).get();
    }};
    wait_until([&] { return submitter != 0; }, "the thread");
    wait_until_asleep(submitter);
    CHECK(pool.stats().submitted == 1);
    may_end.set();
    thread.join();
    CHECK(result == 25);
    get_soon(running);
}
ON_ENGINES_WITH_WORKERS("apply_async() on a full queue waits until a task has finished", waits_when_full)

template <class P>
void unread_results_do_not_count() {
    P pool{{.workers = 1, .queue_capacity = 4}};
    std::vector<Future<std::string>> kept;
    for (int i = 0; i < 1000; ++i) {
        kept.push_back(pool.apply_async([](int n) { return std::string(static_cast<std::size_t>(n), 'x'); }, i));
    }
    std::size_t total = 0;
    for (auto& future : kept) { total += get_soon(future).size(); }
    CHECK(total == 999 * 1000 / 2);
}
ON_EVERY_ENGINE("BIG-05 finished tasks whose results nobody has read take no place in the queue",
                unread_results_do_not_count)

}  // namespace
