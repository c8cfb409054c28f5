// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/queue.hpp>

#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>

#include "channel/items.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Encodes half of itself and throws, or decodes and throws, when asked to.
struct Awkward {
    int number = 0;
    bool fails_to_encode = false;
    bool fails_to_decode = false;
};

using Clock = std::chrono::steady_clock;
using detail::channel::ByteQueue;

// An explicit instantiation may name private members: the test moves a queue's positions, users cannot.
ByteQueue& inner_of(Queue<Item>& queue);
template <auto member>
struct InnerOf {
    friend ByteQueue& inner_of(Queue<Item>& queue) { return queue.*member; }
};
template struct InnerOf<&Queue<Item>::bytes_>;

void start_near_the_end(ByteQueue& queue);
template <auto tail, auto head, auto finished, auto known_tail, auto known_head, auto cells, auto mask>
struct Positions {
    /// As if 2^30 - 6 items had been put and taken, of almost 2^32 bytes in each area.
    friend void start_near_the_end(ByteQueue& queue) {
        constexpr std::uint32_t position = (std::uint32_t{1} << 30) - 6;
        queue.*tail = queue.*head = queue.*finished = position << 2;
        queue.*known_tail = queue.*known_head = position;
        (queue.*cells)[(position - 1) & (queue.*mask)].ends[0] = UINT32_MAX - 5000;
        (queue.*cells)[(position - 1) & (queue.*mask)].ends[1] = UINT32_MAX - 5000;
    }
};

void damage_cell(ByteQueue& queue, std::uint32_t position, std::uint32_t size);
template <auto cells>
struct Cells {
    friend void damage_cell(ByteQueue& queue, std::uint32_t position, std::uint32_t size) {
        (queue.*cells)[position].size = size;
    }
};
template struct Cells<&ByteQueue::cells_>;

template struct Positions<&ByteQueue::tail_, &ByteQueue::head_, &ByteQueue::finished_, &ByteQueue::known_tail_,
                          &ByteQueue::known_head_, &ByteQueue::cells_, &ByteQueue::mask_>;

}  // namespace

template <>
struct procpool::Codec<Awkward> {
    static void encode(Writer& out, const Awkward& value) {
        out.write(&value.number, sizeof value.number);
        if (value.fails_to_encode) { throw std::runtime_error("no encoding"); }
        out.write(&value.fails_to_decode, sizeof value.fails_to_decode);
    }
    static Awkward decode(Reader& in) {
        Awkward value;
        in.read(&value.number, sizeof value.number);
        in.read(&value.fails_to_decode, sizeof value.fails_to_decode);
        if (value.fails_to_decode) { throw std::runtime_error("no decoding"); }
        return value;
    }
};

TEST_CASE("a queue gives what was put in order and says what it holds") {
    const Shared<Queue<int>> queue{6};
    CHECK(queue->capacity() == 6);
    CHECK(queue->was_size() == 0);
    for (int i = 0; i < 6; ++i) { queue->put(i); }
    CHECK(queue->was_size() == 6);
    for (int i = 0; i < 6; ++i) { CHECK(queue->get() == i); }
    CHECK(queue->was_size() == 0);
}

TEST_CASE("a full queue and an empty one make callers wait as long as they say") {
    const Shared<Queue<int>> queue{6};
    const auto start = Clock::now();
    CHECK_FALSE(queue->try_get());
    CHECK_FALSE(queue->get_for(0s));
    CHECK_FALSE(queue->get_for(-1s));
    CHECK_FALSE(queue->get_until(Clock::now() - 1s));
    CHECK_FALSE(queue->get_until(Clock::time_point::min()));
    for (int i = 0; i < 6; ++i) { CHECK(queue->try_put(i)); }
    CHECK_FALSE(queue->try_put(7));
    CHECK_FALSE(queue->put_for(7, 0s));
    CHECK_FALSE(queue->put_until(7, std::chrono::system_clock::now()));
    CHECK_FALSE(queue->put_until(7, std::chrono::system_clock::time_point::min()));
    CHECK_FALSE(queue->join_until(Clock::time_point::min()));
    CHECK(Clock::now() - start < 10s);
    const auto before_put = Clock::now();
    CHECK_FALSE(queue->put_for(7, 20ms));
    CHECK(Clock::now() - before_put >= 20ms);
    for (int i = 0; i < 6; ++i) { CHECK(queue->get_for(10s) == i); }
    const auto before_get = Clock::now();
    CHECK_FALSE(queue->get_until(before_get + 20ms));
    CHECK(Clock::now() - before_get >= 20ms);
}

