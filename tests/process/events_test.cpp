// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include "pool/engines.hpp"

#include <array>
#include <atomic>
#include <ranges>
#include <set>
#include <vector>

#include <unistd.h>
#include <csignal>

using namespace procpool_test;

namespace {

struct Station {
    Event open;
    Latch done{2};
    Semaphore permits{0};
    BoundedSemaphore bounded{2};
    Barrier barrier{3};
    Permits named{1};
};

/// Runs in each of two workers, while this thread is the third at the barrier.
unsigned visit(Station& place) {
    place.open.wait();
    place.permits.acquire();
    place.bounded.acquire();
    place.bounded.release();
    { const Permits::Permit permit = place.named.acquire(); }
    const unsigned number = place.barrier.arrive_and_wait();
    place.done.count_down();
    return number;
}

/// Returns: whether everybody has passed; the workers' numbers are added to this thread's.
bool open(Station& place, std::set<unsigned>& numbers) {
    place.open.set();
    place.permits.release(2);
    numbers.insert(place.barrier.arrive_and_wait_for(wait_limit));
    return place.done.wait_for(wait_limit);
}

template <class P>
void primitives_in_tasks() {
    const Shared<Station> before;
    P pool{2};
    const Shared<Station> after;
    for (Station* const place : {before.get(), after.get()}) {
        auto captured = pool.apply_async([place] { return visit(*place); });
        auto passed = place == before.get() ? pool.apply_async(visit, std::ref(*place))
                                            : pool.apply_async([](Station* p) { return visit(*p); }, place);
        std::set<unsigned> numbers;
        CHECK(open(*place, numbers));
        numbers.insert(get_soon(captured));
        numbers.insert(get_soon(passed));
        CHECK(numbers == std::set<unsigned>{0, 1, 2});
    }
}
ON_ENGINES_WITH_WORKERS("SYN-17 tasks use events and barriers that were made before and after their pool",
                        primitives_in_tasks)

template <class P>
void no_wait_in_tasks() {
    const Shared<Event> event;
    const Shared<Latch> latch{10};
    const Shared<Semaphore> semaphore{0};
    P pool{2};
    pool.for_each(
        [event = event.get(), latch = latch.get(), semaphore = semaphore.get()](int) {
            event->set();
            latch->count_down();
            semaphore->release();
        },
        std::views::iota(0, 10));
    CHECK(event->is_set());
    CHECK(latch->try_wait());
    CHECK(semaphore->was_value() == 10);
}
ON_EVERY_ENGINE("tasks set and count down and release", no_wait_in_tasks)

template <class P>
void broken_barrier_travels() {
    const Shared<Barrier> barrier{2};
    barrier->abort();
    P pool{1};
    CHECK_THROWS_AS(pool.apply([b = barrier.get()] { return b->arrive_and_wait(); }), BrokenBarrier);
}
ON_EVERY_ENGINE("a broken barrier is told as BrokenBarrier out of a task", broken_barrier_travels)

}  // namespace

TEST_CASE("a Process and this one meet at events and barriers") {
    const Shared<Station> place;
    const auto run = [&] { return static_cast<int>(visit(*place)); };
    Process first{run};
    Process second{run};
    std::set<unsigned> numbers;
    CHECK(open(*place, numbers));
    for (Process* const process : {&first, &second}) {
        process->join();
        numbers.insert(static_cast<unsigned>(process->exit_status().code()));
    }
    CHECK(numbers == std::set<unsigned>{0, 1, 2});
}

TEST_CASE("the processes of a fork_map wait for each other") {
    const Shared<Barrier> barrier{2};
    const std::vector<unsigned> numbers = fork_map(
        {.workers = 2}, {.chunk_size = 1}, [&](int) { return barrier->arrive_and_wait(); }, std::views::iota(0, 2));
    CHECK(std::set<unsigned>(numbers.begin(), numbers.end()) == std::set<unsigned>{0, 1});
}

TEST_CASE("a worker that is killed while it waits takes nothing along") {
    const Shared<Semaphore> semaphore{0};
    Pool pool{2};
    auto victim = pool.apply_async({.timeout = 20ms}, [s = semaphore.get()] { s->acquire(); });
    CHECK_THROWS_AS(get_soon(victim), TaskTimedOut);
    auto other = pool.apply_async([s = semaphore.get()] { s->acquire(); });
    semaphore->release();
    get_soon(other);
    CHECK(semaphore->was_value() == 0);
}
