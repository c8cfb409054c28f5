// SPDX-License-Identifier: BSL-1.0
#include "actor/objects.hpp"
#include "log/records.hpp"
#include "pool/subprocess.hpp"

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

template <class T>
ActorDied death_in(Future<T>& future) {
    try {
        get_soon(future);
    } catch (const ActorDied& died) { return died; }
    throw std::runtime_error("the actor did not die");
}

TEST_CASE("ACT-20 without restarts the first death ends what runs and what waits and later calls are refused") {
    Job job;
    auto tally = actor<Tally>(ActorOptions{.name = "frail"});
    const pid_t process = tally.pid();
    auto runs = job.begin(tally);
    auto waits = tally.call(&Tally::value);
    auto named = tally.call(TaskOptions{.label = "third"}, &Tally::value);
    REQUIRE(send_signal(process, SIGKILL));
    CHECK(death_in(waits).exit_status().signal() == SIGKILL);
    CHECK(death_in(named).label() == "third");
    const ActorDied died = death_in(runs);
    CHECK(died.pid() == process);
    CHECK(died.label() == "frail");
    CHECK_THAT(died.what(), Catch::ContainsSubstring("(SIGKILL) ('frail')"));
    CHECK_FALSE(tally.is_alive());
    try {
        static_cast<void>(tally.call(&Tally::value));
        FAIL("a dead actor took a call");
    } catch (const ActorDied& later) {
        CHECK(later.pid() == process);
        CHECK(later.exit_status().signal() == SIGKILL);
    }
    tally.stop();
    CHECK_THROWS_AS(tally.call(&Tally::value), ActorDied);
}

TEST_CASE("ACT-21 a crash is told with its backtrace also to those that waited and that come later") {
    SharedPage page;
    const Gate both{page};
    auto tally = actor<Tally>();
    auto crashes = tally.call(
        [](Tally&, Gate accepted) {
            accepted.wait();
            crash();
        },
        both);
    auto waits = tally.call(&Tally::value);
    both.set();
    for (const ActorDied& died : {death_in(crashes), death_in(waits)}) {
        CHECK(died.exit_status().signal() == SIGILL);
        if (!under_sanitizer) { CHECK_FALSE(died.backtrace().empty()); }
    }
    CHECK_THROWS_AS(tally.call(&Tally::value), WorkerDied);
    auto leaves = actor<Tally>();
    auto exits = leaves.call([](Tally&) { std::_Exit(3); });
    CHECK(death_in(exits).exit_status().code() == 3);
}

TEST_CASE("ACT-22 with restarts the call that ran fails and those that waited go on with a new object") {
    Job job;
    auto tally = actor<Tally>(ActorOptions{.restarts = 2}, 5);
    for (int death = 1; death <= 2; ++death) {
        tally.call(&Tally::add, 100).get();
        const pid_t before = tally.pid();
        auto runs = job.begin(tally);
        auto waits = tally.call(&Tally::add, 1);
        REQUIRE(send_signal(before, SIGKILL));
        CHECK(death_in(runs).pid() == before);
        CHECK(get_soon(waits) == 6);
        CHECK(tally.is_alive());
        CHECK(tally.pid() != before);
    }
    auto runs = job.begin(tally);
    auto waits = tally.call(&Tally::value);
    REQUIRE(send_signal(tally.pid(), SIGKILL));
    death_in(runs);
    death_in(waits);
    CHECK_THROWS_AS(tally.call(&Tally::value), ActorDied);
}

TEST_CASE("ACT-23 deaths count within the period only") {
    auto tally = actor<Tally>(ActorOptions{.restarts = 1, .period = 1ms});
    for (int death = 0; death < 5; ++death) {
        auto dies = tally.call([](Tally&) { ::raise(SIGKILL); });
        death_in(dies);
        CHECK(get_soon(tally.call(&Tally::value)) == 0);
        wait_until([start = std::chrono::steady_clock::now()] { return since(start) > 2ms; }, "the period to pass");
    }
}

TEST_CASE("ACT-24 a call that exceeds its timeout costs the process: it is restarted or dead") {
    auto hangs = [](Tally&) { std::this_thread::sleep_for(1h); };
    auto lasting = actor<Tally>(ActorOptions{.restarts = 1}, 4);
    auto late = lasting.call(TaskOptions{.timeout = 20ms}, hangs);
    auto next = lasting.call(&Tally::value);
    CHECK_THROWS_AS(get_soon(late), TaskTimedOut);
    CHECK(get_soon(next) == 4);
    Job job;
    auto frail = actor<Tally>();
    auto first = job.begin(frail);
    late = frail.call(TaskOptions{.timeout = 20ms}, hangs);
    next = frail.call(&Tally::value);
    job.may_end.set();
    CHECK_THROWS_AS(get_soon(late), TaskTimedOut);
    death_in(next);
    CHECK_THROWS_AS(frail.call(&Tally::value), ActorDied);
}

TEST_CASE("ACT-25 kill() ends what runs and what waits in ActorDied") {
    Job job;
    auto tally = actor<Tally>(ActorOptions{.restarts = 5});
    const pid_t process = tally.pid();
    auto runs = job.begin(tally);
    auto waits = tally.call(&Tally::value);
    tally.kill();
    CHECK_FALSE(is_alive(process));
    CHECK(death_in(runs).exit_status().signal() == SIGKILL);
    CHECK(death_in(waits).pid() == process);
    CHECK_THROWS_AS(tally.call(&Tally::value), ActorDied);
    tally.kill();
}

