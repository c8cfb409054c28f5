// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/wait_any.hpp>

#include <procpool/core/error.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

using Positions = std::vector<std::size_t>;

}  // namespace

TEST_CASE("all connections that have something to receive are told and nothing is taken") {
    const auto [numbers, their] = pipe<int>();
    const auto [texts, theirs] = pipe<std::string>();
    const auto start = std::chrono::steady_clock::now();
    CHECK(wait_any_for({*numbers, *texts}, 10ms).empty());
    CHECK(std::chrono::steady_clock::now() - start >= 10ms);
    CHECK(wait_any_for({*numbers, *texts}, 0s).empty());
    CHECK(wait_any_until({*numbers, *texts}, std::chrono::system_clock::time_point::min()).empty());
    theirs->send("a");
    CHECK(wait_any({*numbers, *texts}) == Positions{1});
    their->send(1);
    CHECK(wait_any({numbers, texts}) == Positions{0, 1});
    CHECK(wait_any_until({*numbers, *texts}, std::chrono::steady_clock::now() + 20s) == Positions{0, 1});
    CHECK(texts->recv() == "a");
    CHECK(wait_any_for({numbers.get()}, 20s) == Positions{0});
    CHECK(numbers->recv() == 1);
    theirs->close();
    CHECK(wait_any({*numbers, *texts}) == Positions{1});
    CHECK_THROWS_AS(wait_any(std::vector<Connection<int>*>{}), std::invalid_argument);
}

TEST_CASE("a wait for any of many connections ends with the first message") {
    std::vector<Shared<Connection<int>>> here;
    std::vector<Shared<Connection<int>>> there;
    for (int i = 0; i < 70; ++i) {  // more than the kernel watches at a time
        auto [one, other] = pipe<int>(1);
        here.push_back(std::move(one));
        there.push_back(std::move(other));
    }
    for (const std::size_t count : {std::size_t{2}, std::size_t{64}, here.size()}) {
        std::vector<Connection<int>*> ends;
        for (std::size_t i = 0; i < count; ++i) { ends.push_back(here[i].get()); }
        for (const std::size_t sender : {std::size_t{0}, count - 1}) {
            CAPTURE(count, sender);
            const pid_t waiter = start_child([&] { return wait_any(ends) == Positions{sender} ? 0 : 1; });
            wait_for_sleep(waiter);
            there[sender]->send(1);
            CHECK(wait_for_child(waiter) == 0);
            CHECK(here[sender]->recv() == 1);
        }
    }
    CHECK(wait_any_for(here, 1ms).empty());
}

TEST_CASE("a wait for any takes no message away from those that receive from the same end") {
    const auto [first, second] = pipe<int>(8);
    first->bind();
    second->bind();
    std::vector<pid_t> waiters;
    const auto wait = [&] { return wait_any({*first}) == Positions{0} ? 0 : 1; };
    const auto receive = [&] { return first->recv() == 5 ? 0 : 1; };
    for (int i = 0; i < 2; ++i) {
        waiters.push_back(start_child(wait));
        wait_for_sleep(waiters.back());
        waiters.push_back(start_child(receive));
        wait_for_sleep(waiters.back());
    }
    for (int i = 0; i < 3; ++i) { second->send(5); }  // one stays, for those that wait
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
    CHECK(first->recv() == 5);
}

TEST_CASE("a server waits for any of its clients until all are gone") {
    std::vector<Shared<Connection<int>>> clients;
    std::vector<Shared<Connection<int>>> servers;
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
        auto [client, server] = pipe<int>(2);
        children.push_back(start_child([i, end = client.get()] {
            for (int n = 0; n < 50; ++n) { end->send(i * 1000 + n); }
            return end->recv() == i ? 0 : 1;
        }));
        clients.push_back(std::move(client));
        servers.push_back(std::move(server));
    }
    std::vector<int> next{0, 1000, 2000, 3000};
    std::vector<Connection<int>*> open;
    for (const auto& server : servers) { open.push_back(server.get()); }
    for (int ended = 0; ended < 4;) {
        for (const std::size_t position : wait_any(open)) {
            REQUIRE(open[position]->poll());
            try {
                const int number = open[position]->recv();
                REQUIRE(number == next[static_cast<std::size_t>(number / 1000)]++);
                if (number % 1000 == 49) { open[position]->send(number / 1000); }
            } catch (const EndOfFile&) {
                ++ended;
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(position));
                break;  // the positions are others
            }
        }
        if (open.empty()) { break; }
    }
    for (const pid_t child : children) { CHECK(wait_for_child(child) == 0); }
    CHECK(open.empty());
}
