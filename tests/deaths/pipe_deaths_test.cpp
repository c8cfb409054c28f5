// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/connection.hpp>

#include <procpool/channel/wait_any.hpp>
#include <procpool/process/process.hpp>

#include "deaths/fatal_point.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <functional>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// Returns 0 when recv() gives that many messages and then the end of file.
int receive_to_the_end(Connection<int>& end, int messages) {
    try {
        for (;; --messages) { static_cast<void>(end.recv()); }
    } catch (const EndOfFile&) { return messages == 0 ? 0 : 1; }
}
int send_to_the_end(Connection<int>& end) {
    try {
        for (;;) { end.send(1); }
    } catch (const BrokenPipe&) { return 0; }
}

}  // namespace

TEST_CASE("all that wait at one end learn that the process at the other is dead") {
    const auto [first, second] = pipe<int>(1);
    SharedPage page;
    const Gate bound{page};
    const pid_t peer = start_child([&, end = second.get()] {
        end->bind();
        bound.set();
        wait_until([] { return false; }, "a kill");
        return 0;
    });
    bound.wait();
    std::vector<pid_t> waiters;
    for (int i = 0; i < 3; ++i) {
        waiters.push_back(start_child([&] { return receive_to_the_end(*first, 0); }));
        waiters.push_back(start_child([&] { return send_to_the_end(*first); }));
    }
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    kill_and_reap(peer);
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
}

TEST_CASE("a process that dies at any step of a message is the end of file behind what it sent") {
    for (const auto point : {FaultPoint::queue_cell_written, FaultPoint::queue_bytes_written, FaultPoint::queue_stepped,
                             FaultPoint::queue_half_closed}) {
        for (const bool about_to_sleep : {false, true}) {
            CAPTURE(static_cast<int>(point), about_to_sleep);
            const auto [first, second] = pipe<int>(1);
            SharedPage page;
            const Gate asleep{page};
            const Gate may_sleep{page};
            const Gate may_send{page};
            const pid_t peer = start_child([&, end = second.get()] {
                end->bind();
                may_send.wait();
                die_at(point);
                end->send(1);
                end->close();
                return 0;
            });
            const pid_t receiver = start_child([&] {
                if (about_to_sleep) { hold_at(FaultPoint::queue_getter_asleep, asleep, may_sleep); }
                const bool is_sent = point == FaultPoint::queue_stepped || point == FaultPoint::queue_half_closed;
                return receive_to_the_end(*first, is_sent ? 1 : 0);
            });
            about_to_sleep ? asleep.wait() : wait_for_sleep(receiver);
            may_send.set();
            CHECK(WTERMSIG(wait_for_child(peer)) == SIGKILL);
            may_sleep.set();
            CHECK(wait_for_child(receiver) == 0);
        }
    }
}

TEST_CASE("the one that waits for a pipe is killed and the next one takes its place") {
    const auto [first, second] = pipe<int>(1);
    first->bind();  // or it would be that of the first who receives
    second->bind();
    const auto receive = [&] { return first->recv(); };
    const pid_t front = start_child(receive);
    wait_for_sleep(front);
    const pid_t next = start_child(receive);
    wait_for_sleep(next);
    kill_and_reap(front);
    second->send(5);
    CHECK(WEXITSTATUS(wait_for_child(next)) == 5);
}

TEST_CASE("a process that an end was given to is killed before it has used it") {
    for (const bool waits : {true, false}) {
        CAPTURE(waits);
        const auto [first, second] = pipe<int>(1);
        first->send(1);
        Process peer{[] { wait_until([] { return false; }, "a kill"); }};
        second->bind(peer);
        CHECK_FALSE(first->poll());
        std::vector<pid_t> waiters;
        if (waits) {
            waiters = {start_child([&] { return receive_to_the_end(*first, 0); }),
                       start_child([&] { return send_to_the_end(*first); }),
                       start_child([&] { return wait_any({*first}).size() == 1 ? 0 : 1; })};
            for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
        }
        peer.kill();
        peer.join();
        for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
        CHECK(receive_to_the_end(*first, 0) == 0);
        CHECK_THROWS_WITH(first->send(2), Catch::ContainsSubstring("process " + std::to_string(peer.pid())));
    }
}

TEST_CASE("a process that gets an end as an argument dies before it has bound it") {
    const auto [first, second] = pipe<int>(1);
    const auto require_end_of_file = [first = first.get(), second = second.get()](auto&& argument) {
        second->send(7);  // the maker has used it
        die_at(FaultPoint::end_given);
        Process process{[](auto&&) {}, argument};
        detail::fault_hook = nullptr;
        CHECK(receive_to_the_end(*first, 1) == 0);
        process.join();
        CHECK(process.exit_status().signal() == SIGKILL);
        second->send(8);  // the next user has it
        CHECK(first->recv() == 8);
        CHECK_FALSE(first->try_recv());
    };
    require_end_of_file(second.get());
    require_end_of_file(std::ref(*second));
    require_end_of_file(*second);
    require_end_of_file(second);
}

TEST_CASE("a process that gets an end as an argument is killed before it has used it") {
    const auto [first, second] = pipe<int>(1);
    for (int round = 0; round < 2; ++round) {
        SharedPage page;
        const Gate runs{page};
        Process peer{[runs](Connection<int>* /*end*/) {
                         runs.set();
                         wait_until([] { return false; }, "a kill");
                     },
                     second.get()};
        runs.wait();
        const pid_t receiver = start_child([&] { return receive_to_the_end(*first, 0); });
        wait_for_sleep(receiver);
        peer.kill();
        CHECK(wait_for_child(receiver) == 0);
    }
}

TEST_CASE("the death of one of many ends the wait for any of them") {
    const auto [here, there] = pipe<int>(1);
    const auto [other, others_peer] = pipe<int>(1);
    others_peer->bind();
    const pid_t peer = start_child([end = there.get()] {
        end->bind();
        end->send(1);
        wait_until([] { return false; }, "a kill");
        return 0;
    });
    CHECK(here->recv() == 1);
    std::vector<pid_t> waiters;
    for (int i = 0; i < 3; ++i) {
        waiters.push_back(start_child([&] {
            const std::vector<std::size_t> ready = wait_any({*other, *here});
            return ready == std::vector<std::size_t>{1} ? 0 : 1;
        }));
    }
    for (const pid_t waiter : waiters) { wait_for_sleep(waiter); }
    kill_and_reap(peer);
    for (const pid_t waiter : waiters) { CHECK(wait_for_child(waiter) == 0); }
}
