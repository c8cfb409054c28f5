// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/client.hpp>

#include "engine/harness.hpp"
#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::client::Client;
using detail::client::Patience;
using detail::task::Life;
using detail::task::Phase;

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t many = 40'000;
constexpr std::uint64_t unread = 60'000;
#else
constexpr std::uint64_t many = 150'000;
constexpr std::uint64_t unread = 1'000'000;
#endif

/// Holds tasks until it is opened; of the program, since a task's code is a plain function.
std::atomic<bool> gate{false};
std::atomic<int> held{0};
void wait_at_gate(detail::TaskFrame& frame) {
    ++held;
    while (!gate.load()) { std::this_thread::yield(); }
    --held;
    answer_code(frame);
}

class GateClosed {
public:
    GateClosed() { gate = false; }
    GateClosed(const GateClosed&) = delete;
    GateClosed& operator=(const GateClosed&) = delete;
    ~GateClosed() { gate = true; }
    static void open() { gate = true; }
};

void until(const auto& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) { throw std::runtime_error("waited too long"); }
        std::this_thread::yield();
    }
}

std::uint64_t some_seed() { return std::random_device{}(); }

}  // namespace

TEST_CASE("a task is submitted - waited for and taken", "[thread]") {
    const ThreadBench bench{4, 1};
    Task task = bench.submit(14);
    CHECK(task.wait());
    CHECK(task.is_decided());
    CHECK(task.number() == answer(14));
    CHECK(bench->submitted() == 1);
}

TEST_CASE("without a free slot: one who does not wait gets nothing", "[thread]") {
    const std::uint32_t capacity = GENERATE(1U, 2U, 3U);
    const GateClosed closed;
    const ThreadBench bench{capacity, 1};
    std::vector<Task> tasks;
    for (std::uint32_t i = 0; i < capacity; ++i) {
        auto task = bench.try_submit(i, {.code = wait_at_gate, .patience = Patience::try_once});
        REQUIRE(task);
        tasks.push_back(std::move(*task));
    }
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(bench.try_submit(9, {.code = wait_at_gate, .patience = Patience::try_once}));
    }
    CHECK(bench->submitted() == capacity);
    GateClosed::open();
    for (std::uint32_t i = 0; i < capacity; ++i) { CHECK(tasks[i].wait()); }
    // Finished and unread: there is room again.
    auto task = bench.try_submit(9, {.code = answer_code, .patience = Patience::try_once});
    REQUIRE(task);
    CHECK(task->number() == answer(9));
    for (std::uint32_t i = 0; i < capacity; ++i) { CHECK(tasks[i].number() == answer(i)); }
}

TEST_CASE("one who waits for a slot gets the first that becomes free", "[thread]") {
    const GateClosed closed;
    const ThreadBench bench{2, 2};
    std::vector<Task> tasks;
    for (std::uint64_t i = 0; i < 2; ++i) { tasks.push_back(bench.submit(i, wait_at_gate)); }
    std::atomic<bool> submitted{false};
    std::uint64_t result = 0;
    std::thread submitter{[&] {
        Task task = bench.submit(7);
        submitted = true;
        result = task.number();
    }};
    std::this_thread::sleep_for(30ms);
    CHECK_FALSE(submitted);
    GateClosed::open();
    submitter.join();
    CHECK(result == answer(7));
}

TEST_CASE("results that nobody reads make room and are there when somebody does", "[thread][slow]") {
    const std::uint32_t capacity = GENERATE(1U, 3U, 64U);
    const std::uint64_t count = capacity == 64 ? unread : unread / 20;
    const ThreadBench bench{capacity, 2};
    std::vector<Task> tasks;
    tasks.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) { tasks.push_back(bench.submit(i)); }
    const std::uint64_t seed = some_seed();
    CAPTURE(seed, capacity);
    std::vector<std::uint64_t> order(count);
    for (std::uint64_t i = 0; i < count; ++i) { order[i] = i; }
    std::mt19937_64 random{seed};
    std::shuffle(order.begin(), order.end(), random);
    std::uint64_t wrong = 0;
    for (const std::uint64_t i : order) { wrong += tasks[i].number() == answer(i) ? 0U : 1U; }
    CHECK(wrong == 0);
}

