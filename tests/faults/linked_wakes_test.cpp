// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"

#include <procpool/future/shared_future.hpp>

#include "support/asleep.hpp"

#include <atomic>
#include <csignal>

using namespace procpool_test;

// Nobody may look by itself here: no thread of the parent waits for a task before all is over.

namespace {

using detail::FaultPoint;

int wait_at(Gate gate) {
    gate.wait();
    return 1;
}

TEST_CASE("tasks that become ready together run at the same time") {
    SharedPage page;
    const Gate open{page};
    const Meeting both{page, 2};
    const Counter met{page};
    Pool pool{2};
    const SharedFuture<int> root = pool.apply_async(wait_at, open).share();
    const auto meet = [](Meeting meeting, Counter count, int) {
        meeting.arrive_and_wait();
        count.add();
    };
    auto first = pool.apply_async(meet, both, met, root);
    auto second = pool.apply_async(meet, both, met, root);
    wait_until([&] { return root.running(); }, "the first task to run");
    const detail::task::Board& board = board_of(pool);
    const auto other = [&] { return board.sleeping.find([](std::uint32_t) { return true; }); };
    wait_until([&] { return other() != detail::task::SeatSet::nobody; }, "the other worker to sleep");
    wait_for_sleep(board.seats()[other()].pid.load());
    open.set();
    met.wait_for(2);
    get_soon(first);
    get_soon(second);
}

TEST_CASE("tasks go on whose dependency was finished by a worker that is stopped before it could say so") {
    for (const FaultPoint point : {FaultPoint::after_done, FaultPoint::list_closed, FaultPoint::bit_cleared,
                                   FaultPoint::ready_not_offered, FaultPoint::ready_kept, FaultPoint::ready_taken}) {
        CAPTURE(static_cast<int>(point));
        Saboteur saboteur;
        SharedPage page;
        const Gate open{page};
        const Counter runs{page};
        Pool pool{2};
        const SharedFuture<int> root = pool.apply_async(wait_at, open).share();
        const auto count = [](Counter counter, int) { counter.add(); };
        auto first = pool.apply_async(count, runs, root);
        auto second = pool.apply_async(count, runs, root);
        saboteur.arm(point, 1, SIGSTOP);
        open.set();
        const pid_t victim = saboteur.wait_for_victim();
        runs.wait_for(2);
        saboteur.disarm();
        ::kill(victim, SIGCONT);
        get_soon(first);
        get_soon(second);
        CHECK(runs.value() == 2);
    }
}

std::atomic<FaultPoint> halt{};
std::atomic<bool> is_halted{false};
std::atomic<bool> goes_on{false};

TEST_CASE("a task that a worker has made ready runs elsewhere when there is mail for that worker") {
    for (const FaultPoint point : {FaultPoint::after_done, FaultPoint::ready_kept}) {
        SharedPage page;
        const Gate open{page};
        const Counter ran{page};
        const Counter mailed{page};
        const Counter worker{page};
        ThreadPool pool{2};
        const auto where = [](Gate gate, Counter index) {
            index.add(static_cast<std::int64_t>(this_worker::index()));
            gate.wait();
            return 1;
        };
        // Each waits for the other.
        const auto answer = [](Counter call, Counter count, int) {
            call.wait_for(1);
            count.add();
        };
        const auto call = [](Counter calls, Counter count) {
            calls.add();
            count.wait_for(1);
        };
        auto root = pool.apply_async(where, open, worker);
        auto next = pool.apply_async(answer, mailed, ran, std::move(root));
        wait_until([&] { return !board_of(pool).sleeping.was_empty(); }, "the other worker to sleep");
        halt = point;
        is_halted = goes_on = false;
        detail::fault_hook = [](FaultPoint reached) {
            if (reached != halt.load() || is_halted.exchange(true)) { return; }
            wait_until([] { return goes_on.load(); }, "the mail to be there");
        };
        open.set();
        wait_until([] { return is_halted.load(); }, "the worker to be there");
        auto mail = pool.apply_on_async(static_cast<std::size_t>(worker.value()), call, mailed, ran);
        goes_on = true;
        ran.wait_for(1);
        get_soon(mail);
        get_soon(next);
        detail::fault_hook = nullptr;
    }
}

std::atomic<int> slept{0};
std::atomic<bool> counts{false};

TEST_CASE("a pool of threads ends when the last task that waits is cancelled while it is closing") {
    SharedPage page;
    const Gate open{page};
    ThreadPool pool{2};
    auto one = pool.apply_async(wait_at, open);
    auto two = pool.apply_async(wait_at, open);
    const SharedFuture<int> root = pool.apply_async([] { return 1; }).share();
    auto waits = pool.apply_async([](int n) { return n; }, root);
    pool.close();
    static const Gate* gate = &open;
    gate = &open;
    // The task that is cancelled has gone, the one that waits for it has not: all threads must be asleep by then.
    detail::fault_hook = [](FaultPoint point) {
        if (point == FaultPoint::asleep && counts.load()) { slept.fetch_add(1); }
        if (point != FaultPoint::list_closed) { return; }
        counts.store(true);
        gate->set();
        wait_until([] { return slept.load() >= 2; }, "both threads to have nothing to do");
    };
    CHECK(root.cancel());
    detail::fault_hook = nullptr;
    CHECK(pool.join_for(wait_limit));
    CHECK_THROWS_AS(waits.get(), TaskCancelled);
    CHECK(one.get() + two.get() == 2);
}

}  // namespace
