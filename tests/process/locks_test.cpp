// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/condition.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/mutex.hpp>

#include <procpool/map/fork_map.hpp>

#include "pool/engines.hpp"

#include <mutex>
#include <ranges>
#include <string>
#include <vector>

#include <unistd.h>
#include <csignal>

using namespace procpool_test;

namespace {

struct Board {
    Mutex mutex;
    Condition changed;
    long count = 0;
    bool open = false;
};

template <class P>
void locks_in_tasks() {
    const Shared<Board> before;
    P pool{2};
    const Shared<Board> after;
    const Shared<Guarded<long>> number{0};
    const auto count = [before = before.get(), after = after.get(), number = number.get()](int) {
        for (Board* board : {before, after}) {
            const std::scoped_lock hold{board->mutex};
            board->count = board->count + 1;
        }
        number->with([](long& n) { ++n; });
    };
    constexpr int items = 500;
    pool.for_each(count, std::views::iota(0, items));
    CHECK(before->count == items);
    CHECK(after->count == items);
    CHECK(number->load() == items);

    // As arguments: addresses, and references.
    pool.apply(
        [](Mutex* mutex, Guarded<long>* n) {
            const std::scoped_lock hold{*mutex};
            n->store(7);
        },
        &after->mutex, number.get());
    CHECK(number->load() == 7);
    CHECK(pool.apply([](Guarded<long>& n) { return ++*n.lock(); }, std::ref(*number)) == 8);
}
ON_EVERY_ENGINE("SYN-17 tasks use locks that were made before and after their pool", locks_in_tasks)

template <class P>
void condition_between_tasks() {
    P pool{2};
    const Shared<Board> board;
    const auto wait = [board = board.get()] {
        std::unique_lock lock{board->mutex};
        return board->changed.wait_for(lock, wait_limit, [&] { return board->open; });
    };
    auto first = pool.apply_async(wait);
    auto second = pool.apply_async(wait);
    {
        const std::scoped_lock hold{board->mutex};
        board->open = true;
    }
    board->changed.notify_all();
    CHECK(get_soon(first));
    CHECK(get_soon(second));
}
ON_ENGINES_WITH_WORKERS("tasks wait for a condition that their parent notifies", condition_between_tasks)

template <class P>
void misuse_in_tasks() {
    P pool{1};
#if !defined(__SANITIZE_THREAD__)  // ThreadSanitizer ends the program over it
    const Shared<Mutex> mutex;
    CHECK_THROWS_AS(pool.apply([m = mutex.get()] { m->unlock(); }), std::system_error);
#endif
    CHECK_THROWS_WITH(pool.apply([] { Mutex on_stack; }), Catch::ContainsSubstring("write Shared<Mutex>"));
}
ON_EVERY_ENGINE("misuse of a lock in a task is an error of the task", misuse_in_tasks)

TEST_CASE("SYN-17 a lock that a worker has made is for it and its children") {
    Pool pool{1};
    CHECK(pool.apply([] {
        const Shared<Guarded<int>> number{1};
        Process child{[&] { number->store(2); }};
        child.join();
        return number->load();
    }) == 2);
    CHECK_THROWS_AS(pool.apply([] {
        const Shared<Mutex> mutex;
        return mutex.get();
    }),
                    CodecError);
}

TEST_CASE("Process children and workers of fork_map use the locks of their parent") {
    const Shared<Guarded<long>> sum{0};
    {
        Process child{[&] { sum->with([](long& n) { n += 100; }); }};
        child.join();
        CHECK(child.error() == nullptr);
    }
    const auto add = [&](int i) {
        sum->with([&](long& n) { n += i; });
        return i;
    };
    static_cast<void>(fork_map(PoolOptions{.workers = 2}, add, std::views::iota(0, 100)));
    CHECK(sum->load() == 100 + 4950);
}

TEST_CASE("DTH-02 a task that is killed with a lock is told of to the next and the error travels as itself") {
    Pool pool{2};
    const Shared<Guarded<int>> number{1};
    pid_t dead = 0;
    try {
        pool.apply([n = number.get()] {
            const auto held = n->lock();
            ::raise(SIGKILL);
        });
    } catch (const WorkerDied& death) { dead = death.pid(); }
    CHECK(dead != 0);
    try {
        static_cast<void>(pool.apply([n = number.get()] { return n->load(); }));
        FAIL("not told");
    } catch (const OwnerDied& death) {
        CHECK(death.pid() == dead);
        CHECK(death.thread() == dead);
        CHECK(std::string{death.what()}.find("in recover()") != std::string::npos);
    }
    pool.apply([n = number.get()] { n->recover([](int& value) { value = 5; }); });
    CHECK(number->load() == 5);
}

TEST_CASE("TMO-04 a timeout kills a task with its locks") {
    Pool pool{1};
    const Shared<Guarded<int>> number{1};
    const auto hold_on = [n = number.get()] {
        const auto held = n->lock();
        for (;;) { ::pause(); }
    };
    // On a busy machine the first attempts may end before they hold it.
    for (bool told = false; !told;) {
        CHECK_THROWS_AS(pool.apply_async(TaskOptions{.timeout = 50ms}, hold_on).get(), TaskTimedOut);
        try {
            static_cast<void>(number->load());
        } catch (const OwnerDied&) { told = true; }
    }
}

}  // namespace