/// Throws, or dies, in its second life.
struct OnceOnly {
    explicit OnceOnly(Counter lives, bool crashes) {
        if (lives.add() == 2) {
            if (crashes) { crash(); }
            throw std::runtime_error("only once");
        }
    }
    void die() { ::raise(SIGKILL); }
};

TEST_CASE("ACT-26 a constructor that fails in a restart is one more death") {
    for (const bool crashes : {false, true}) {
        Job job;
        const Counter lives{job.page};
        const Counter others{job.page};
        auto one = actor<OnceOnly>(ActorOptions{.restarts = 2}, lives, crashes);
        auto dies = one.call(&OnceOnly::die);
        death_in(dies);
        get_soon(one.call([](OnceOnly&) {}));  // by the third life
        CHECK(lives.value() == 3);
        auto frail = actor<OnceOnly>(ActorOptions{.restarts = 1}, others, crashes);
        auto first = job.begin(frail);
        dies = frail.call(&OnceOnly::die);
        auto waits = frail.call([](OnceOnly&) {});
        job.may_end.set();
        death_in(dies);
        const std::string text = death_in(waits).what();
        CHECK((text.find("std::runtime_error: only once") == text.npos) == crashes);
        CHECK_THROWS_AS(frail.call(&OnceOnly::die), ActorDied);
    }
}

TEST_CASE("ACT-27 a constructor that dies or takes too long is told to the maker") {
    struct Crashes {
        Crashes() { crash(); }
    };
    struct Hangs {
        Hangs() { std::this_thread::sleep_for(1h); }
    };
    CHECK_THROWS_AS(actor<Crashes>(), ActorDied);
    CHECK_THROWS_AS(actor<Crashes>(ActorOptions{.restarts = 2}), ActorDied);
    try {
        static_cast<void>(actor<Hangs>(ActorOptions{.start_timeout = 20ms}));
        FAIL("an actor without an object");
    } catch (const ActorDied& late) {
        CHECK(late.exit_status().signal() == SIGKILL);
        CHECK_THAT(late.what(), Catch::Matchers::EndsWith("('actor'): the actor's constructor took longer than 20 ms"));
    }
}

TEST_CASE("ACT-28 a new life begins from what was saved last") {
    auto saved = actor<Saved>(ActorOptions{.restarts = 100, .snapshot_every = 1}, Saved{5, "begin"});
    const auto die = [&] {
        auto dies = saved.call([](Saved& self) {
            self.n = -1;
            ::raise(SIGKILL);
        });
        death_in(dies);
    };
    die();
    CHECK(get_soon(saved.call(&Saved::n)) == 5);  // nothing was saved: the arguments
    for (int n = 6; n < 20; ++n) {
        CHECK(saved.call(&Saved::add, 1).get() == n);
        saved
            .call([](Saved& self, std::size_t more) { self.text.append(more, 'x'); },
                  1000 * static_cast<std::size_t>(n))
            .get();
        die();
    }
    CHECK(get_soon(saved.call(&Saved::n)) == 19);
    CHECK(get_soon(saved.call([](Saved& self) { return self.text.size(); })) == 5 + 1000 * (6 + 19) * 14 / 2);

    auto often = actor<Saved>(ActorOptions{.restarts = 1, .snapshot_every = 3});
    for (int n = 1; n <= 8; ++n) { CHECK(often.call(&Saved::add, 1).get() == n); }
    auto dies = often.call([](Saved&) { ::raise(SIGKILL); });
    death_in(dies);
    CHECK(get_soon(often.call(&Saved::n)) == 6);
}

TEST_CASE("ACT-29 an object that does not fit is not saved and the last one that did counts") {
    auto saved = actor<Saved>(ActorOptions{.restarts = 1, .snapshot_every = 1, .snapshot_bytes = 100});
    saved.call(&Saved::add, 7).get();
    CHECK(saved
              .call([](Saved& self) {
                  self.text.assign(10000, 'x');
                  return self.n = 8;
              })
              .get() == 8);
    auto dies = saved.call([](Saved&) { ::raise(SIGKILL); });
    death_in(dies);
    CHECK(get_soon(saved.call(&Saved::n)) == 7);
}

TEST_CASE("ACT-30 a destructor that throws or crashes is told to the log") {
    struct Fussy {
        ~Fussy() noexcept(false) {
            if (throws) { throw std::runtime_error("no end"); }
            crash();
        }
        bool throws;
    };
    const Records records;
    for (const bool throws : {true, false}) {
        auto fussy = actor<Fussy>(ActorOptions{.name = "fussy"}, throws);
        const std::string process = "process " + std::to_string(fussy.pid()) + ",";
        fussy.stop();
        wait_until([&] { return !records.with(process).empty(); }, "a record");
        const Record record = records.with(process)[0];
        CHECK(record.level == LogLevel::warning);
        CHECK(record.pool == "fussy");
        CHECK_THAT(record.text, Catch::ContainsSubstring(throws ? "(SIGABRT) as it left" : "(SIGILL) as it left"));
    }
}

}  // namespace
