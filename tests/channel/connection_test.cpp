// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/connection.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Whether what a child does ends in an exception of that type.
template <class Thrown, class F>
int throws(F f) {
    try {
        f();
    } catch (const Thrown&) { return 0; }
    return 1;
}

[[nodiscard]] std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span{text}); }
[[nodiscard]] std::string text_of(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("values go both ways through a pipe") {
    const auto [first, second] = pipe<std::string>();
    const pid_t child = start_child([&, end = second.get()] {
        for (int i = 0; i < 100; ++i) { end->send(end->recv() + "!"); }
        return 0;
    });
    for (int i = 0; i < 100; ++i) {
        first->send(std::to_string(i));
        REQUIRE(first->recv() == std::to_string(i) + "!");
    }
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("messages keep their bounds and may be empty") {
    const auto [first, second] = pipe<std::span<std::byte>>();
    for (const std::string text : {"", "a", "", "first", "second"}) { first->send(bytes_of(text)); }
    CHECK(in_child([end = second.get()] {
              for (const std::string text : {"", "a", "", "first"}) {
                  if (!end->poll() || text_of(end->recv()) != text) { return 1; }
              }
              return end->poll() ? 0 : 2;  // which takes nothing
          }) == 0);
    CHECK(text_of(second->recv()) == "second");
    CHECK_FALSE(second->poll());
    CHECK_FALSE(second->try_recv());
}

TEST_CASE("a message that is longer than the memory for it is kept") {
    const auto [first, second] = pipe<std::span<std::byte>>();
    first->send(bytes_of("hello"));
    std::array<std::byte, 4> little{};
    std::array<std::byte, 8> enough{};
    CHECK_THROWS_AS(second->recv_into(little), std::length_error);
    CHECK_THROWS_AS(second->recv_into({}), std::length_error);
    CHECK(second->recv_into(enough) == 5);
    CHECK(enough[4] == std::byte{'o'});
    first->send(bytes_of("more"));
    CHECK(second->recv_into(little) == 4);
    CHECK_FALSE(second->recv_into_for(little, 1ms));
    CHECK(first->send_until(bytes_of("last"), std::chrono::steady_clock::now() + 20s));
    CHECK(second->poll_until(std::chrono::system_clock::now() + 20s));
    CHECK(second->recv_into_until(little, std::chrono::system_clock::now() + 20s) == 4);
    CHECK_FALSE(second->recv_into_until(little, std::chrono::steady_clock::time_point::min()));
    CHECK_FALSE(second->recv_until(std::chrono::steady_clock::now()));
    CHECK_FALSE(second->poll_until(std::chrono::steady_clock::now()));
}

TEST_CASE("poll and the timed calls wait as long as they say") {
    const auto [first, second] = pipe<int>(1);
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(second->poll(10ms));
    CHECK_FALSE(second->recv_for(10ms));
    CHECK(std::chrono::steady_clock::now() - start >= 20ms);
    CHECK_FALSE(second->recv_until(std::chrono::system_clock::now()));
    CHECK(first->try_send(1));
    CHECK_FALSE(first->try_send(2));
    CHECK_FALSE(first->send_for(2, 1ms));
    CHECK_FALSE(first->send_until(2, start));
    CHECK(second->poll(20s));
    CHECK(second->poll_for(20s));
    CHECK(second->recv() == 1);
    CHECK_FALSE(second->poll_for(1ms));
}

TEST_CASE("a closed end is the end of file behind what was sent and nobody receives from it") {
    const auto [first, second] = pipe<int>();
    first->send(1);
    CHECK(in_child([end = first.get()] {
              end->send(2);
              end->close();
              end->close();
              return throws<BrokenPipe>([&] { end->send(3); });
          }) == 0);
    CHECK(second->recv() == 1);
    CHECK_THROWS_AS(second->send(4), BrokenPipe);
    CHECK(second->recv_for(20s) == 2);
    CHECK(second->poll());
    CHECK_THROWS_AS(second->recv(), EndOfFile);
    CHECK_THROWS_AS(second->try_recv(), EndOfFile);
    CHECK_THROWS_AS(second->recv_for(20s), EndOfFile);
}

TEST_CASE("an error of a pipe says which end was closed and by whom") {
    const auto [first, second] = pipe<int>();
    const pid_t child = start_child([end = second.get()] {
        end->close();
        return 0;
    });
    CHECK(wait_for_child(child) == 0);
    const std::string closer = "by process " + std::to_string(child);
    CHECK_THROWS_WITH(first->recv(), "procpool: end of file: the other end of the pipe was closed " + closer);
    CHECK_THROWS_WITH(first->send(1), "procpool: nobody will receive: the other end of the pipe was closed " + closer);
    CHECK_THROWS_WITH(second->recv(), "procpool: end of file: this end of the pipe was closed " + closer);
    first->close();
    CHECK_THROWS_WITH(first->send(1), "procpool: nobody will receive: this end of the pipe was closed by this process");

    const auto [here, there] = pipe<int>();
    std::thread{[end = there.get()] { end->bind(); }}.join();
    CHECK_THROWS_WITH(here->recv(), Catch::ContainsSubstring("the thread that the other end of the pipe belonged to"));
    const pid_t other = start_child([end = there.get()] {
        end->bind();
        return 0;
    });
    CHECK(wait_for_child(other) == 0);
    CHECK_THROWS_WITH(here->recv(), Catch::ContainsSubstring("process " + std::to_string(other) + ", which"));
}

TEST_CASE("an end that is given to a process belongs to the first of its threads that uses it") {
    struct Child {
        pid_t number;
        bool lives;
        [[nodiscard]] std::int32_t pid() const { return number; }
        [[nodiscard]] bool is_alive() const { return lives; }
    };
    const auto [first, second] = pipe<int>();
    SharedPage page;
    const Gate may_use{page};
    const pid_t child = start_child([&, end = second.get()] {
        may_use.wait();
        std::thread{[&] { end->send(1); }}.join();  // its end is the end of file
        wait_until([] { return false; }, "a kill");
        return 0;
    });
    second->bind(Child{child, true});
    second->send(0);  // and not to the maker, who uses it all the same
    CHECK(first->recv() == 0);
    const pid_t receiver = start_child([end = first.get()] {
        return end->recv() == 1 ? throws<EndOfFile>([&] { static_cast<void>(end->recv()); }) : 1;
    });
    wait_for_sleep(receiver);
    may_use.set();
    CHECK(wait_for_child(receiver) == 0);
    second->bind(Child{child, true});
    CHECK_FALSE(first->poll());
    second->bind(Child{child, false});  // its number may be another's by now
    CHECK_THROWS_AS(first->recv(), EndOfFile);
    kill_and_reap(child);
}

TEST_CASE("closing an end wakes the one that waits at the other") {
    const auto [first, second] = pipe<int>(1);
    first->send(1);
    const std::array waiters{
        start_child([end = first.get()] { return throws<BrokenPipe>([&] { end->send(2); }); }),
        start_child([end = first.get()] { return throws<EndOfFile>([&] { static_cast<void>(end->recv()); }); })};
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    second->close();
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
}

TEST_CASE("the death of the process at the other end is the end of file") {
    for (const bool waits : {true, false}) {
        CAPTURE(waits);
        const auto [first, second] = pipe<int>(1);
        SharedPage page;
        const Gate bound{page};
        const pid_t child = start_child([&, end = second.get()] {
            end->send(1);
            bound.set();
            wait_until([] { return false; }, "a kill");
            return 0;
        });
        bound.wait();
        first->send(7);
        if (waits) {
            const pid_t receiver = start_child([end = first.get()] {
                if (end->recv() != 1) { return 1; }
                return throws<EndOfFile>([&] { static_cast<void>(end->recv()); });
            });
            const pid_t sender = start_child([end = first.get()] { return throws<BrokenPipe>([&] { end->send(2); }); });
            wait_for_sleep(receiver);
            wait_for_sleep(sender);
            kill_and_reap(child);
            CHECK(wait_for_child(receiver) == 0);
            CHECK(wait_for_child(sender) == 0);
        } else {
            kill_and_reap(child);
            CHECK(first->recv() == 1);
            CHECK(first->poll(20s));
            CHECK_THROWS_AS(first->recv(), EndOfFile);
            CHECK_THROWS_AS(first->send(2), BrokenPipe);
        }
    }
}

TEST_CASE("an end belongs to its maker until another binds it and may be bound again") {
    const auto [first, second] = pipe<int>();
    CHECK(in_child([] { return 0; }) == 0);  // a child that does not use it
    CHECK_FALSE(first->recv_for(1ms));
    SharedPage page;
    const Gate bound{page};
    second->bind();
    const pid_t child = start_child([&, end = second.get()] {
        end->bind();
        bound.set();
        wait_until([] { return false; }, "a kill");
        return 0;
    });
    bound.wait();
    const pid_t receiver = start_child([end = first.get()] {
        const int one = end->recv();
        return one == 1 ? throws<EndOfFile>([&] { static_cast<void>(end->recv()); }) : 1;
    });
    wait_for_sleep(receiver);
    second->bind();
    kill_and_reap(child);
    second->send(1);
    wait_for_sleep(receiver);
    second->close();
    CHECK(wait_for_child(receiver) == 0);
}

TEST_CASE("an end that is used again after its thread has ended is that of the user") {
    const auto [first, second] = pipe<int>();
    std::thread{[&] { second->send(1); }}.join();
    CHECK(first->recv() == 1);
    CHECK_THROWS_AS(first->recv(), EndOfFile);
    second->send(2);
    CHECK(first->recv() == 2);
    CHECK_FALSE(first->try_recv());
}

TEST_CASE("messages of 16 MB go through a pipe both ways at the same time") {
    constexpr std::size_t size = std::size_t{16} << 20;
    const auto [first, second] = pipe<std::span<std::byte>>();
    const auto talk = [](Connection<std::span<std::byte>>& end) {
        const std::vector<std::byte> message(size, std::byte{7});
        end.send(message);
        return end.recv() == message ? 0 : 1;
    };
    const pid_t child = start_child([&, end = second.get()] { return talk(*end); });
    CHECK(talk(*first) == 0);
    CHECK(wait_for_child(child) == 0);
}

TEST_CASE("a pipe leaves nothing behind whichever end goes first") {
    detail::shm::Heap& heap = detail::shm::Heap::of_this_process();
    const std::size_t before = heap.free_bytes();
    for (const bool in_order : {true, false}) {
        auto [first, second] = pipe<int>();
        std::optional kept{std::move(first)};
        std::optional other{std::move(second)};
        Connection<int>* const peer = (in_order ? other : kept)->get();
        (in_order ? kept : other).reset();
        CHECK_THROWS_AS(peer->recv(), EndOfFile);
        CHECK_THROWS_AS(peer->send(1), BrokenPipe);
    }
    CHECK(before - heap.free_bytes() < 32768);  // memory that others may still look at is kept for a while
    CHECK_THROWS_AS(pipe<int>(0), std::invalid_argument);
    CHECK_THROWS_WITH(pipe<int>(-1), Catch::ContainsSubstring("1 to 268435456 items, not -1"));
}

TEST_CASE("threads talk through a pipe", "[thread]") {
    const auto [first, second] = pipe<std::string>(4);
    std::thread other{[end = second.get()] {
        try {
            for (;;) { end->send(end->recv() + "!"); }
        } catch (const EndOfFile&) {}
    }};
    for (int i = 0; i < 200; ++i) {
        first->send(std::string(static_cast<std::size_t>(i), 'x'));
        REQUIRE(first->recv().size() == static_cast<std::size_t>(i) + 1);
    }
    first->close();
    other.join();
}
