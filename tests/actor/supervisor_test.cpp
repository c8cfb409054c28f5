// SPDX-License-Identifier: BSL-1.0
#include "actor/objects.hpp"
#include "pool/subprocess.hpp"

#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

/// Takes the next number of a shared count when it is constructed.
struct Ordered {
    explicit Ordered(Counter count, int start = 0) : begun(count.add()), n(start) {}
    std::int64_t begun;
    int n;
    int add(int by) { return n += by; }
    void die() { ::raise(SIGKILL); }
};

/// A process that does nothing but count that it has begun.
struct Waiting {
    Counter begun;
    void operator()() const {
        begun.add();
        for (;;) { ::pause(); }
    }
};

/// A process that is asked to end and does so when it may.
struct Reluctant {
    Counter begun;
    Gate asked;
    Gate may_end;
    void operator()() const {
        sigset_t asks;
        ::sigemptyset(&asks);
        ::sigaddset(&asks, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &asks, nullptr);
        begun.add();
        int signal = 0;
        ::sigwait(&asks, &signal);
        asked.set();
        may_end.wait();
    }
};

template <class T>
void kill_by_call(const ActorRef<T>& on) {
    auto dies = on.call(&T::die);
    CHECK_THROWS_AS(get_soon(dies), ActorDied);
}

pid_t pid_of(const Supervisor& group, std::size_t child) { return group.children().at(child).pid; }

std::vector<std::size_t> restarts_of(const Supervisor& group) {
    std::vector<std::size_t> all;
    for (const ChildInfo& child : group.children()) { all.push_back(child.restarts); }
    return all;
}

void wait_for_restarts(const Supervisor& group, const std::vector<std::size_t>& expected) {
    wait_until([&] { return restarts_of(group) == expected; }, "restarts");
}

/// While it lives, no thread can be started: there is no room for its stack.
class NoThreads {
public:
    NoThreads() {
        ::pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        ::pthread_attr_init(&huge);
        ::pthread_attr_setstacksize(&huge, std::size_t{1} << 60);
        REQUIRE(::pthread_setattr_default_np(&huge) == 0);
        ::pthread_attr_destroy(&huge);
    }
    NoThreads(const NoThreads&) = delete;
    NoThreads& operator=(const NoThreads&) = delete;
    ~NoThreads() {
        ::pthread_setattr_default_np(&before_);
        ::pthread_attr_destroy(&before_);
    }

private:
    pthread_attr_t before_;
};

struct Group {
    explicit Group(SupervisorOptions options) : supervisor(std::move(options)) {
        first = supervisor.add_actor<Ordered>(ActorOptions{.name = "first"}, begun, 1);
        second = supervisor.add_actor<Ordered>(ActorOptions{.name = "second"}, begun, 2);
        supervisor.add_process({.name = "third"}, Waiting{processes});
        processes.wait_for(1);
    }
    SharedPage page;
    Counter begun{page};
    Counter processes{page};
    Supervisor supervisor;
    ActorRef<Ordered> first;
    ActorRef<Ordered> second;
};

TEST_CASE("SUP-01 one_for_one restarts what has ended and references go on") {
    Group group{{.intensity = 10}};
    const pid_t others[] = {pid_of(group.supervisor, 0), pid_of(group.supervisor, 2)};
    CHECK(group.second.call(&Ordered::add, 5).get() == 7);
    auto dies = group.second.call(&Ordered::die);
    auto waits = group.second.call(&Ordered::add, 1);
    CHECK_THROWS_AS(get_soon(dies), ActorDied);
    CHECK(get_soon(waits) == 3);
    wait_for_restarts(group.supervisor, {0, 1, 0});
    CHECK(group.second.is_alive());
    REQUIRE(send_signal(pid_of(group.supervisor, 2), SIGKILL));
    group.processes.wait_for(2);
    wait_for_restarts(group.supervisor, {0, 1, 1});
    CHECK(pid_of(group.supervisor, 0) == others[0]);
    CHECK(pid_of(group.supervisor, 2) != others[1]);
    const ChildInfo info = group.supervisor.children()[1];
    CHECK(info.name == "second");
    CHECK(info.running);
    CHECK(info.exit_status.signal() == SIGKILL);
}