TEST_CASE("dropped tasks are run and leave nothing", "[thread]") {
    const std::uint32_t capacity = GENERATE(1U, 2U, 3U, 64U);
    const ThreadBench bench{capacity, 2};
    std::vector<Task> kept;
    for (std::uint64_t i = 0; i < 3000; ++i) {
        Task task = bench.submit(i);
        if (i % 3 == 0) { kept.push_back(std::move(task)); }
        if (i % 100 == 99) { kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(kept.size() / 2)); }
    }
    for (Task& task : kept) { CHECK(answer(0) <= task.number()); }
}

TEST_CASE("a large result is kept in its extents and they are freed with it", "[thread]") {
    const ThreadBench bench{2, 1};
    const std::size_t window = bench->board().results.window(0).size();
    auto& extents = bench->board().results.extents();
    {
        std::vector<Task> tasks;
        for (std::uint64_t i = 1; i < 20; ++i) {
            tasks.push_back(bench.submit(i % 4 == 0 ? window * i : i % 4 == 1 ? i : i * 100, blob_code));
        }
        for (std::uint64_t i = 1; i < 20; ++i) {
            if (i % 5 == 0) { continue; }  // dropped, wherever it is
            const std::uint64_t size = i % 4 == 0 ? window * i : i % 4 == 1 ? i : i * 100;
            CAPTURE(i, size);
            CHECK(tasks[i - 1].take([&](const Client::Taken& taken) {
                const auto mark = static_cast<std::byte>(size & 0xff);
                return taken.bytes().size() == size &&
                       std::ranges::all_of(taken.bytes(), [mark](std::byte one) { return one == mark; });
            }));
        }
    }
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK(bench.submit(i).number() == answer(i));
    }  // sweeps up what was dropped
    CHECK(extents.was_owned() == 0);
}

TEST_CASE("an argument that cannot be encoded is the caller's exception and nothing is queued", "[thread]") {
    const ThreadBench bench{2, 1};
    const bool plain = GENERATE(true, false);
    const std::size_t before = GENERATE(std::size_t{0}, std::size_t{100}, std::size_t{3} << 20);
    for (int i = 0; i < 10; ++i) {
        CHECK_THROWS_WITH(bench->submit({.code = answer_code, .plain = plain},
                                        [&](Writer& out) {
                                            std::memset(out.claim(before), 1, before);
                                            throw std::runtime_error("not this one");
                                        }),
                          "not this one");
    }
    CHECK(bench->submitted() == 0);
    CHECK(bench->board().arguments.extents().was_owned() == 0);
    CHECK(bench.submit(4).number() == answer(4));
}

TEST_CASE("an encoder may submit another task", "[thread]") {
    const ThreadBench bench{2, 1};
    std::optional<Task> inner;
    const auto ticket = bench->submit({.code = answer_code}, [&](Writer& out) {
        inner = bench.submit(6);
        const std::uint64_t argument = inner->number();
        out.write(&argument, sizeof argument);
    });
    Task outer{*bench, *ticket};
    inner.reset();
    CHECK(outer.number() == answer(answer(6)));
}

TEST_CASE("a withdrawn task does not run; one that runs is not withdrawn", "[thread]") {
    const GateClosed closed;
    const ThreadBench bench{4, 1};
    Task running = bench.submit(1, wait_at_gate);
    until([] { return held == 1; });
    Task waiting = bench.submit(2, wait_at_gate);
    CHECK_FALSE(running.withdraw());
    CHECK(waiting.withdraw());
    CHECK_FALSE(waiting.withdraw());
    CHECK(waiting.is_decided());
    CHECK(waiting.phase() == Phase::cancelled);
    GateClosed::open();
    CHECK(running.number() == answer(1));
}

TEST_CASE("a wait ends at its deadline and at once when the task is decided", "[thread]") {
    const GateClosed closed;
    const ThreadBench bench{2, 1};
    Task task = bench.submit(1, wait_at_gate);
    for (const auto timeout : {0ms, 1ms, 30ms, 150ms}) {
        const auto start = detail::Clock::now();
        CHECK_FALSE(task.wait(detail::Deadline::after(timeout)));
        CHECK(detail::Clock::now() - start >= timeout);
    }
    std::thread opener{[] {
        std::this_thread::sleep_for(20ms);
        GateClosed::open();
    }};
    CHECK(task.wait());
    opener.join();
    CHECK(task.wait(detail::Deadline::immediately()));
    CHECK(task.number() == answer(1));
}