TEST_CASE("a child waits for an item and its parent for room") {
    const Shared<Queue<int>> queue{1};
    const pid_t child = start_child([&] {
        for (int i = 0; i < 100; ++i) {
            if (queue->get() != i) { return 1; }
        }
        return 0;
    });
    wait_for_sleep(child);
    for (int i = 0; i < 100; ++i) { queue->put(i); }
    CHECK(wait_for_child(child) == 0);

    queue->put(1);
    const pid_t other = start_child([&] {
        queue->put(2);
        return 0;
    });
    wait_for_sleep(other);
    CHECK(queue->get() == 1);
    CHECK(queue->get() == 2);
    CHECK(wait_for_child(other) == 0);
}

TEST_CASE("a queue holds items of every size in every order") {
    const Shared<Queue<std::string>> queue{QueueOptions{.capacity = 16, .bytes = 4096}};
    std::mt19937 random{7};
    std::vector<std::string> in;
    std::size_t out = 0;
    for (int i = 0; i < 3000; ++i) {
        if (random() % 2 == 0 && in.size() - out < 16) {
            const std::size_t size = random() % 3 == 0 ? random() % 3000 : random() % 60;
            in.emplace_back(size, static_cast<char>('a' + i % 26));
            if (!queue->try_put(in.back())) { in.pop_back(); }
        } else if (out < in.size()) {
            REQUIRE(queue->get() == in[out++]);
        } else {
            REQUIRE_FALSE(queue->try_get());
        }
    }
    while (out < in.size()) { REQUIRE(queue->get() == in[out++]); }
}

TEST_CASE("an empty queue has room for its largest item wherever the last one ended") {
    const Shared<Queue<std::string>> queue{QueueOptions{.capacity = 4, .bytes = 65536}};
    const std::size_t overhead = sizeof(std::uint64_t);
    for (const std::size_t size : {1U, 1000U, 16376U, 1000U, 65000U, 1'000'000U, 3U}) {
        const std::string text(size - (size > overhead ? overhead : 0), 'x');
        REQUIRE(queue->try_put(text));
        REQUIRE(queue->try_put("small"));
        REQUIRE(queue->get() == text);
        REQUIRE(queue->get() == "small");
    }
}

TEST_CASE("an item that is larger than the queue can ever hold is refused and changes nothing") {
    const Shared<Queue<std::string>> queue{QueueOptions{.capacity = 2, .bytes = 4096}};
    queue->put("first");
    const std::string large(std::size_t{65} << 20, 'x');
    CHECK_THROWS_AS(queue->put(large), std::length_error);
    CHECK_THROWS_WITH(queue->put(large), Catch::ContainsSubstring("QueueOptions::bytes"));
    CHECK(queue->was_size() == 1);
    CHECK(queue->get() == "first");
}

TEST_CASE("large items wait for each other's memory and not for their number") {
    const Shared<Queue<std::string>> queue{QueueOptions{.capacity = 100, .bytes = 4096}};
    const pid_t child = start_child([&] {
        for (int i = 0; i < 20; ++i) {
            const std::string text = queue->get();
            if (text.size() != std::size_t{10} << 20 || text[0] != 'a' + i || text.back() != 'a' + i) { return 1; }
        }
        return 0;
    });
    for (int i = 0; i < 20; ++i) { queue->put(std::string(std::size_t{10} << 20, static_cast<char>('a' + i))); }
    CHECK(wait_for_child(child) == 0);
    while (queue->try_put(std::string(std::size_t{10} << 20, 'x'))) {}
    CHECK(queue->was_size() < 7);
    CHECK(queue->try_put("a small one has room"));
}

TEST_CASE("producers and consumers in eight processes lose and double nothing and keep the order") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 64, .bytes = 262144}};
    const Shared<Ledger> ledger;
    constexpr std::uint32_t each = 200;
    const auto produce = [&](std::uint32_t producer, std::uint32_t from, std::uint32_t to) {
        std::mt19937 random{producer};
        for (std::uint32_t i = from; i < to; ++i) { queue->put(make_item(producer, i, random_size(random))); }
        return 0;
    };
    produce(0, 0, 3);  // before anybody takes any
    std::vector<pid_t> producers;
    for (std::uint32_t producer = 0; producer < 4; ++producer) {
        producers.push_back(start_child([&] { return produce(producer, producer == 0 ? 3 : 0, each); }));
    }
    std::vector<pid_t> consumers;
    for (int i = 0; i < 4; ++i) {
        consumers.push_back(start_child([&] {
            Checker checker{*ledger};
            for (const Item& item : *queue) { checker.take(item); }
            return 0;
        }));
    }
    for (const pid_t pid : producers) { CHECK(wait_for_child(pid) == 0); }
    queue->close();
    for (const pid_t pid : consumers) { CHECK(wait_for_child(pid) == 0); }
    CHECK(ledger->taken == 4 * each);
    CHECK(ledger->torn == 0);
    CHECK(ledger->doubled == 0);
    CHECK(ledger->out_of_order == 0);
    CHECK(queue->was_size() == 0);
}