TEST_CASE("SUP-02 one_for_all restarts all in their order") {
    Group group{{.strategy = Strategy::one_for_all}};
    auto waits = [&] {
        auto dies = group.second.call(&Ordered::die);
        auto later = group.first.call(&Ordered::add, 1);
        CHECK_THROWS_AS(get_soon(dies), ActorDied);
        return later;
    }();
    wait_for_restarts(group.supervisor, {1, 1, 1});
    try {  // it ran before its process was ended, was run by the next one, or ended with it
        const int sum = get_soon(waits);
        CHECK(sum == 2);
    } catch (const ActorDied&) {}
    CHECK(group.first.call(&Ordered::begun).get() == 3);
    CHECK(group.second.call(&Ordered::begun).get() == 4);
    CHECK(group.first.call(&Ordered::n).get() + group.second.call(&Ordered::n).get() >= 3);
    group.processes.wait_for(2);
}

TEST_CASE("SUP-03 rest_for_one restarts what was added after the child too") {
    Group group{{.strategy = Strategy::rest_for_one}};
    const pid_t first = pid_of(group.supervisor, 0);
    kill_by_call(group.second);
    wait_for_restarts(group.supervisor, {0, 1, 1});
    CHECK(pid_of(group.supervisor, 0) == first);
    kill_by_call(group.first);
    wait_for_restarts(group.supervisor, {1, 2, 2});
    CHECK(group.first.call(&Ordered::begun).get() == 4);
    CHECK(group.second.call(&Ordered::begun).get() == 5);
}

TEST_CASE("SUP-04 beyond its intensity a supervisor ends all and says so") {
    Group group{{.intensity = 2, .name = "boss"}};
    CHECK_FALSE(group.supervisor.wait_for(0s));
    kill_by_call(group.first);
    wait_for_restarts(group.supervisor, {1, 0, 0});
    kill_by_call(group.second);
    wait_for_restarts(group.supervisor, {1, 1, 0});
    kill_by_call(group.second);
    try {
        group.supervisor.wait();
        FAIL("it went on");
    } catch (const RestartsExhausted& error) {
        CHECK(error.child() == "second");
        CHECK(error.exit_status().signal() == SIGKILL);
        CHECK_THAT(error.what(), Catch::ContainsSubstring("boss"));
    }
    for (const ChildInfo& child : group.supervisor.children()) {
        CHECK_FALSE(child.running);
        CHECK_FALSE(is_alive(child.pid));
    }
    CHECK_THROWS_AS(group.first.call(&Ordered::n), ActorDied);
    CHECK_FALSE(group.second.is_alive());
    CHECK_THROWS_AS(group.supervisor.add_process(Waiting{group.processes}), RestartsExhausted);
    CHECK_THROWS_AS(group.supervisor.wait(), RestartsExhausted);
    group.supervisor.stop();
}

TEST_CASE("SUP-05 restarts count within the period only") {
    Group group{{.intensity = 1, .period = 1ms}};
    for (std::size_t n = 1; n <= 5; ++n) {
        kill_by_call(group.first);
        wait_for_restarts(group.supervisor, {n, 0, 0});
        wait_until([start = std::chrono::steady_clock::now()] { return since(start) > 2ms; }, "the period to pass");
    }
}

TEST_CASE("SUP-06 permanent and transient and temporary children") {
    SharedPage page;
    const Counter runs[] = {Counter{page}, Counter{page}, Counter{page}, Counter{page}};
    const Gate ends{page};
    Supervisor group{{.strategy = Strategy::one_for_all, .intensity = 3, .period = 1h}};
    const auto leave = [&](int child, int code) {
        return [count = runs[child], ends, code] {
            count.add();
            ends.wait();
            return code;
        };
    };
    SECTION("one that ends by itself") {
        group.add_process(Restart::transient, {.name = "done"}, leave(1, 0));
        group.add_process(Restart::temporary, {.name = "once"}, leave(2, 1));
        runs[1].wait_for(1);
        runs[2].wait_for(1);
        ends.set();
        group.wait();  // none is restarted
        CHECK(runs[1].value() + runs[2].value() == 2);
        Job job;
        const auto actor_once = group.add_actor<Ordered>(Restart::temporary, ActorOptions{}, runs[3]);
        auto first = job.begin(actor_once);
        auto dies = actor_once.call(&Ordered::die);
        auto waits = actor_once.call(&Ordered::add, 1);
        job.may_end.set();
        CHECK_THROWS_AS(get_soon(dies), ActorDied);
        CHECK_THROWS_AS(get_soon(waits), ActorDied);
        group.wait();
        CHECK_THROWS_AS(actor_once.call(&Ordered::add, 1), ActorDied);
    }
    SECTION("permanent ends by itself and transient with an error") {
        ends.set();
        group.add_process(Restart::permanent, {.name = "again"}, leave(0, 0));
        CHECK_THROWS_AS(group.wait(), RestartsExhausted);
        CHECK(runs[0].value() == 4);
        Supervisor second{{.intensity = 1}};
        second.add_process(Restart::transient, leave(1, 3));
        CHECK_THROWS_AS(second.wait(), RestartsExhausted);
        CHECK(runs[1].value() == 2);
    }
}