TEST_CASE("several threads wait for one task - some give up", "[thread]") {
    const std::uint32_t waiters = GENERATE(3U, 80U);  // more than there are parkers
    const GateClosed closed;
    const ThreadBench bench{2, 1};
    Task task = bench.submit(8, wait_at_gate);
    std::atomic<std::uint32_t> gave_up{0};
    std::atomic<std::uint32_t> saw_it{0};
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < waiters; ++i) {
        threads.emplace_back([&, i] {
            if (i % 3 == 0) {
                gave_up += task.wait(detail::Deadline::after(std::chrono::milliseconds{1 + i % 7})) ? 0U : 1U;
            } else {
                saw_it += task.wait() ? 1U : 0U;
            }
        });
    }
    until([&] { return gave_up == (waiters + 2) / 3; });
    CHECK(saw_it == 0);
    GateClosed::open();
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(saw_it == waiters - (waiters + 2) / 3);
    CHECK(task.number() == answer(8));
}

TEST_CASE("many threads wait - each for a task of its own", "[thread]") {
    const GateClosed closed;
    const ThreadBench bench{100, 2};
    std::atomic<std::uint64_t> right{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 80; ++i) {
        threads.emplace_back([&, i] { right += bench.submit(i, wait_at_gate).number() == answer(i) ? 1U : 0U; });
    }
    until([&] { return bench->submitted() == 80; });
    std::this_thread::sleep_for(5ms);
    GateClosed::open();
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 80);
}

TEST_CASE("many threads submit and collect with few slots", "[thread][slow]") {
    const std::uint32_t capacity = GENERATE(1U, 2U, 3U, 16U);
    const std::uint32_t workers = GENERATE(1U, 3U);
    const std::uint64_t seed = some_seed();
    CAPTURE(capacity, workers, seed);
    const ThreadBench bench{capacity, workers};
    constexpr std::uint64_t submitters = 4;
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < submitters; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937_64 random{seed + t};
            std::vector<std::pair<Task, std::uint64_t>> mine;
            for (std::uint64_t i = 0; i < many / 30; ++i) {
                const std::uint64_t argument = random();
                mine.emplace_back(bench.submit(argument), argument);
                while (mine.size() > random() % 8) {
                    const std::size_t which = random() % mine.size();
                    auto& [task, number] = mine[which];
                    switch (random() % 4) {
                        case 0: break;  // dropped
                        case 1:
                            if (task.withdraw()) { break; }
                            [[fallthrough]];
                        default:
                            task.take([&, expected = answer(number)](const Client::Taken& taken) {
                                const bool right = taken.phase() == Phase::done && number_in(taken.bytes()) == expected;
                                wrong += right ? 0U : 1U;
                            });
                    }
                    std::swap(mine[which], mine.back());
                    mine.pop_back();
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    CHECK(bench->submitted() == submitters * (many / 30));
}

TEST_CASE("a thread may drop what another one waits for room for", "[thread]") {
    const ThreadBench bench{1, 1};
    std::atomic<bool> over{false};
    std::thread other{[&] {
        while (!over) { static_cast<void>(bench.submit(3)); }
    }};
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i < 2000; ++i) { wrong += bench.submit(i).number() == answer(i) ? 0U : 1U; }
    over = true;
    other.join();
    CHECK(wrong == 0);
}

TEST_CASE("what was accepted before a close is done however soon the close comes", "[thread]") {
    for (int round = 0; round < 400; ++round) {
        std::vector<Task> tasks;
        {
            const ThreadBench bench{8, 2};
            if (round % 2 == 0) { std::this_thread::sleep_for(std::chrono::microseconds{round}); }
            for (std::uint64_t i = 0; i < 1 + static_cast<std::uint64_t>(round) % 3; ++i) {
                tasks.push_back(bench.submit(i));
            }
        }
        for (std::uint64_t i = 0; i < tasks.size(); ++i) {
            REQUIRE(tasks[i].number() == answer(i));
        }  // also when the pool is gone
    }
}

TEST_CASE("after the end of a pool's life: submissions say which end it was", "[thread]") {
    const auto error_after = [](Life life) -> std::string {
        const ThreadBench bench{4, 1};
        bench->board().from_workers.set_reason("of this test");
        bench->stop(life);
        try {
            static_cast<void>(bench.submit(1));
        } catch (const PoolBroken& e) { return std::string("broken: ") + e.what(); } catch (const PoolClosed& e) {
            return std::string("closed: ") + e.what();
        }
        return "none";
    };
    CHECK(error_after(Life::closing) == "closed: procpool: the pool is closed");
    CHECK(error_after(Life::terminated) == "closed: procpool: the pool has been terminated");
    CHECK(error_after(Life::killed) == "closed: procpool: the pool has been terminated");
    CHECK(error_after(Life::broken) == "broken: procpool: the pool is broken: of this test");
}

TEST_CASE("when a pool is terminated: what has not started is lost at once and who waits for room learns it",
          "[thread]") {
    const GateClosed closed;
    const ThreadBench bench{3, 1};
    Task running = bench.submit(1, wait_at_gate);
    until([] { return held == 1; });
    Task second = bench.submit(2);
    Task third = bench.submit(3);
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            try {
                static_cast<void>(bench.submit(4));
            } catch (const PoolClosed&) { ++refused; }
        });
    }
    std::this_thread::sleep_for(20ms);
    bench->stop(Life::terminated);
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(refused == 3);
    CHECK(second.is_decided());
    CHECK_FALSE(running.is_decided());
    CHECK(second.failure().ending == Ending::terminated);
    CHECK(third.phase() == Phase::lost);
    GateClosed::open();
    CHECK(running.number() == answer(1));
}

