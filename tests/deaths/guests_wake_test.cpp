// SPDX-License-Identifier: BSL-1.0
#include <procpool/actor/actor.hpp>
#include <procpool/future/wait.hpp>
#include <procpool/pool/process_pool.hpp>
#include <procpool/pool/submit.hpp>

#include "deaths/fatal_point.hpp"
#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;

// Guests that wait: nothing but a wake-up ends their sleep here.

namespace {

struct Box {
    int last = 0;
    int hold(Gate until) {
        until.wait();
        return ++last;
    }
    int next() { return ++last; }
};

/// Returns when all threads of the process sleep on futexes.
void wait_for_sleep_of_all(pid_t process, std::size_t threads) {
    wait_until(
        [&] {
            std::size_t asleep = 0;
            for (const auto& entry :
                 std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
                asleep += is_asleep_on_futex(std::stoi(entry.path().filename())) ? 1 : 0;
            }
            return asleep == threads;
        },
        "threads to sleep");
}

}  // namespace

TEST_CASE("a guest that waits for any of several calls is woken by the one that ends") {
    SharedPage page;
    const auto first = actor<Box>();
    const auto second = actor<Box>();
    const std::vector refs{first.ref(), second.ref()};
    for (const std::size_t which : {0, 1}) {
        const std::vector gates{Gate{page}, Gate{page}};
        const pid_t guest = start_child([&] {
            std::vector<Future<int>> futures;
            for (std::size_t i = 0; i < 2; ++i) { futures.push_back(refs[i].call(&Box::hold, gates[i])); }
            return wait_any(futures) == which && futures[which].get() > 0 ? 0 : 1;
        });
        wait_for_sleep(guest);
        gates[which].set();
        CHECK(wait_for_child(guest) == 0);
        gates[1 - which].set();
    }
}

TEST_CASE("a guest that waits for a call and for what its process decides is woken by each") {
    SharedPage page;
    const auto box = actor<Box>();
    const ActorRef<Box> ref = box.ref();
    enum class End { of_call, of_promise, of_task };
    for (const End end : {End::of_call, End::of_promise, End::of_task}) {
        CAPTURE(static_cast<int>(end));
        const std::vector gates{Gate{page}, Gate{page}, Gate{page}};
        const pid_t guest = start_child([&] {
            Pool pool{1};
            auto [promise, promised] = make_deferred<int>();
            std::vector<Future<int>> futures;
            futures.push_back(ref.call(&Box::hold, gates[0]));
            futures.push_back(std::move(promised));
            futures.push_back(pool.apply_async(
                [](Gate until) {
                    until.wait();
                    return 1;
                },
                gates[2]));
            std::thread keeps{[&, promise = std::move(promise)]() mutable {
                gates[1].wait();
                promise.set_value(1);
            }};
            const std::size_t first = wait_any(futures);
            for (const Gate& gate : gates) { gate.set(); }
            keeps.join();
            return static_cast<int>(first);
        });
        wait_for_sleep(guest);
        gates[static_cast<std::size_t>(end)].set();
        CHECK(wait_for_child(guest) == static_cast<int>(end) << 8);
    }
}

TEST_CASE("the continuation of a guest's call runs when the call ends") {
    SharedPage page;
    const auto box = actor<Box>();
    const ActorRef<Box> ref = box.ref();
    const Gate may_end{page};
    const pid_t guest = start_child([&] {
        auto future = ref.call(&Box::hold, may_end).then([](int n) { return n + 1; });
        auto other = ref.call(&Box::next).then([](int n) { return n + 1; });
        return future.get() == 2 && other.get() == 3 ? 0 : 1;
    });
    wait_for_sleep_of_all(guest, 2);
    may_end.set();
    CHECK(wait_for_child(guest) == 0);
}

TEST_CASE("a callback that waits for a guest's call runs other callbacks meanwhile") {
    SharedPage page;
    const auto box = actor<Box>();
    const ActorRef<Box> ref = box.ref();
    const Gate waits{page};
    const Gate may_go_on{page};
    const Gate may_end{page};
    const pid_t guest = start_child([&] {
        auto [first, begins] = make_deferred<int>();
        auto [second, follows] = make_deferred<int>();
        auto outer = begins.then([&](int) {  // nothing on this thread has been a guest's before
            auto call = ref.call(&Box::hold, may_end);
            waits.set();
            return call.get();
        });
        auto inner = follows.then([&](int n) {
            may_end.set();
            return n;
        });
        first.set_value(1);
        may_go_on.wait();
        second.set_value(2);
        return outer.get() == 1 && inner.get() == 2 ? 0 : 1;
    });
    waits.wait();
    wait_for_sleep_of_all(guest, 1);  // the other thread looks at its gate
    may_go_on.set();
    CHECK(wait_for_child(guest) == 0);
}

TEST_CASE("guests that find no room are woken when there is some") {
    SharedPage page;
    const auto box = actor<Box>();
    const ActorRef<Box> ref = box.ref();
    const Gate may_end{page};
    const Gate full{page};
    constexpr int many = 1000;  // more than there are slots
    const auto calls = [&](int count) {
        std::vector<Future<int>> futures;
        for (int i = 0; i < count; ++i) { futures.push_back(ref.call(&Box::next)); }
        for (auto& future : futures) {
            if (future.get() < 1) { return 1; }
        }
        return 0;
    };
    const pid_t first = start_child([&] {
        auto held = ref.call(&Box::hold, may_end);
        return calls(many) + (held.get() == 1 ? 0 : 1);
    });
    wait_for_sleep(first);
    // None of these results is their own: they get what the first one has read.
    std::vector<pid_t> others;
    for (int i = 0; i < 3; ++i) {
        others.push_back(start_child([&] { return calls(3); }));
    }
    for (const pid_t other : others) { wait_for_sleep(other); }
    may_end.set();
    CHECK(wait_for_child(first) == 0);
    for (const pid_t other : others) { CHECK(wait_for_child(other) == 0); }
}

TEST_CASE("a worker that waits for several of its tasks is woken for a task of another's") {
    SharedPage page;
    const Gate begun{page};
    const Gate may_submit{page};
    const Gate ran{page};
    const Counter waits{page};
    Pool pool{2};
    const auto holds = [](Gate here, Gate until, Gate after) {
        here.set();
        until.wait();
        const auto other = this_worker::submit([](Gate gate) { gate.set(); }, after);
        after.wait();  // helps nobody
        return 7;
    };
    auto whole = pool.apply_async(
        [holds](Gate here, Gate until, Gate after, Counter waiter) {
            std::vector<Future<int>> futures;
            futures.push_back(this_worker::submit(holds, here, until, after));
            here.wait();  // so that the other worker runs it
            waiter.add(::getpid());
            return wait_any(futures) == 0 ? futures[0].get() : 0;
        },
        begun, may_submit, ran, waits);
    waits.wait_for(1);
    wait_for_sleep(static_cast<pid_t>(waits.value()));
    may_submit.set();
    CHECK(whole.get() == 7);
}