TEST_CASE("SUP-07 stop() finishes accepted calls and nothing is restarted") {
    Group group{{}};
    std::vector<Future<int>> accepted;
    for (int i = 0; i < 50; ++i) { accepted.push_back(group.first.call(&Ordered::add, 1)); }
    group.supervisor.stop();
    CHECK(accepted.back().get() == 51);
    for (const ChildInfo& child : group.supervisor.children()) { CHECK_FALSE(is_alive(child.pid)); }
    CHECK_THROWS_AS(group.first.call(&Ordered::n), PoolClosed);
    CHECK_THROWS_AS(group.supervisor.add_actor<Ordered>(group.begun), PoolClosed);
    group.supervisor.wait();
    group.supervisor.stop();
}

TEST_CASE("SUP-08 a constructor that fails in a restart is one more restart") {
    struct Seldom {
        explicit Seldom(Counter lives) {
            if (const auto life = lives.add(); life == 2 || life == 3) { throw std::runtime_error("not yet"); }
        }
        void die() { ::raise(SIGKILL); }
    };
    SharedPage page;
    const Counter lives{page};
    Supervisor group{{.intensity = 3}};
    const auto seldom = group.add_actor<Seldom>(lives);
    kill_by_call(seldom);
    get_soon(seldom.call([](Seldom&) {}));
    CHECK(lives.value() == 4);
    const Counter others{page};
    Supervisor strict{{.intensity = 1}};
    const auto second = strict.add_actor<Seldom>(others);
    kill_by_call(second);
    CHECK_THROWS_AS(strict.wait(), RestartsExhausted);
    CHECK_THROWS_AS(second.call([](Seldom&) {}), ActorDied);
}

TEST_CASE("SUP-09 misuse is told; a moved supervisor goes on; a forked child's is inert") {
    SharedPage page;
    const Counter begun{page};
    CHECK_THROWS_AS(Supervisor{SupervisorOptions{.period = 0s}}, std::invalid_argument);
    CHECK_THROWS_AS(Supervisor{SupervisorOptions{.intensity = ActorOptions::max_restarts + 1}}, std::invalid_argument);
    Supervisor group;
    CHECK_THROWS_AS(group.add_actor<Ordered>(ActorOptions{.restarts = 1}, begun), std::invalid_argument);
    CHECK_THROWS_AS(group.add_actor<Tally>(-1), std::out_of_range);
    CHECK(group.children().empty());
    const auto ref = group.add_actor<Ordered>(begun);
    Supervisor moved{std::move(group)};
    CHECK_THROWS_AS(group.children(), std::logic_error);
    kill_by_call(ref);
    wait_for_restarts(moved, {1});
    Process child{[&] {
        try {
            moved.stop();
        } catch (const std::logic_error&) { return 0; }
        return 1;
    }};
    child.join();
    CHECK(child.exit_status().code() == 0);
    CHECK(get_soon(ref.call(&Ordered::n)) == 0);
}

/// Calls until it is told that the group has been stopped. Returns: how many calls were answered; they and those that
/// ended in ActorDied are all.
std::int64_t call_until_stopped(const ActorRef<Ordered>& first, const ActorRef<Ordered>& second, Counter answers) {
    std::int64_t answered = 0;
    try {
        for (;;) {
            std::vector<Future<int>> together;
            for (int i = 0; i < 3; ++i) {
                for (const ActorRef<Ordered>& ref : {first, second}) { together.push_back(ref.call(&Ordered::add, 0)); }
            }
            for (Future<int>& one : together) {
                try {
                    if (get_soon(one) <= 0) { throw std::logic_error("a wrong answer"); }
                    answers.add();
                    ++answered;
                } catch (const ActorDied&) {}
            }
        }
    } catch (const PoolClosed&) { return answered; }
}

