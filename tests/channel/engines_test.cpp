// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include "channel/items.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <sys/time.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

/// Tasks of every engine make items and its caller takes them, by a captured address and by an argument.
template <class P>
void queue_in_tasks() {
    const Shared<Queue<std::string>> queue{1000};
    P pool{2};
    std::vector<Future<void>> futures;
    for (int i = 0; i < 4; ++i) {
        futures.push_back(pool.apply_async(
            [queue = queue.get()](int first) {
                for (int n = first; n < first + 100; ++n) { queue->put(std::to_string(n)); }
            },
            i * 100));
    }
    std::vector<bool> seen(400);
    for (int i = 0; i < 400; ++i) { seen.at(std::stoul(queue->get())) = true; }
    CHECK(seen == std::vector<bool>(400, true));
    for (Future<void>& future : futures) { get_soon(future); }
    pool.apply([](Queue<std::string>* argument) { argument->put("a pointer"); }, queue.get());
    pool.apply([](Queue<std::string>& argument) { argument.put("a reference"); }, std::ref(*queue));
    CHECK(queue->get() == "a pointer");
    CHECK(queue->get() == "a reference");
}
ON_EVERY_ENGINE("tasks put into a queue that they capture or are given", queue_in_tasks)

template <class P>
void errors_in_tasks() {
    const Shared<Queue<int>> queue{1};
    const auto [first, second] = pipe<int>();
    queue->close();
    first->close();
    P pool{1};
    CHECK_THROWS_AS(pool.apply([queue = queue.get()] { queue->put(1); }), QueueClosed);
    CHECK_THROWS_AS(pool.apply([end = second.get()] { end->send(1); }), BrokenPipe);
    CHECK_THROWS_AS(pool.apply([end = second.get()] { return end->recv(); }), EndOfFile);
}
ON_EVERY_ENGINE("errors of queues and pipes leave tasks as they are", errors_in_tasks)

template <class P>
void pipe_to_task() {
    P pool{1};
    const auto [first, second] = pipe<int>();
    Future<int> sum = pool.apply_async([end = second.get()] {
        int total = 0;
        while (const int n = end->recv()) { total += n; }
        end->send(total);
        return total;
    });
    for (const int n : {1, 2, 3, 0}) { first->send(n); }
    CHECK(first->recv() == 6);
    CHECK(get_soon(sum) == 6);
}
ON_ENGINES_WITH_WORKERS("a task talks through a pipe that is newer than its worker", pipe_to_task)

/// Runs the work while a signal comes every millisecond, whose handler interrupts system calls.
template <class Work>
void with_signals(const Work& work) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval every_millisecond{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &every_millisecond, nullptr);
    work();
}

}  // namespace

TEST_CASE("a task that gets an end as an argument has it before it has used it") {
    Pool pool{1};
    const auto [first, second] = pipe<int>();
    for (const bool by_reference : {false, true}) {
        const Shared<std::atomic<pid_t>> worker{0};
        const auto by_pointer = [](Connection<int>* /*end*/, std::atomic<pid_t>* number) {
            *number = ::getpid();
            wait_until([] { return false; }, "a kill");
        };
        const auto by_ref = [](Connection<int>& /*end*/, std::atomic<pid_t>* number) {
            *number = ::getpid();
            wait_until([] { return false; }, "a kill");
        };
        Future<void> task = by_reference ? pool.apply_async(by_ref, std::ref(*second), worker.get())
                                         : pool.apply_async(by_pointer, second.get(), worker.get());
        wait_until([&] { return *worker != 0; }, "a task");
        CHECK_FALSE(first->poll());
        ::kill(*worker, SIGKILL);
        CHECK_THROWS_AS(first->recv(), EndOfFile);
        CHECK_THROWS_AS(get_soon(task), WorkerDied);
    }
}

