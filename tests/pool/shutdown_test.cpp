// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

enum class Stop { close, join, terminate, kill };
constexpr std::array all_stops{Stop::close, Stop::join, Stop::terminate, Stop::kill};

template <class P>
void apply_stop(P& pool, Stop stop) {
    switch (stop) {
        case Stop::close: pool.close(); break;
        case Stop::join: pool.join(); break;
        case Stop::terminate: pool.terminate(); break;
        case Stop::kill: pool.kill(); break;
    }
}

template <class P>
void refuses_work_once_stopped() {
    for (const Stop stop : all_stops) {
        P pool{1};
        auto before = pool.apply_async(same, 1);
        before.wait();
        apply_stop(pool, stop);
        SharedArray<int> shared(4);
        std::vector<int> output(4);
        CHECK_THROWS_AS(pool.apply(same, 1), PoolClosed);
        CHECK_THROWS_AS(pool.apply_async(same, 1), PoolClosed);
        CHECK_THROWS_AS(pool.try_apply_async(same, 1), PoolClosed);
        CHECK_THROWS_AS(pool.map(same, shared), PoolClosed);
        CHECK_THROWS_AS(pool.map(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.for_each(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.for_each([](int& x) { ++x; }, shared), PoolClosed);
        CHECK_THROWS_AS(pool.map_into(same, shared, output), PoolClosed);
        CHECK_THROWS_AS(pool.map_into(same, output, shared), PoolClosed);
        const std::vector<std::tuple<int>> tuples{{1}, {2}};
        CHECK_THROWS_AS(pool.starmap(same, tuples), PoolClosed);
        CHECK_THROWS_AS(pool.starmap_async(same, tuples), PoolClosed);
        CHECK_THROWS_AS(pool.map_async(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.map_outcomes(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.map_reduce(same, std::plus<>{}, 0, output), PoolClosed);
        CHECK_THROWS_AS(pool.imap(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.imap_unordered(same, output), PoolClosed);
        CHECK_THROWS_AS(pool.broadcast(same, 1), PoolClosed);
        CHECK_THROWS_AS(pool.refork(), PoolClosed);
        CHECK(pool.stats().submitted == 1);
        CHECK(before.get() == 1);
        CHECK(pool.size() == 1);
    }
}
ON_EVERY_ENGINE("SHD-01 every entry point refuses work after close/join/terminate and kill", refuses_work_once_stopped)

template <class P>
void refuses_an_empty_map_too() {
    P pool{1};
    pool.close();
    CHECK_THROWS_AS(pool.map(same, std::vector<int>{}), PoolClosed);
}
ON_EVERY_ENGINE("SHD-01 a closed pool refuses a map of nothing", refuses_an_empty_map_too)

template <class P>
void finishes_what_was_accepted() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    std::vector<Future<int>> futures;
    for (int i = 0; i < 50; ++i) {
        futures.push_back(pool.apply_async(
            [](int n, Gate gate) {
                gate.wait();
                return n;
            },
            i, may_end));
    }
    pool.close();
    CHECK_FALSE(pool.join_for(1ms));
    may_end.set();
    pool.join();
    int sum = 0;
    for (auto& future : futures) {
        CHECK(future.ready());
        sum += future.get();
    }
    CHECK(sum == 1225);
}
ON_ENGINES_WITH_WORKERS("SHD-02 close and join finish everything that was accepted", finishes_what_was_accepted)

template <class P>
void closes_at_once_after_submissions() {
    for (const std::size_t workers : {1, 2, 5}) {
        for (std::size_t round = 0; round < times(150); ++round) {
            P pool{workers};
            std::vector<Future<std::string>> futures;
            for (std::size_t i = 0; i < workers + 1; ++i) {
                futures.push_back(pool.apply_async([](std::size_t n) { return std::to_string(n); }, i));
            }
            pool.close();
            if (!pool.join_for(wait_limit)) { FAIL("join hangs, workers: " << workers << ", round: " << round); }
            if (futures.back().get() != std::to_string(workers)) { FAIL("wrong result"); }
        }
    }
}
ON_ENGINES_WITH_WORKERS("SHD-03 close and join right after N + 1 tiny tasks", closes_at_once_after_submissions)

template <class P>
void join_rules() {
    SharedPage page;
    const Gate may_end{page};
    P pool{1};
    auto future = pool.apply_async([](Gate gate) { gate.wait(); }, may_end);
    CHECK_FALSE(pool.join_for(0ms));
    CHECK_FALSE(pool.join_for(-1s));
    CHECK_FALSE(pool.join_for(20ms));
    CHECK_THROWS_AS(pool.apply(same, 1), PoolClosed);  // joining has closed it
    may_end.set();
    CHECK(pool.join_for(wait_limit));
    CHECK(pool.join_for(0ms));
    pool.join();
    CHECK(future.ready());
    CHECK(pool.workers().empty() == has_processes<P>());
}
ON_ENGINES_WITH_WORKERS("SHD-05 join_for() says false then true and join may be repeated", join_rules)

/// A pool with nothing to do, and one with a task that runs and some that wait.
template <class P>
void any_order_of_stops() {
    std::size_t sequences = 0;
    for (const bool busy : {false, true}) {
        for (const Stop first : all_stops) {
            for (const Stop second : all_stops) {
                for (const Stop third : all_stops) {
                    P pool{{.workers = 1, .terminate_grace = 0ms}};
                    std::vector<Future<int>> futures;
                    for (int i = 0; busy && i < 5; ++i) { futures.push_back(pool.apply_async(same, i)); }
                    for (const Stop stop : {first, second, third}) { apply_stop(pool, stop); }
                    pool.join();
                    for (int i = 0; i < static_cast<int>(futures.size()); ++i) {
                        try {
                            if (futures[static_cast<std::size_t>(i)].get() != i) { FAIL("wrong value"); }
                        } catch (const PoolTerminated&) {}
                    }
                    ++sequences;
                }
            }
        }
    }
    CHECK(sequences == 128);
}
ON_EVERY_ENGINE("SHD-06 every order of close/join/terminate and kill", any_order_of_stops)

template <class P>
void stops_from_many_threads() {
    for (int round = 0; round < 30; ++round) {
        P pool{{.workers = 2, .terminate_grace = 0ms}};
        std::vector<Future<int>> futures;
        for (int i = 0; i < 100; ++i) { futures.push_back(pool.apply_async(same, i)); }
        std::vector<std::thread> threads;
        for (const Stop stop : all_stops) {
            threads.emplace_back([&pool, stop] { apply_stop(pool, stop); });
        }
        for (std::thread& thread : threads) { thread.join(); }
        pool.join();
        for (auto& future : futures) {
            if (!future.ready()) { FAIL("undecided after join"); }
        }
    }
}
ON_EVERY_ENGINE("SHD-06 close/join/terminate and kill from four threads", stops_from_many_threads)

template <class P>
void destructor_finishes() {
    for (const int count : {0, 1, 3000}) {
        std::vector<Future<std::string>> futures;
        {
            P pool{2};
            for (int i = 0; i < count; ++i) {
                futures.push_back(
                    pool.apply_async([](int n) { return std::string(static_cast<std::size_t>(n % 100), 'x'); }, i));
            }
        }
        int right = 0;
        for (int i = 0; i < count; ++i) {
            auto& future = futures[static_cast<std::size_t>(i)];
            right += future.ready() && future.wait_for(0s) == std::future_status::ready &&
                     future.get().size() == static_cast<std::size_t>(i % 100);
        }
        CHECK(right == count);
    }
}
ON_EVERY_ENGINE("SHD-08 the destructor finishes what was accepted and futures outlive the pool", destructor_finishes)

template <class P>
void destructor_terminates_while_unwinding() {
    SharedPage page;
    const Gate runs{page};
    const Counter finished{page};
    std::vector<Future<void>> futures;
    try {
        P pool{{.workers = 1, .terminate_grace = 0ms}};
        futures.push_back(pool.apply_async(
            [](std::stop_token stop, Gate entered, Counter ended) {
                entered.set();
                while (!stop.stop_requested()) { std::this_thread::sleep_for(1ms); }
                ended.add();
            },
            runs, finished));
        for (int i = 0; i < 100; ++i) {
            futures.push_back(pool.apply_async([](Counter ended) { ended.add(); }, finished));
        }
        runs.wait();
        throw std::domain_error("on the way out");
    } catch (const std::domain_error&) {}
    std::size_t terminated = 0;
    for (auto& future : futures) {
        try {
            future.get();
        } catch (const PoolTerminated&) { ++terminated; }
    }
    CHECK(terminated >= 100);
    CHECK(finished.value() <= 1);
}
ON_ENGINES_WITH_WORKERS("SHD-08 the destructor terminates while an exception is unwinding through it",
                        destructor_terminates_while_unwinding)

TEST_CASE("SHD-08 a pool in a destructor that runs while unwinding is closed not terminated") {
    struct Cleanup {
        int* result;
        ~Cleanup() {
            Pool pool{1};
            auto future = pool.apply_async(same, 5);
            pool.close();
            *result = future.get();
        }
    };
    int result = 0;
    try {
        const Cleanup cleanup{&result};
        throw std::domain_error("on the way out");
    } catch (const std::domain_error&) {}
    CHECK(result == 5);
}

// ---- terminate and kill

template <class P>
void terminates_with_a_full_queue() {
    SharedPage page;
    const Counter started{page};
    const Gate never{page};
    P pool{{.workers = 2, .terminate_grace = 100ms}};
    std::vector<Future<void>> futures;
    const auto block = [](Counter begun, Gate end) {
        begun.add();
        end.wait();
    };
    futures.push_back(pool.apply_async(block, started, never));
    futures.push_back(pool.apply_async(block, started, never));
    started.wait_for(2);
    for (int i = 0; i < 4000; ++i) { futures.push_back(pool.apply_async(block, started, never)); }
    pool.terminate();
    std::size_t decided = 0;
    for (std::size_t i = 2; i < futures.size(); ++i) { decided += futures[i].ready(); }
    CHECK(decided == 4000);  // tasks that have not started are decided at once
    if (!has_processes<P>()) { never.set(); }
    CHECK(pool.join_for(wait_limit / 2));  // the tasks would end after wait_limit
    std::size_t terminated = 0;
    for (auto& future : futures) {
        try {
            get_soon(future);
        } catch (const PoolTerminated&) { ++terminated; }
    }
    CHECK(terminated >= 4000);
    CHECK(terminated == (has_processes<P>() ? 4002 : terminated));
    CHECK(started.value() == 2);
}
ON_ENGINES_WITH_WORKERS("SHD-13 terminate() while tasks run and 4000 are queued", terminates_with_a_full_queue)

template <class P>
void wakes_those_who_wait() {
    P pool{2};
    std::vector<Future<void>> futures;
    for (int i = 0; i < 50; ++i) {
        futures.push_back(pool.apply_async([](std::stop_token stop) {
            while (!stop.stop_requested()) { std::this_thread::sleep_for(1ms); }
        }));
    }
    std::atomic<int> decided{0};
    std::vector<std::thread> waiting;
    for (int t = 0; t < 3; ++t) {
        waiting.emplace_back([&, t] {
            for (std::size_t i = static_cast<std::size_t>(t); i < futures.size(); i += 3) {
                futures[i].wait();
                ++decided;
            }
        });
    }
    pool.terminate();
    wait_until([&] { return decided == 50; }, "every future");
    for (std::thread& thread : waiting) { thread.join(); }
    std::size_t terminated = 0;
    for (auto& future : futures) {
        try {
            future.get();  // a thread's task has heard of its end and returned
        } catch (const PoolTerminated&) { ++terminated; }
    }
    CHECK(terminated >= 48);
}
ON_ENGINES_WITH_WORKERS("TMO-13 terminate() decides every future and wakes those who wait for them",
                        wakes_those_who_wait)

TEST_CASE("SHD-13 terminate() stops running tasks also those that ignore SIGTERM and workers are gone") {
    for (const bool stubborn : {false, true}) {
        SharedPage page;
        const Gate runs{page};
        const Gate never{page};
        const Gate finished{page};
        Pool pool{{.workers = 1, .terminate_grace = stubborn ? 100ms : std::chrono::milliseconds{1h}}};
        auto future = pool.apply_async(
            [](Gate entered, Gate end, Gate done, bool ignore) {
                if (ignore) {
                    ::signal(SIGTERM, SIG_IGN);
                    sigset_t all;
                    ::sigfillset(&all);
                    ::sigprocmask(SIG_BLOCK, &all, nullptr);
                }
                entered.set();
                end.wait(1h);
                done.set();
            },
            runs, never, finished, stubborn);
        runs.wait();
        const pid_t worker = pool.workers().at(0).pid;
        pool.terminate();
        CHECK_THROWS_AS(get_soon(future), PoolTerminated);
        CHECK(pool.join_for(wait_limit));
        CHECK_FALSE(is_alive(worker));
        never.set();
        CHECK_FALSE(finished.is_set());
        CHECK_THROWS_AS(pool.apply(same, 1), PoolClosed);
    }
}

TEST_CASE("SHD-13 a stopped worker is terminated too") {
    Pool pool{{.workers = 1, .terminate_grace = 100ms}};
    const pid_t worker = pool.apply([] { return ::getpid(); });
    send_signal(worker, SIGSTOP);
    pool.terminate();
    CHECK(pool.join_for(wait_limit));
    CHECK_FALSE(is_alive(worker));
}

TEST_CASE("SHD-13 kill() does not wait for anything") {
    SharedPage page;
    const Gate runs{page};
    const Gate never{page};
    Pool pool{{.workers = 2, .terminate_grace = 1h}};
    auto future = pool.apply_async(
        [](Gate entered, Gate end) {
            ::signal(SIGTERM, SIG_IGN);
            entered.set();
            end.wait();
        },
        runs, never);
    runs.wait();
    pool.kill();
    CHECK_THROWS_AS(get_soon(future, wait_limit / 2), PoolTerminated);  // the task would end after wait_limit
    CHECK(pool.join_for(wait_limit));
}

TEST_CASE("SHD-13 kill() overtakes terminate()'s grace") {
    SharedPage page;
    const Gate runs{page};
    const Gate never{page};
    Pool pool{{.workers = 1, .terminate_grace = 1h}};
    auto future = pool.apply_async(
        [](Gate entered, Gate end) {
            ::signal(SIGTERM, SIG_IGN);
            entered.set();
            end.wait();
        },
        runs, never);
    runs.wait();
    pool.terminate();
    CHECK_FALSE(pool.join_for(20ms));
    pool.kill();
    CHECK(pool.join_for(wait_limit / 2));
    CHECK_THROWS_AS(future.get(), PoolTerminated);
}

TEST_CASE("SHD-15 terminate() while large data is on its way", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    const std::string large(std::size_t{20} << 20, 'x');
    for (int round = 0; round < 20; ++round) {
        Pool pool{{.workers = 2, .terminate_grace = 50ms}};
        std::atomic<bool> stop{false};
        std::thread submitter{[&] {
            std::vector<Future<std::string>> futures;
            try {
                while (!stop) {
                    futures.push_back(pool.apply_async([](const std::string& s) { return s; }, large));
                    if (futures.size() > 4) { futures.erase(futures.begin()); }
                }
            } catch (const PoolClosed&) {}
        }};
        std::this_thread::sleep_for(std::chrono::milliseconds{random() % 100});  // somewhere in the middle
        pool.terminate();
        CHECK(pool.join_for(wait_limit));
        stop = true;
        submitter.join();
    }
}

struct Unwilling {};

}  // namespace

template <>
struct procpool::Codec<Unwilling> {
    static void encode(Writer&, const Unwilling&) { throw std::domain_error("refuses to leave"); }
    static Unwilling decode(Reader&) { return {}; }
};

namespace {

template <class P>
void stops_with_tasks_that_fail_to_encode() {
    for (std::size_t round = 0; round < times(50); ++round) {
        P pool{2};
        auto bad = pool.apply_async([] { return Unwilling{}; });
        pool.close();
        CHECK_THROWS_AS(get_soon(bad), std::domain_error);
        CHECK(pool.join_for(wait_limit));
    }
}
ON_EVERY_ENGINE("SHD-16 close while a task fails to encode its result", stops_with_tasks_that_fail_to_encode)

// ---- submitters that wait

template <class P>
void wakes_submitters(Stop stop) {
    SharedPage page;
    const Gate runs{page};
    const Gate may_end{page};
    P pool{{.workers = 1, .queue_capacity = 1, .terminate_grace = 0ms}};
    auto running = pool.apply_async(
        [](Gate entered, Gate end) {
            entered.set();
            end.wait();
        },
        runs, may_end);
    runs.wait();
    std::array<std::atomic<pid_t>, 3> submitters{};
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (auto& submitter : submitters) {
        threads.emplace_back([&] {
            submitter = ::gettid();
            try {
                static_cast<void>(pool.apply_async(same, 1));
            } catch (const PoolClosed&) { ++refused; }
        });
    }
    for (auto& submitter : submitters) {
        wait_until([&] { return submitter != 0; }, "the thread");
        wait_until_asleep(submitter);
    }
    const auto start = std::chrono::steady_clock::now();
    apply_stop(pool, stop);
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(refused == 3);
    CHECK(since(start) < wait_limit / 2);  // the task that runs would end after wait_limit
    may_end.set();
}
template <class P>
void wakes_submitters_at_every_stop() {
    wakes_submitters<P>(Stop::close);
    wakes_submitters<P>(Stop::terminate);
    wakes_submitters<P>(Stop::kill);
}
ON_ENGINES_WITH_WORKERS("apply_async() that waits for a place wakes when the pool is stopped",
                        wakes_submitters_at_every_stop)

template <class P>
void closes_beside_submitters() {
    for (int round = 0; round < 50; ++round) {
        P pool{2};
        std::atomic<int> accepted{0};
        std::atomic<int> finished{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([&] {
                std::vector<Future<int>> futures;
                try {
                    for (;;) {
                        futures.push_back(pool.apply_async(same, 1));
                        ++accepted;
                    }
                } catch (const PoolClosed&) {}
                for (auto& future : futures) { finished += future.get(); }
            });
        }
        wait_until([&] { return accepted > 200; }, "submissions");
        pool.close();
        for (std::thread& thread : threads) { thread.join(); }
        pool.join();
        CHECK(accepted == finished);
    }
}
ON_EVERY_ENGINE("close() beside three threads that submit: what was accepted is finished", closes_beside_submitters)

template <class P>
void terminates_beside_submitters() {
    for (int round = 0; round < 50; ++round) {
        P pool{{.workers = 2, .terminate_grace = 0ms}};
        std::atomic<int> accepted{0};
        std::atomic<int> decided{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([&] {
                std::vector<Future<int>> futures;
                try {
                    for (;;) {
                        futures.push_back(pool.apply_async(same, 1));
                        ++accepted;
                    }
                } catch (const PoolClosed&) {}
                for (auto& future : futures) {
                    try {
                        decided += get_soon(future);
                    } catch (const PoolTerminated&) { ++decided; }
                }
            });
        }
        wait_until([&] { return accepted > 200; }, "submissions");
        pool.terminate();
        for (std::thread& thread : threads) { thread.join(); }
        CHECK(accepted == decided);
    }
}
ON_EVERY_ENGINE("terminate() beside three threads that submit: what was accepted is decided",
                terminates_beside_submitters)

// ---- the program ends

TEST_CASE("SHD-10 main returns while tasks run: a pool in scope - a static pool - a leaked pool") {
    enum class How { scoped, static_, leaked, leaked_by_exit };
    for (const How how : {How::scoped, How::static_, How::leaked, How::leaked_by_exit}) {
        SharedPage page;
        const Counter started{page};
        const Counter ended{page};
        const auto task = [](Counter begun, Counter done) {
            begun.add();
            std::this_thread::sleep_for(100ms);
            done.add();
        };
        Subprocess program{[&] {
            if (how == How::scoped) {
                Pool pool{2};
                for (int i = 0; i < 4; ++i) { static_cast<void>(pool.apply_async(task, started, ended)); }
                return;
            }
            static std::unique_ptr<Pool> owner;
            auto* const pool = new Pool{2};
            if (how == How::static_) { owner.reset(pool); }
            for (int i = 0; i < 4; ++i) { static_cast<void>(pool->apply_async(task, started, ended)); }
            started.wait_for(1);
            if (how == How::leaked) { ::_exit(0); }
            std::exit(0);
        }};
        const int status = program.wait();
        CAPTURE(static_cast<int>(how), status, program.output());
        CHECK(exited_with(status, 0));
        CHECK(program.output() == "");
        if (how == How::scoped || how == How::static_) { CHECK(ended.value() == 4); }
    }
}

TEST_CASE("SHD-11 close() without join - then main returns: the task is finished once") {
    SharedPage page;
    const Counter ended{page};
    Subprocess program{[&] {
        Pool pool{1};
        static_cast<void>(pool.apply_async(
            [](Counter done) {
                std::printf("apple\n");
                done.add();
            },
            ended));
        pool.close();
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "apple\n");
    CHECK(ended.value() == 1);
}

TEST_CASE("SHD-12 a submission from an atexit function to a pool that is gone or lives is no hang") {
    static Pool* late = nullptr;
    Subprocess program{[] {
        static std::unique_ptr<Pool> pool;
        std::atexit([] {
            try {
                std::printf("%d\n", late->apply(same, 5));
                late->close();
                late->apply(same, 6);
            } catch (const PoolClosed&) { std::printf("closed\n"); }
        });
        pool = std::make_unique<Pool>(1);  // its static outlives the function above
        late = pool.get();
        std::exit(0);
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "5\nclosed\n");
}

TEST_CASE("SHD-19 LEK-04 the parent is killed: supervisor and workers disappear whatever they do") {
    for (const int signal : {SIGKILL, SIGTERM}) {
        SharedPage page;
        const Counter ready{page};
        std::vector<Word*> words;
        for (int i = 0; i < 4; ++i) { words.push_back(page.word()); }
        Subprocess program{[&] {
            Pool pool{{.workers = 4, .queue_capacity = 8}};
            for (int i = 0; i < 3; ++i) {
                static_cast<void>(
                    pool.apply_async(procpool::snapshot([ready, word = words[static_cast<std::size_t>(i)]](int which) {
                                         if (which == 1) { ::signal(SIGTERM, SIG_IGN); }
                                         if (which == 2) {  // by now out of the group, and without signals
                                             ::setsid();
                                             sigset_t all;
                                             ::sigfillset(&all);
                                             ::sigprocmask(SIG_BLOCK, &all, nullptr);
                                         }
                                         word->store(::getpid());
                                         ready.add();
                                         for (;;) {}
                                     }),
                                     i));
            }
            words[3]->store(pool.apply([] { return ::getppid(); }));
            ready.add();
            const auto keep_submitting = [&] {
                for (;;) {
                    static_cast<void>(pool.apply_async([] {
                        for (;;) {}
                    }));
                }
            };
            keep_submitting();  // until it waits for a place
        }};
        ready.wait_for(4);
        const auto start = std::chrono::steady_clock::now();
        send_signal(program.pid(), signal);
        for (Word* const word : words) { wait_until_gone(static_cast<pid_t>(word->load())); }
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(since(start)).count();
        std::printf("workers gone after %lld ms\n", static_cast<long long>(took));
        CHECK(killed_by(program.wait(), signal));
        CHECK(program.output() == "");
    }
}

TEST_CASE("SHD-19 the parent is killed while it builds pools: nothing is left", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    for (std::size_t round = 0; round < times(100); ++round) {
        Subprocess program{[] {
            for (;;) {
                Pool pool{3};
                pool.apply([] {});
            }
        }};
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 10000});
        send_signal(program.pid(), SIGKILL);
        CHECK(killed_by(program.wait(), SIGKILL));  // its output ends with the last of its processes
    }
}

TEST_CASE("SHD-21 200 pools are made and destroyed") {
    const std::size_t descriptors = open_descriptors();
    const std::vector<int> six{1, 2, 3, 4, 5, 6};
    long rss_after_warm_up = 0;
    for (int round = 0; round < 200; ++round) {
        Pool pool{4};
        if (pool.map(same, six) != six) { FAIL("wrong result in round " << round); }
        if (round == 50) { rss_after_warm_up = kilobytes_in("/proc/self/status", "VmRSS"); }
    }
    CHECK(open_descriptors() == descriptors);
    if (!under_sanitizer) { CHECK(kilobytes_in("/proc/self/status", "VmRSS") < rss_after_warm_up + 4096); }
}

template <class P>
void makes_and_destroys_pools_in_threads() {
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            for (int round = 0; round < 50; ++round) {
                P pool{2};
                right += pool.apply(same, round) == round;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 100);
}
ON_EVERY_ENGINE("FRK-03 two threads make and destroy pools", makes_and_destroys_pools_in_threads)

}  // namespace
