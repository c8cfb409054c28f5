// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/connection.hpp>

#include "deaths/fatal_point.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
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