TEST_CASE("workers of two pools and processes share a queue that was made before or after them") {
    Pool before{2};
    const Shared<Queue<int>> numbers{4};
    const Shared<Queue<int>> squares{4};
    Pool after{2};
    const auto square = [numbers = numbers.get(), squares = squares.get()] {
        for (const int n : *numbers) { squares->put(n * n); }
    };
    Future<void> one = before.apply_async(square);
    Future<void> other = after.apply_async(square);
    Process process{square};
    Process producer{[numbers = numbers.get()] {
        for (int n = 1; n <= 300; ++n) { numbers->put(n); }
        numbers->close();
    }};
    long sum = 0;
    for (int n = 0; n < 300; ++n) { sum += squares->get(); }
    CHECK(sum == 300L * 301 * 601 / 6);
    get_soon(one);
    get_soon(other);
    process.join();
    producer.join();
    CHECK_FALSE(squares->try_get());
}

TEST_CASE("a worker that is killed in the middle loses no item but its own") {
    const Shared<Queue<int>> queue{64};
    Pool pool{2};
    for (int n = 0; n < 60; ++n) { queue->put(n); }
    Future<void> crash = pool.apply_async([queue = queue.get()] {
        static_cast<void>(queue->get());
        std::raise(SIGKILL);
    });
    CHECK_THROWS_AS(get_soon(crash), WorkerDied);
    std::vector<int> rest = pool.apply([queue = queue.get()] {
        std::vector<int> taken;
        while (const std::optional<int> n = queue->try_get()) { taken.push_back(*n); }
        return taken;
    });
    REQUIRE(rest.size() == 59);
    CHECK((rest.front() == 1 && rest.back() == 59));
    CHECK(queue->lost() == 1);
}

TEST_CASE("a thousand signals a second neither lose nor tear an item") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 3, .bytes = 4096}};
    Process producer{[&] {
        with_signals([&] {
            std::mt19937 random{3};
            for (std::uint32_t i = 0; i < 200; ++i) { queue->put(make_item(0, i, random_size(random) / 8)); }
        });
    }};
    Process consumer{[&] {
        with_signals([&] {
            for (std::uint32_t i = 0; i < 200; ++i) {
                const Item item = queue->get();
                if (!is_sound(item) || item.number != i) { throw std::runtime_error("torn or out of order"); }
            }
        });
    }};
    producer.join();
    consumer.join();
    CHECK(producer.exit_status().code() == 0);
    CHECK(consumer.exit_status().code() == 0);
}

TEST_CASE("a thousand signals a second disturb neither a pipe nor many items at a time nor a wait for any") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 5, .bytes = 4096}};
    const auto [here, there] = pipe<Item>(2);
    const auto [idle, never] = pipe<int>();
    constexpr std::uint32_t count = 200;
    Process producer{[&](Connection<Item>* end) {
                         with_signals([&] {
                             std::mt19937 random{4};
                             std::vector<Item> items;
                             for (std::uint32_t i = 0; i < count; ++i) {
                                 items.push_back(make_item(0, i, random_size(random) / 8));
                             }
                             queue->put_all(items);
                             for (const Item& item : items) {
                                 end->send(item);
                                 if (end->recv().number != item.number + 1) {
                                     throw std::runtime_error("wrong answer");
                                 }
                             }
                         });
                     },
                     there.get()};
    Process consumer{[&, idle = idle.get()](Connection<Item>* end) {
                         with_signals([&] {
                             for (std::uint32_t next = 0; next < count;) {
                                 for (const Item& item : queue->get_some(3)) {
                                     if (!is_sound(item) || item.number != next++) {
                                         throw std::runtime_error("torn or out of order");
                                     }
                                 }
                             }
                             for (std::uint32_t i = 0; i < count; ++i) {
                                 if (wait_any({*idle, *end}) != std::vector<std::size_t>{1}) {
                                     throw std::runtime_error("nothing was there");
                                 }
                                 Item item = end->recv();
                                 if (!is_sound(item) || item.number != i) { throw std::runtime_error("torn"); }
                                 ++item.number;
                                 end->send(item);
                             }
                         });
                     },
                     here.get()};
    producer.join();
    consumer.join();
    CHECK(producer.exit_status().code() == 0);
    CHECK(consumer.exit_status().code() == 0);
}