TEST_CASE("SUP-10 random kills under each strategy leave a group that serves callers of three processes", "[slow]") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    SharedPage answers;
    Pool others{2};
    ThreadPool own{1};
    for (const Strategy strategy : {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one}) {
        const Counter of[] = {Counter{answers}, Counter{answers}, Counter{answers}};
        Group group{{.strategy = strategy, .intensity = ActorOptions::max_restarts}};
        std::vector<Future<std::int64_t>> callers;
        callers.push_back(own.apply_async(call_until_stopped, group.first, group.second, of[0]));
        callers.push_back(others.apply_async(call_until_stopped, group.first, group.second, of[1]));
        callers.push_back(others.apply_async(call_until_stopped, group.first, group.second, of[2]));
        for (std::size_t kills = times(300); kills-- != 0;) {
            const std::vector<ChildInfo> children = group.supervisor.children();
            send_signal(children[random() % children.size()].pid, SIGKILL);
            if (random() % 4 == 0) { send_signal(children[random() % children.size()].pid, SIGKILL); }
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 2000});
        }
        for (const Counter& answered : of) { answered.wait_for(answered.value() + 100); }
        CHECK_FALSE(group.supervisor.wait_for(0s));
        group.supervisor.stop();
        for (std::size_t i = 0; i < callers.size(); ++i) {
            const std::int64_t answered = get_soon(callers[i]);
            CHECK(answered == of[i].value());
        }
        CHECK(group.supervisor.children().size() == 3);
        for (const ChildInfo& child : group.supervisor.children()) { CHECK_FALSE(is_alive(child.pid)); }
    }
}

TEST_CASE("SUP-11 a first constructor that dies or takes too long is told and leaves no child") {
    struct Fails {
        Fails(Counter begun, int how) {
            begun.add();
            if (how == 0) { crash(); }
            if (how == 1) { std::exit(0); }
            std::this_thread::sleep_for(1h);
        }
    };
    SharedPage page;
    const Counter begun{page};
    Supervisor group;
    for (int how = 0; how < 3; ++how) {
        CHECK_THROWS_AS(group.add_actor<Fails>(ActorOptions{.start_timeout = how < 2 ? 1h : 20ms}, begun, how),
                        ActorDied);
    }
    CHECK(begun.value() == 3);
    CHECK(group.children().empty());
}

TEST_CASE("SUP-12 a temporary actor that ends for another one's sake is dead") {
    SharedPage page;
    const Counter begun{page};
    for (const Strategy strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
        Supervisor group{{.strategy = strategy}};
        const auto stays = group.add_actor<Ordered>(begun);
        const auto once = group.add_actor<Ordered>(Restart::temporary, ActorOptions{}, begun);
        kill_by_call(stays);
        wait_for_restarts(group, {1, 0});
        CHECK_FALSE(group.children()[1].running);
        CHECK_FALSE(once.is_alive());
        CHECK_THROWS_AS(once.call(&Ordered::add, 1), ActorDied);
    }
}

TEST_CASE("SUP-13 a child that no thread can watch is not added") {
    SharedPage page;
    const Counter begun{page};
    Supervisor group;
    {
        const NoThreads now;
        CHECK_THROWS_AS(group.add_process(Waiting{begun}), std::system_error);
    }
    CHECK(group.children().empty());
    group.add_process(Waiting{begun});
    REQUIRE(group.children().size() == 1);
    REQUIRE(send_signal(pid_of(group, 0), SIGKILL));
    wait_for_restarts(group, {1});
}

TEST_CASE("SUP-14 callers learn of a death when no old sibling answers any more") {
    Pool guests{1};
    ThreadPool threads{1};
    for (const Strategy strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
        for (const bool is_guest : {false, true}) {
            SharedPage page;
            const Counter begun{page};
            const Reluctant last{Counter{page}, Gate{page}, Gate{page}};
            Supervisor group{{.strategy = strategy}};
            const auto first = group.add_actor<Ordered>(begun);
            const auto second = group.add_actor<Ordered>(begun);
            group.add_process({.terminate_grace = 1h}, last);
            last.begun.wait_for(1);
            const auto outlives = [first, second] {
                try {
                    get_soon(first.call(&Ordered::add, 1));
                    first.call(&Ordered::die).get();
                } catch (const ActorDied&) { return get_soon(second.call(&Ordered::begun)); }
                return std::int64_t{0};
            };
            auto answered = is_guest ? guests.apply_async(outlives) : threads.apply_async(outlives);
            last.asked.wait();
            CHECK(get_soon(second.call(&Ordered::begun)) == 2);
            CHECK_FALSE(answered.ready());
            last.may_end.set();
            CHECK(get_soon(answered) == 4);
        }
    }
}

TEST_CASE("SUP-15 an actor whose restarting process is killed ends the group and is named") {
    Group group{{.strategy = Strategy::one_for_all, .intensity = 1}};
    REQUIRE(send_signal(group.second.call([](Ordered&) { return ::getppid(); }).get(), SIGKILL));
    try {
        group.supervisor.wait();
        FAIL("it went on");
    } catch (const PoolBroken& error) {
        CHECK_THAT(error.what(), Catch::ContainsSubstring("'second' cannot be restarted"));
    }
    for (const ChildInfo& child : group.supervisor.children()) { CHECK_FALSE(is_alive(child.pid)); }
    CHECK_THROWS_AS(group.second.call(&Ordered::n), ActorDied);
}

}  // namespace
