// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

/// Something happens while it is encoded.
struct Busy {
    std::function<void()>* meanwhile = nullptr;
    static int same(int value) { return value; }
    static int encoded(const Busy&) { return 42; }
};

}  // namespace

template <>
struct procpool::Codec<Busy> {
    static void encode(Writer&, const Busy& busy) { (*busy.meanwhile)(); }
    static Busy decode(Reader&) { return {}; }
};

namespace {

/// Keeps the only worker of a pool busy until it is released.
class Block {
public:
    template <class P>
    Block(P& pool, SharedPage& page) : open_(page),
                                       begun_(page) {
        task_ = pool.apply_async(
            [](Gate begun, Gate open) {
                begun.set();
                open.wait(60s);
            },
            begun_, open_);
        begun_.wait();
    }
    void release() {
        open_.set();
        get_soon(task_);
    }
    [[nodiscard]] Future<void>& task() { return task_; }

private:
    Gate open_;
    Gate begun_;
    Future<void> task_;
};

template <class P>
void pending_tasks_are_withdrawn() {
    SharedPage page;
    const Counter runs{page};
    P pool{1};
    Block block{pool, page};
    std::vector<Future<void>> futures;
    for (int i = 0; i < 100; ++i) {
        futures.push_back(pool.apply_async([](Counter count) { count.add(); }, runs));
    }
    for (std::size_t i = 0; i < 100; i += 2) {
        CHECK(futures[i].cancel());
        CHECK(futures[i].ready());
        CHECK_THROWS_AS(futures[i].get(), TaskCancelled);
    }
    block.release();
    for (std::size_t i = 1; i < 100; i += 2) { get_soon(futures[i]); }
    CHECK(runs.value() == 50);
    CHECK(pool.stats().cancelled == 50);
}
ON_ENGINES_WITH_WORKERS("a pending task that is cancelled never runs", pending_tasks_are_withdrawn)

/// Waits without looking, so that only a callback of the token can wake it.
bool wait_for_stop(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock{mutex};
    return !changed.wait_for(lock, stop, 20s, [] { return false; }) && stop.stop_requested();
}

template <class P>
void running_tasks_are_asked() {
    SharedPage page;
    const Gate begun{page};
    const Gate begun_again{page};
    P pool{2};
    auto by_argument = pool.apply_async(
        [](std::stop_token stop, Gate started) {
            started.set();
            return wait_for_stop(stop);
        },
        begun);
    auto by_question = pool.apply_async(
        [](Gate started) {
            const std::stop_token stop = this_task::stop_token();
            started.set();
            return wait_for_stop(stop);
        },
        begun_again);
    begun.wait();
    begun_again.wait();
    CHECK(by_argument.running());
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(by_argument.cancel());
    CHECK_FALSE(by_question.cancel());
    CHECK(get_soon(by_argument));
    CHECK(get_soon(by_question));
    CHECK(since(start) < recovery);
}
ON_ENGINES_WITH_WORKERS("TMO-10 a running task is asked to stop through its stop_token", running_tasks_are_asked)

template <class P>
void stop_requests_stay_with_their_task() {
    P pool{1};
    std::mt19937 random{std::random_device{}()};
    std::size_t asked = 0;
    for (std::size_t round = 0; round < times(2000); ++round) {
        auto first = pool.apply_async([](std::stop_token stop) { return stop.stop_requested(); });
        auto second = pool.apply_async([](std::stop_token stop) {
            for (int i = 0; i < 20; ++i) {
                if (stop.stop_requested()) { return true; }
                std::this_thread::yield();
            }
            return stop.stop_requested();
        });
        for (auto i = random() % 2000; i > 0; --i) { detail::relax(); }
        static_cast<void>(first.cancel());
        try {
            asked += get_soon(first) ? 1U : 0U;
        } catch (const TaskCancelled&) {}
        if (get_soon(second)) { FAIL("another task's stop request, in round " << round); }
    }
    INFO(asked);
    CHECK(true);
}
ON_ENGINES_WITH_WORKERS("a stop request never reaches the next task", stop_requests_stay_with_their_task)

TEST_CASE("TMO-10 cancel() leaves a running task alone that does not ask") {
    SharedPage page;
    Pool pool{1};
    Block block{pool, page};
    CHECK(block.task().running());
    CHECK_FALSE(block.task().cancel());
    CHECK(block.task().running());
    block.release();
}

TEST_CASE("TMO-10 DTH-32 kill() of a pending - a running and a finished task") {
    Muster muster;
    SharedPage page;
    const Counter runs{page};
    Pool pool{1};
    const pid_t before = pool.apply(::getpid);
    {
        Block block{pool, page};
        auto pending = pool.apply_async([](Counter count) { count.add(); }, runs);
        CHECK(pending.kill());
        CHECK_THROWS_AS(get_soon(pending, recovery), TaskCancelled);
        auto survives = pool.apply_async([] { return 7; });
        const auto start = std::chrono::steady_clock::now();
        CHECK(block.task().kill());
        CHECK_THROWS_AS(get_soon(block.task(), recovery), TaskCancelled);
        CHECK(since(start) < recovery);
        CHECK(get_soon(survives, recovery) == 7);
    }
    CHECK(runs.value() == 0);
    CHECK(pool.apply(::getpid) != before);
    wait_until_gone(before);
    auto finished = pool.apply_async([] { return 1; });
    finished.wait();
    CHECK_FALSE(finished.kill());
    CHECK(finished.get() == 1);
    require_whole(pool, muster);
}

TEST_CASE("kill() of a task that may run again that spins and that is stopped") {
    Muster muster;
    SharedPage page;
    const Counter begun{page};
    Pool pool{1};
    for (int round = 1; round <= 4; ++round) {
        auto stubborn = pool.apply_async(
            TaskOptions{.timeout = round % 2 == 0 ? 100s : 0s, .retries = 5},
            [](Counter started, bool stop) {
                started.add();
                if (stop) { ::raise(SIGSTOP); }
                spin_for_ever();
            },
            begun, round > 2);
        begun.wait_for(round);
        CHECK(stubborn.kill());
        CHECK_THROWS_AS(get_soon(stubborn, recovery), TaskCancelled);
    }
    CHECK(begun.value() == 4);
    CHECK(pool.stats().retried == 0);
    require_whole(pool, muster);
}

TEST_CASE("kill() races the end of the task: one outcome and the next task is not hit", "[slow]") {
    Muster muster;
    Pool pool{2};
    std::mt19937 random{std::random_device{}()};
    std::size_t killed = 0;
    for (std::size_t round = 0; round < times(1000); ++round) {
        auto task = pool.apply_async([] { return 5; });
        std::vector<Future<int>> next;
        for (int i = 0; i < 4; ++i) {
            next.push_back(pool.apply_async([](int n) { return n; }, i));
        }
        for (auto i = random() % 3000; i > 0; --i) { detail::relax(); }
        const bool was_in_time = task.kill();
        try {
            if (get_soon(task, recovery) != 5 || was_in_time) { FAIL("a killed task has a result"); }
        } catch (const TaskCancelled&) {
            if (!was_in_time) { FAIL("a finished task was cancelled"); }
            ++killed;
        }
        for (int i = 0; i < 4; ++i) {
            if (get_soon(next[static_cast<std::size_t>(i)], recovery) != i) { FAIL("a wrong result"); }
        }
    }
    CHECK(pool.stats().cancelled == killed);
    CHECK(pool.stats().failed == 0);
    require_whole(pool, muster);
}

TEST_CASE("kill() overrules a timeout that would mean another attempt", "[slow]") {
    Muster muster;
    Pool pool{2};
    std::mt19937 random{std::random_device{}()};
    for (std::size_t round = 0; round < times(200); ++round) {
        auto endless = pool.apply_async(TaskOptions{.timeout = 2ms, .retries = 60000}, [] { spin_for_ever(); });
        wait_until([&] { return endless.running(); }, "the task to start");
        for (auto i = random() % 500'000; i > 0; --i) { detail::relax(); }
        if (!endless.kill()) { FAIL("it had ended"); }
        CHECK_THROWS_AS(get_soon(endless, recovery), TaskCancelled);
    }
    const PoolStats stats = pool.stats();
    CHECK(stats.cancelled == times(200));
    CHECK(stats.timed_out == 0);
    require_whole(pool, muster);
    CHECK(pool.stats().workers_started <= stats.retried + stats.cancelled + 2);
}

TEST_CASE("TMO-11 threads blocked in get() and wait() wake when the task is cancelled or killed") {
    SharedPage page;
    Pool pool{1};
    Block block{pool, page};
    auto pending = pool.apply_async([] { return 1; });
    std::atomic<int> woken{0};
    std::thread getter{[&] {
        try {
            static_cast<void>(pending.get());
        } catch (const TaskCancelled&) { ++woken; }
    }};
    std::thread waiter{[&] {
        block.task().wait();
        ++woken;
    }};
    std::this_thread::sleep_for(50ms);  // most likely both sleep by now; right in any case
    static_cast<void>(pending.cancel());
    getter.join();
    CHECK(woken == 1);
    CHECK(block.task().kill());
    waiter.join();
    CHECK(woken == 2);
    CHECK_THROWS_AS(block.task().get(), TaskCancelled);
}

TEST_CASE("TMO-11 wait_any() and as_completed() wake on cancel() and on kill() and callbacks are called") {
    SharedPage page;
    Pool pool{1};
    Block block{pool, page};
    std::vector<Future<int>> pending;
    for (int i = 0; i < 2; ++i) {
        pending.push_back(pool.apply_async([] { return 1; }));
    }
    const std::vector<FutureBase*> all{&block.task(), &pending[0], &pending[1]};
    std::atomic<int> calls{0};
    block.task().on_done([&] { ++calls; });
    pending[0].on_done([&] { ++calls; });
    std::atomic<std::size_t> any{99};
    std::vector<std::size_t> order;
    std::atomic<std::size_t> found{0};
    std::thread waits_for_any{[&] { any = wait_any(all); }};
    std::thread waits_for_each{[&] {
        for (const std::size_t at : as_completed(all)) {
            order.push_back(at);
            ++found;
        }
    }};
    CHECK(pending[1].cancel());
    waits_for_any.join();
    CHECK(any == 2);
    wait_until([&] { return found == 1; }, "as_completed() to find what was cancelled");
    CHECK(block.task().kill());
    wait_until([&] { return found >= 2; }, "as_completed() to find what was killed");
    static_cast<void>(pending[0].kill());  // by now it may run, or have run
    waits_for_each.join();
    CHECK(order.size() == 3);
    CHECK(order[0] == 2);
    wait_all(all);
    CHECK(calls == 2);
    CHECK_THROWS_AS(block.task().get(), TaskCancelled);
    CHECK_THROWS_AS(pending[1].get(), TaskCancelled);
}

TEST_CASE("TMO-15 a storm of cancellations", "[slow]") {
    Muster muster;
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    Pool pool{3};
    for (std::size_t round = 0; round < times(20); ++round) {
        std::vector<Future<int>> futures;
        std::vector<bool> withdrawn;
        for (int i = 0; i < 500; ++i) {
            futures.push_back(pool.apply_async(
                [](std::stop_token stop, int n) {
                    if (n % 50 == 0) { static_cast<void>(wait_for_stop(stop)); }
                    return n;
                },
                i));
        }
        for (int i = 0; i < 500; ++i) {
            const bool must = i % 50 == 0;
            withdrawn.push_back((must || random() % 20 == 0) &&
                                (random() % 3 == 0 ? futures[static_cast<std::size_t>(i)].kill()
                                                   : futures[static_cast<std::size_t>(i)].cancel()));
        }
        for (int i = 0; i < 500; ++i) {
            try {
                if (get_soon(futures[static_cast<std::size_t>(i)]) != i || withdrawn[static_cast<std::size_t>(i)]) {
                    FAIL("a wrong result");
                }
            } catch (const TaskCancelled&) {
                if (!withdrawn[static_cast<std::size_t>(i)]) { FAIL("a task was cancelled that nobody cancelled"); }
            }
        }
    }
    require_whole(pool, muster);
}

TEST_CASE("100 000 tasks come and are cancelled while every worker is busy: those that stay keep their order",
          "[slow]") {
    Muster muster;
    SharedPage page;
    const Counter next{page};
    SharedArray<int> order{1000};
    Pool pool{1};
    Block block{pool, page};
    std::vector<Future<void>> kept;
    const int count = static_cast<int>(times(100'000));
    for (int i = 0; i < count; ++i) {
        auto task = pool.apply_async([](Counter position, std::span<int> into,
                                        int n) { into[static_cast<std::size_t>(position.add() - 1)] = n; },
                                     next, order, i);
        if (i % 200 == 7) {
            kept.push_back(std::move(task));
        } else if (!task.cancel()) {
            FAIL("a pending task could not be cancelled");
        }
    }
    block.release();
    for (Future<void>& task : kept) { get_soon(task); }
    REQUIRE(static_cast<std::size_t>(next.value()) == kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        if (order[i] != static_cast<int>(i) * 200 + 7) { FAIL("task " << order[i] << " came as number " << i); }
    }
    CHECK(pool.stats().cancelled == static_cast<std::size_t>(count) - kept.size());
    kept.clear();
    require_whole(pool, muster);
}

TEST_CASE(
    "a submission whose encoding submits does not overwrite the offers of others in a ring full of cancelled ones") {
    SharedPage page;
    const Gate begun{page};
    const Gate end{page};
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 4}};
    auto busy = pool.apply_async(
        [](Gate started, Gate gate) {
            started.set();
            gate.wait();
        },
        begun, end);
    begun.wait();
    const auto cancelled = [&] { CHECK(pool.apply_async(Busy::same, 1).cancel()); };
    for (int n = 0; n < 9; ++n) {
        cancelled();
        std::function<void()> meanwhile = cancelled;
        auto last = pool.apply_async(Busy::encoded, Busy{&meanwhile});
        CHECK(last.cancel());
    }
    std::function<void()> meanwhile = cancelled;
    auto last = pool.apply_async(Busy::encoded, Busy{&meanwhile});
    end.set();
    CHECK(get_soon(last) == 42);
    get_soon(busy);
}

TEST_CASE("priorities: the highest first - first in first out within one") {
    SharedPage page;
    const Counter next{page};
    SharedArray<int> order{100};
    Pool pool{1};
    for (int round = 0; round < 3; ++round) {
        Block block{pool, page};
        std::vector<Future<void>> tasks;
        for (int i = 0; i < 10; ++i) {
            for (const int priority : {0, -4, 3, 1, -1, 2, -3, -2}) {
                tasks.push_back(pool.apply_async(
                    TaskOptions{.priority = priority},
                    [](Counter position, std::span<int> into, int n) {
                        into[static_cast<std::size_t>((position.add() - 1) % 80)] = n;
                    },
                    next, order, (3 - priority) * 10 + i));
            }
        }
        block.release();
        for (Future<void>& task : tasks) { get_soon(task); }
        for (int i = 0; i < 80; ++i) { CHECK(order[static_cast<std::size_t>(i)] == i); }
    }
}

TEST_CASE("a map of low priority lets a task of high priority go first") {
    SharedPage page;
    const Counter items{page};
    const Gate open{page};
    Pool pool{1};
    std::thread mapper{[&] {
        pool.for_each(MapOptions{.chunk_size = 1, .priority = -2}, snapshot([items, open](int) {
                          if (items.add() == 1) { open.wait(); }
                      }),
                      std::vector<int>(50));
    }};
    items.wait_for(1);
    auto urgent = pool.apply_async(
        TaskOptions{.priority = 3}, [](Counter count) { return count.value(); }, items);
    open.set();
    CHECK(get_soon(urgent) == 1);
    mapper.join();
    CHECK(items.value() == 50);
}

TEST_CASE("TMO-16 an error in a map stops what has not started and nothing of it runs afterwards") {
    Muster muster;
    SharedPage page;
    const Counter runs{page};
    Pool pool{2};
    std::vector<int> input(100'000);
    CHECK_THROWS_AS(pool.map(MapOptions{.chunk_size = 10}, snapshot([runs](int) {
                                 if (runs.add() == 25) { throw std::invalid_argument("the 25th"); }
                                 std::this_thread::sleep_for(std::chrono::microseconds{200});
                                 return 1;
                             }),
                             input),
                    std::invalid_argument);
    const auto after = runs.value();
    CHECK(after < 50'000);  // the worker that throws may be kept from running before the other one learns of it
    require_whole(pool, muster);
    CHECK(runs.value() == after);
}

TEST_CASE("bad options are refused at the call and nothing is queued") {
    Pool pool{1};
    const auto task = [](int i) { return i; };
    const std::vector<int> input{1, 2, 3};
    for (const TaskOptions& bad : {TaskOptions{.timeout = -1ns}, TaskOptions{.priority = 4},
                                   TaskOptions{.priority = -5}, TaskOptions{.retries = 65536}}) {
        CHECK_THROWS_AS(pool.apply(bad, task, 1), std::invalid_argument);
        CHECK_THROWS_AS(pool.apply_async(bad, task, 1), std::invalid_argument);
        CHECK_THROWS_AS(pool.try_apply_async(bad, task, 1), std::invalid_argument);
    }
    for (const MapOptions& bad : {MapOptions{.timeout = -1ns}, MapOptions{.retries = 65536}, MapOptions{.priority = 4},
                                  MapOptions{.priority = -5}}) {
        CHECK_THROWS_AS(pool.map(bad, task, input), std::invalid_argument);
        CHECK_THROWS_AS(pool.map(bad, task, std::vector<int>{}), std::invalid_argument);
        CHECK_THROWS_AS(pool.for_each(bad, task, input), std::invalid_argument);
    }
    CHECK(pool.map(MapOptions{.chunk_size = std::numeric_limits<std::size_t>::max(), .priority = 3}, task, input) ==
          input);
    CHECK(pool.stats().submitted == 1);
    CHECK_THROWS_AS(Pool(PoolOptions{.workers = 1, .start_timeout = 0ms}), std::invalid_argument);
    CHECK_THROWS_AS(Pool(PoolOptions{.workers = 1, .terminate_grace = -1ms}), std::invalid_argument);
    CHECK_THROWS_AS(Pool(PoolOptions{.workers = 1, .queue_capacity = 0}), std::invalid_argument);
}

}  // namespace