TEST_CASE("threads put and get at the same time", "[thread]") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 7, .bytes = 4096}};
    const Shared<Ledger> ledger;
    std::vector<std::thread> threads;
    std::vector<std::thread> consumers;
    for (std::uint32_t producer = 0; producer < 3; ++producer) {
        threads.emplace_back([&, producer] {
            for (std::uint32_t i = 0; i < 300; ++i) {
                queue->put(make_item(producer, i, i % 7 == 0 ? i * 10 : i % 50));
            }
        });
        consumers.emplace_back([&] {
            Checker checker{*ledger};
            for (const Item& item : *queue) {
                checker.take(item);
                queue->task_done();
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    queue->join();
    CHECK(ledger->taken == 900);
    CHECK(queue->lost() == 0);
    queue->close();
    for (std::thread& thread : consumers) { thread.join(); }
    CHECK(ledger->torn + ledger->doubled + ledger->out_of_order == 0);
}

TEST_CASE("an item whose codec throws costs neither room nor the queue") {
    const Shared<Queue<Awkward>> queue{1};
    CHECK_THROWS_WITH(queue->put(Awkward{1, true, false}), "no encoding");
    CHECK(queue->was_size() == 0);
    queue->put(Awkward{2, false, true});
    CHECK_THROWS_WITH(queue->get(), "no decoding");
    CHECK(queue->was_size() == 0);
    queue->put(Awkward{3, false, false});
    CHECK(queue->get().number == 3);
    queue->put(Awkward{4, false, true});
    CHECK_THROWS_WITH(queue->try_get(), "no decoding");
    CHECK_FALSE(queue->try_get());
}

TEST_CASE("a closed queue gives what it has and then says so to everybody") {
    const Shared<Queue<int>> queue{4};
    queue->put(1);
    queue->put(2);
    CHECK(in_child([&] {
              queue->close();
              return 0;
          }) == 0);
    CHECK(queue->was_closed());
    CHECK_THROWS_AS(queue->put(3), QueueClosed);
    CHECK_THROWS_AS(queue->try_put(3), QueueClosed);
    CHECK_THROWS_AS(queue->put_for(3, 1s), QueueClosed);
    CHECK(queue->get() == 1);
    queue->close();
    CHECK(queue->try_get() == 2);
    CHECK_THROWS_AS(queue->get(), QueueClosed);
    CHECK_FALSE(queue->try_get());
    CHECK_FALSE(queue->get_for(10s));
    for ([[maybe_unused]] const int item : *queue) { FAIL(); }
}

TEST_CASE("closing wakes those that wait in any process") {
    const Shared<Queue<int>> full{1};
    const Shared<Queue<int>> empty{1};
    full->put(1);
    std::vector<pid_t> waiters;
    for (int i = 0; i < 2; ++i) {
        waiters.push_back(start_child([&] {
            try {
                full->put(2);
            } catch (const QueueClosed&) { return 0; }
            return 1;
        }));
        waiters.push_back(start_child([&] {
            try {
                static_cast<void>(empty->get());
            } catch (const QueueClosed&) { return 0; }
            return 1;
        }));
        waiters.push_back(start_child([&] {
            full->join();
            return 0;
        }));
    }
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    full->close();
    empty->close();
    CHECK(full->get() == 1);
    full->task_done();
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
}

TEST_CASE("one that waits for room for its bytes is told that the queue is destroyed and writes nothing") {
    std::optional<Shared<Queue<std::string>>> queue;
    queue.emplace(QueueOptions{.capacity = 100, .bytes = 4096});
    Queue<std::string>* const address = queue->get();
    while (address->try_put(std::string(900, 'x'))) {}
    const pid_t waiter = start_child([&] {
        try {
            address->put(std::string(900, 'y'));
        } catch (const std::logic_error&) { return 0; }
        return 1;
    });
    wait_for_sleep(waiter);
    queue.reset();
    CHECK(wait_for_child(waiter) == 0);
}

TEST_CASE("those that wait for a queue that is destroyed are told") {
    std::optional<Shared<Queue<int>>> queue;
    queue.emplace(1);
    Queue<int>* const address = queue->get();
    const auto is_told = [](auto wait) {
        try {
            wait();
        } catch (const std::logic_error&) { return 0; }
        return 1;
    };
    std::vector<pid_t> waiters;
    for (int i = 0; i < 2; ++i) {
        waiters.push_back(start_child([&] { return is_told([&] { static_cast<void>(address->get()); }); }));
    }
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    queue.reset();
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }

    queue.emplace(1);
    (*queue)->put(1);
    Queue<int>* const other = queue->get();
    waiters = {start_child([&] { return is_told([&] { other->put(2); }); }),
               start_child([&] { return is_told([&] { other->join(); }); })};
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    queue.reset();
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
}

TEST_CASE("a queue leaves nothing behind") {
    detail::shm::Heap& heap = detail::shm::Heap::of_this_process();
    const std::size_t header = detail::round_up(sizeof(Queue<int>) + alignof(Queue<int>), detail::apart) * 2;
    const std::size_t before = heap.free_bytes();
    for (int i = 0; i < 3; ++i) {
        const Shared<Queue<std::string>> queue{4};
        CHECK(before - heap.free_bytes() > 65536);
        CHECK(in_child([&] {
                  const Shared<Queue<int>> own{4};  // in a heap of the child's own
                  own->put(1);
                  return own->get() - 1;
              }) == 0);
    }
    CHECK(before - heap.free_bytes() < 3 * header);  // headers are kept for a while
}

TEST_CASE("a queue that no other process could see is refused") {
    CHECK_THROWS_AS(Queue<int>{4}, std::logic_error);
    CHECK_THROWS_WITH(Queue<int>{4}, Catch::ContainsSubstring("write Shared<Queue>"));
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_THROWS_WITH(::new (page) Queue<int>{4}, Catch::ContainsSubstring("a mapping of your own"));
    ::munmap(page, 4096);
}

TEST_CASE("sizes that make no sense are refused") {
    CHECK_THROWS_AS(Shared<Queue<int>>{0}, std::invalid_argument);
    CHECK_THROWS_WITH(Shared<Queue<int>>{-1}, Catch::ContainsSubstring("1 to 268435456 items, not -1"));
    CHECK_THROWS_AS(Shared<Queue<int>>{std::size_t{1} << 40}, std::invalid_argument);
    CHECK_THROWS_AS((Shared<Queue<int>>{QueueOptions{.capacity = 1, .bytes = std::size_t{2} << 30}}),
                    std::invalid_argument);
}

TEST_CASE("join returns when the last item is done and not before") {
    const Shared<Queue<int>> queue{20};
    SharedPage page;
    const Gate may_finish{page};
    const Counter finished{page};
    for (int i = 0; i < 10; ++i) { queue->put(i); }
    std::vector<pid_t> consumers;
    for (int i = 0; i < 4; ++i) {
        consumers.push_back(start_child([&] {
            for (const int item : *queue) {
                if (item == 9) { may_finish.wait(); }
                finished.add();
                queue->task_done();
            }
            return 0;
        }));
    }
    std::vector<pid_t> joiners;
    for (int i = 0; i < 2; ++i) {
        joiners.push_back(start_child([&] {
            queue->join();
            return finished.value() == 10 ? 0 : 1;
        }));
    }
    finished.wait_for(9);
    for (const pid_t joiner : joiners) { wait_for_sleep(joiner); }
    CHECK_FALSE(queue->join_for(1ms));
    CHECK_FALSE(queue->join_until(Clock::now()));
    may_finish.set();
    CHECK(queue->join_for(20s));
    for (const pid_t joiner : joiners) { CHECK(wait_for_child(joiner) == 0); }
    queue->join();
    CHECK_THROWS_AS(queue->task_done(), std::logic_error);
    CHECK(queue->lost() == 0);
    queue->close();
    for (const pid_t consumer : consumers) { CHECK(wait_for_child(consumer) == 0); }
}

TEST_CASE("join ends when the items that are left died with their consumers and lost says how many") {
    const Shared<Queue<int>> queue{8};
    SharedPage page;
    const Counter taken{page};
    for (int round = 1; round <= 2; ++round) {
        for (int i = 0; i < 4; ++i) { queue->put(i); }
        const pid_t consumer = start_child([&] {
            for (int i = 0; i < 3; ++i) { static_cast<void>(queue->get()); }
            queue->task_done();
            taken.add();
            wait_until([] { return false; }, "a kill");
            return 0;
        });
        taken.wait_for(round);
        CHECK(queue->get() == 3);
        queue->task_done();
        CHECK_FALSE(queue->join_for(1ms));
        CHECK(queue->lost() == 2 * (static_cast<std::size_t>(round) - 1));
        const pid_t joiner = start_child([&] {
            queue->join();
            return 0;
        });
        wait_for_sleep(joiner);
        kill_and_reap(consumer);
        CHECK(wait_for_child(joiner) == 0);
        CHECK(queue->lost() == 2 * static_cast<std::size_t>(round));
    }
}

TEST_CASE("a child that ends at once leaves all that it has put") {
    constexpr std::size_t size = 1'000'000;
    const Shared<Queue<std::string>> queue{100};
    const auto put_all = [&](int count) {
        for (int i = 0; i < count; ++i) { queue->put(std::string(size, static_cast<char>(i))); }
        return 0;
    };
    CHECK(in_child([&] { return put_all(50); }) == 0);
    for (int i = 0; i < 50; ++i) {
        const std::string text = queue->get();
        REQUIRE((text.size() == size && text[0] == static_cast<char>(i)));
    }
    const pid_t child = start_child([&] { return put_all(100); });  // more than there is memory for
    for (int i = 0; i < 100; ++i) { REQUIRE(queue->get().size() == size); }
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("addresses of shared memory travel in a queue and others are refused") {
    const Shared<Queue<std::atomic<int>*>> queue{2};
    const Shared<std::atomic<int>> number{1};
    std::atomic<int> own{1};
    queue->put(number.get());
    CHECK_THROWS_AS(queue->put(&own), CodecError);
    CHECK(in_child([&] {
              ++*queue->get();
              const Shared<std::atomic<int>> childs{1};
              try {
                  queue->put(childs.get());
              } catch (const CodecError&) { return 0; }
              return 1;
          }) == 0);
    CHECK(number->load() == 2);
    CHECK(queue->was_size() == 0);
}

TEST_CASE("an item whose size has been overwritten is an error and the next one is right") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 4, .bytes = 4096}};
    for (std::uint32_t i = 0; i < 4; ++i) { queue->put(make_item(0, i, 10)); }
    damage_cell(inner_of(*queue), 0, UINT32_MAX);
    CHECK_THROWS_AS(queue->get(), CodecError);
    CHECK(queue->get().number == 1);
    damage_cell(inner_of(*queue), 2, 1000);
    CHECK(queue->get().body.empty());  // of zeros, from where no item lies
    CHECK(queue->get().number == 3);
}

