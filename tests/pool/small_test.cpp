// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <numeric>
#include <thread>
#include <vector>

using namespace procpool_test;

namespace {

std::uint64_t twice(std::uint64_t x) { return 2 * x; }

template <class P>
void submits_all_before_the_first_get() {
    for (const std::size_t workers : {1, 2}) {
        P pool{workers};
        const std::size_t count = times(1000000);
        std::vector<Future<std::uint64_t>> futures;
        futures.reserve(count);
        for (std::size_t i = 0; i < count; ++i) { futures.push_back(pool.apply_async(twice, i)); }
        std::size_t right = 0;
        for (std::size_t i = 0; i < count; ++i) { right += futures[i].get() == 2 * i; }
        CHECK(right == count);
        CHECK(pool.stats().submitted == count);
        CHECK(pool.stats().completed == count);
    }
}
TEST_CASE("SML-01 a million submissions before the first get - processes", "[slow]") {
    submits_all_before_the_first_get<Pool>();
}
TEST_CASE("SML-01 a million submissions before the first get - threads", "[slow][thread]") {
    submits_all_before_the_first_get<ThreadPool>();
}
TEST_CASE("SML-01 a million submissions before the first get - inline", "[slow]") {
    submits_all_before_the_first_get<InlinePool>();
}

template <class P>
void reads_backwards() {
    P pool{2};
    const std::size_t count = times(100000);
    std::vector<Future<std::uint64_t>> futures;
    for (std::size_t i = 0; i < count; ++i) { futures.push_back(pool.apply_async(twice, i)); }
    std::size_t right = 0;
    for (std::size_t i = count; i > 0; --i) { right += futures[i - 1].get() == 2 * (i - 1); }
    CHECK(right == count);
}
ON_EVERY_ENGINE("SML-01 a hundred thousand results are read from the last to the first", reads_backwards)

template <class P>
void nobody_reads() {
    SharedPage page;
    const Counter ran{page};
    const auto count = static_cast<std::int64_t>(times(200000));
    {
        P pool{2};
        for (std::int64_t i = 0; i < count; ++i) {
            static_cast<void>(pool.apply_async(
                [](Counter counter, std::int64_t n) {
                    counter.add();
                    return n;
                },
                ran, i));
        }
    }
    CHECK(ran.value() == count);
}
ON_EVERY_ENGINE("SML-01 two hundred thousand results that nobody reads", nobody_reads)

template <class P>
void many_workers() {
    for (const std::size_t workers : {4, 16}) {
        P pool{workers};
        std::vector<Future<std::uint64_t>> futures;
        for (std::size_t i = 0; i < times(50000); ++i) { futures.push_back(pool.apply_async(twice, i)); }
        std::uint64_t sum = 0;
        for (auto& future : futures) { sum += future.get(); }
        CHECK(sum == times(50000) * (times(50000) - 1));
    }
}
ON_ENGINES_WITH_WORKERS("SML-01 many more workers than processors", many_workers)

TEST_CASE("SML-02 submissions do not need the supervisor") {
    Pool pool{2};
    const pid_t supervisor = pool.apply([] { return ::getppid(); });
    send_signal(supervisor, SIGSTOP);
    std::uint64_t sum = 0;
    std::vector<Future<std::uint64_t>> futures;
    for (std::size_t i = 0; i < times(100000); ++i) { futures.push_back(pool.apply_async(twice, i)); }
    for (auto& future : futures) { sum += get_soon(future); }
    send_signal(supervisor, SIGCONT);
    CHECK(sum == times(100000) * (times(100000) - 1));
}

struct Dispatch {
    std::size_t tasks, workers, capacity, chunk;
};

template <class P>
void dispatch_matrix() {
    for (int round = 0; round < 5; ++round) {
        for (const auto& [tasks, workers, capacity, chunk] :
             {Dispatch{53, 2, 4096, 1}, Dispatch{100, 4, 4, 10}, Dispatch{517, 2, 2, 0}, Dispatch{10, 2, 1, 10},
              Dispatch{200, 12, 8, 4}, Dispatch{25, 12, 2, 1}, Dispatch{250, 12, 24, 7}, Dispatch{1450, 12, 1, 64}}) {
            P pool{{.workers = workers, .queue_capacity = capacity}};
            std::vector<std::uint64_t> numbers(tasks);
            std::iota(numbers.begin(), numbers.end(), 0);
            const auto results = pool.map(MapOptions{.chunk_size = chunk}, twice, numbers);
            bool right = results.size() == tasks;
            for (std::size_t i = 0; right && i < tasks; ++i) { right = results[i] == 2 * i; }
            if (!right) { FAIL("wrong, " << tasks << " tasks, " << workers << " workers"); }
        }
    }
    SUCCEED();
}
ON_EVERY_ENGINE("SML-04 maps over every shape of pool", dispatch_matrix)

template <class P>
void bursts() {
    P pool{2};
    std::uint64_t sum = 0;
    for (int burst = 0; burst < 20; ++burst) {
        std::this_thread::sleep_for(5ms);  // until all workers sleep
        std::vector<Future<std::uint64_t>> futures;
        for (std::uint64_t i = 0; i < 1000; ++i) { futures.push_back(pool.apply_async(twice, i)); }
        for (auto& future : futures) { sum += get_soon(future); }
    }
    CHECK(sum == 20 * 999000);
}
ON_EVERY_ENGINE("SML-05 idle - a burst - idle again", bursts)

template <class P>
void one_after_the_other() {
    for (const std::size_t workers : {1, 2, 3}) {
        P pool{workers};
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < times(20000); ++i) { sum += get_soon(pool.apply_async(twice, i)); }
        CHECK(sum == times(20000) * (times(20000) - 1));
    }
}
ON_EVERY_ENGINE("SML-01 twenty thousand round trips - one after the other", one_after_the_other)

}  // namespace