TEST_CASE("a task learns that it shall stop and no later task in its slot does", "[thread]") {
    static std::atomic<int> stopped{0};
    stopped = 0;
    const detail::TaskCode look = [](detail::TaskFrame& frame) {
        const std::uint64_t wanted = number_in(frame.arguments);
        const auto end = std::chrono::steady_clock::now() + (wanted != 0 ? 20s : 0s);
        bool requested = frame.host.stop_requested();
        while (!requested && std::chrono::steady_clock::now() < end) { requested = frame.host.stop_requested(); }
        stopped += requested ? 1 : 0;
    };
    const ThreadBench bench{1, 1};
    Task first = bench.submit(1, look);
    while (!bench->is_running(first.ticket())) { std::this_thread::yield(); }
    bench->request_stop(first.ticket());
    CHECK(first.wait());
    CHECK(stopped == 1);
    Task second = bench.submit(0, look);  // in the same slot
    CHECK(second.wait());
    CHECK(stopped == 1);

    const detail::client::Ticket old = second.ticket();
    Task third = bench.submit(1, look);
    while (!bench->is_running(third.ticket())) { std::this_thread::yield(); }
    bench->request_stop(third.ticket());
    bench->request_stop(old);  // comes late: must not take the request of the third away
    CHECK(third.wait(detail::Deadline::after(10s)));
    CHECK(stopped == 2);
}

TEST_CASE("code that the workers do not have is refused") {
    const ForkBench bench{2, 1};
    const auto own = std::make_unique<char[]>(16);
    CHECK_THROWS_AS(bench->check_code(reinterpret_cast<std::uintptr_t>(own.get())), CodecError);
    bench->check_code(reinterpret_cast<std::uintptr_t>(&answer_code));
    CHECK_THROWS_AS(bench->check_code(reinterpret_cast<std::uintptr_t>(own.get())), CodecError);
    CHECK(bench.submit(1).number() == answer(1));
}

TEST_CASE("a client in a forked child is not the child's") {
    const ThreadBench bench{2, 1};
    CHECK(bench->is_mine());
    CHECK(in_child([&] { return bench->is_mine() ? 1 : 0; }) == 0);
}

TEST_CASE("a board for which there is no address space is an exception") {
    CHECK_THROWS_AS(detail::client::Client(1U << 26, 4, visibility_in_this_process, false), SharedMemoryExhausted);
}