TEST_CASE("an item is reported done by the thread that took it") {
    const Shared<Queue<int>> queue{4};
    queue->put(1);
    CHECK_THROWS_AS(queue->task_done(), std::logic_error);  // nobody has taken it
    std::thread{[&] { static_cast<void>(queue->get()); }}.join();
    CHECK_THROWS_AS(queue->task_done(), std::logic_error);
    CHECK(queue->lost() == 1);
    CHECK(queue->join_for(0s));
    queue->put(2);
    CHECK_FALSE(queue->join_for(0s));
    CHECK(queue->get() == 2);
    queue->task_done();
    CHECK(queue->join_for(0s));
}

TEST_CASE("positions begin again when they have counted to their end") {
    for (const std::size_t capacity : {1U, 2U, 7U, 64U}) {
        CAPTURE(capacity);
        const Shared<Queue<Item>> queue{QueueOptions{.capacity = capacity, .bytes = 4096}};
        start_near_the_end(inner_of(*queue));
        const pid_t child = start_child([&] {
            for (std::uint32_t i = 0; i < 500; ++i) { queue->put(make_item(0, i, i * 37 % 2000)); }
            queue->close();
            return 0;
        });
        std::uint32_t next = 0;
        for (const Item& item : *queue) {
            REQUIRE((is_sound(item) && item.number == next));
            ++next;
            queue->task_done();
        }
        CHECK(next == 500);
        CHECK(wait_for_child(child) == 0);
        CHECK(queue->join_for(0s));
        CHECK_THROWS_AS(queue->task_done(), std::logic_error);
    }
}

TEST_CASE("a queue within what is shared works as one of its own") {
    struct Plant {
        Queue<int> in{4};
        Queue<std::string> out{QueueOptions{.capacity = 4}};
    };
    static_assert(!Shareable<std::vector<int>>);
    const Shared<Plant> plant;
    plant->in.put(4);
    CHECK(in_child([&] {
              plant->out.put(std::to_string(plant->in.get()));
              return 0;
          }) == 0);
    CHECK(plant->out.get() == "4");
}
