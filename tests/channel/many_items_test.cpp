// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/queue.hpp>

#include <procpool/core/error.hpp>
#include <procpool/shm/shared.hpp>

#include "channel/items.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Throws from encode() or decode() when it is 3 or 13.
struct Unlucky {
    int number;
};

}  // namespace

template <>
struct procpool::Codec<Unlucky> {
    static void encode(Writer& out, const Unlucky& value) {
        if (value.number == 3) { throw std::runtime_error("no encoding"); }
        out.write(&value.number, sizeof value.number);
    }
    static Unlucky decode(Reader& in) {
        Unlucky value{};
        in.read(&value.number, sizeof value.number);
        if (value.number == 13) { throw std::runtime_error("no decoding"); }
        return value;
    }
};

TEST_CASE("many items are put and taken at a time and keep their order") {
    const Shared<Queue<std::string>> queue{QueueOptions{.capacity = 1000, .bytes = 1 << 20}};
    std::vector<std::string> in;
    for (std::size_t i = 0; i < 700; ++i) { in.emplace_back(i * 3, static_cast<char>('a' + i % 26)); }
    queue->put_all(in);
    CHECK(queue->was_size() == 700);
    CHECK(queue->get() == in[0]);
    const std::vector<std::string> some = queue->get_some(400);
    CHECK(some == std::vector<std::string>(in.begin() + 1, in.begin() + 401));
    CHECK(queue->get_some(1000) == std::vector<std::string>(in.begin() + 401, in.end()));
    CHECK(queue->try_get_some(10).empty());
    CHECK(queue->get_some(0).empty());

    queue->put_all(std::array{"a", "b"} | std::views::transform([](const char* text) { return std::string(text); }));
    queue->put_all(std::vector<std::string>{});
    CHECK(queue->get_some_for(10, 20s) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("values that are their bytes are put and taken at a time") {
    const Shared<Queue<int>> queue{10};
    queue->put_all(std::views::iota(0, 10));
    CHECK(queue->get_some(3) == std::vector{0, 1, 2});
    CHECK(queue->get_some(100) == std::vector{3, 4, 5, 6, 7, 8, 9});
    const Shared<Queue<bool>> bits{10};
    bits->put_all(std::vector<bool>{true, false, true});
    CHECK(bits->get_some(5) == std::vector<bool>{true, false, true});
}

TEST_CASE("calls with a time say how many there was room for") {
    const Shared<Queue<int>> queue{4};
    CHECK(queue->try_put_all(std::vector{0, 1, 2}) == 3);
    CHECK(queue->try_put_all(std::vector{3, 4, 5}) == 1);
    CHECK(queue->try_put_all(std::vector{4, 5}) == 0);
    CHECK(queue->put_all_for(std::vector{4, 5}, 1ms) == 0);
    CHECK(queue->put_all_until(std::vector{4, 5}, std::chrono::system_clock::now()) == 0);
    CHECK(queue->get_some(2) == std::vector{0, 1});
    CHECK(queue->put_all_until(std::vector{4, 5, 6}, std::chrono::steady_clock::now() + 1ms) == 2);
    CHECK(queue->get_some_until(9, std::chrono::system_clock::now() + 20s) == std::vector{2, 3, 4, 5});
    CHECK(queue->get_some_for(9, 1ms).empty());
    CHECK(queue->get_some_until(9, std::chrono::steady_clock::time_point::min()).empty());
}

TEST_CASE("more items than there is room for wait and stay next to each other") {
    const Shared<Queue<std::pair<int, int>>> queue{3};
    std::vector<pid_t> producers;
    for (int producer = 0; producer < 3; ++producer) {
        producers.push_back(start_child([&, producer] {
            std::vector<std::pair<int, int>> items;
            for (int i = 0; i < 100; ++i) { items.emplace_back(producer, i); }
            queue->put_all(items);
            return 0;
        }));
    }
    std::vector<std::pair<int, int>> got;
    while (got.size() < 300) { std::ranges::copy(queue->get_some(1000), std::back_inserter(got)); }
    for (std::size_t i = 0; i < 300; ++i) {
        REQUIRE(got[i] == std::pair{got[i / 100 * 100].first, static_cast<int>(i % 100)});
    }
    for (const pid_t producer : producers) { CHECK(wait_for_child(producer) == 0); }
}

TEST_CASE("large items among many wait for their memory") {
    const Shared<Queue<Item>> queue{QueueOptions{.capacity = 100, .bytes = 4096}};
    const pid_t producer = start_child([&] {
        std::mt19937 random{5};
        std::vector<Item> items;
        for (std::uint32_t i = 0; i < 300; ++i) { items.push_back(make_item(0, i, random_size(random) % 3000)); }
        queue->put_all(items);
        queue->put_all(std::vector{make_item(0, 300, 40'000'000), make_item(0, 301, 40'000'000)});
        return 0;
    });
    for (std::uint32_t next = 0; next < 302;) {
        for (const Item& item : queue->get_some(1 + next % 50)) { REQUIRE((is_sound(item) && item.number == next++)); }
    }
    CHECK(wait_for_child(producer) == 0);
}

TEST_CASE("many items of which one cannot be put leave the queue as it was") {
    const Shared<Queue<Unlucky>> queue{20};
    CHECK_THROWS_WITH(queue->put_all(std::vector<Unlucky>{{1}, {2}, {3}}), "no encoding");
    CHECK(queue->was_size() == 0);
    queue->put_all(std::vector<Unlucky>{{12}, {13}, {14}});
    CHECK_THROWS_WITH(queue->get_some(3), "no decoding");
    CHECK(queue->was_size() == 0);

    const Shared<Queue<std::string>> texts{QueueOptions{.capacity = 4, .bytes = 4096}};
    CHECK_THROWS_AS(texts->put_all(std::vector{std::string("a"), std::string(std::size_t{65} << 20, 'x')}),
                    std::length_error);
    CHECK(texts->was_size() == 0);
}

TEST_CASE("a queue that is closed in the middle says how many of the items are in it") {
    const Shared<Queue<int>> queue{2};
    const pid_t producer = start_child([&] { return static_cast<int>(queue->put_all_for(std::vector{0, 1, 2}, 20s)); });
    const pid_t other = start_child([&] {
        try {
            queue->put_all(std::vector{0, 1, 2});
        } catch (const QueueClosed&) { return 0; }
        return 1;
    });
    wait_for_sleep(producer);
    wait_for_sleep(other);
    queue->close();
    const int put = WEXITSTATUS(wait_for_child(producer));
    CHECK((put == 2 || put == 99));  // the other one was first: it throws
    CHECK(wait_for_child(other) == 0);
    CHECK_THROWS_AS(queue->put_all_for(std::vector{1}, 1s), QueueClosed);
    CHECK_THROWS_AS(queue->try_put_all(std::vector<int>{}), QueueClosed);
    CHECK(queue->get_some(9) == std::vector{0, 1});
    CHECK(queue->try_get_some(9).empty());
    CHECK_THROWS_AS(queue->get_some(9), QueueClosed);
}

TEST_CASE("items that were taken together are reported done one by one") {
    const Shared<Queue<int>> queue{600};
    queue->put_all(std::views::iota(0, 600));
    CHECK(queue->get_some(600).size() == 600);
    for (int i = 0; i < 600; ++i) {
        REQUIRE_FALSE(queue->join_for(0s));
        queue->task_done();
    }
    CHECK(queue->join_for(0s));
    CHECK_THROWS_AS(queue->task_done(), std::logic_error);
}
