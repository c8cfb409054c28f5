// SPDX-License-Identifier: BSL-1.0
#include "actor/objects.hpp"
#include "pool/subprocess.hpp"

#include <procpool/task/slot.hpp>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

template <class P, class T, class... Args>
auto actor_of(Args&&... args) {
    return actor<T, typename EngineOf<P>::type>(std::forward<Args>(args)...);
}

template <class P>
void calls_of_every_form() {
    auto tally = actor_of<P, Tally>(5);
    CHECK(tally.call(&Tally::add, 3).get() == 8);
    CHECK(tally.call(&Tally::value).get() == 8);
    CHECK(tally.call(&Tally::n).get() == 8);
    CHECK(tally.call([](Tally& self, int by) { return self.n *= by; }, 2).get() == 16);
    CHECK(tally.call([](const Tally& self) { return self.n; }).get() == 16);
    tally.call([](Tally& self) { self.n = 1; }).get();
    int more = 40;
    CHECK(tally.call([more](Tally& self) { return self.n + more; }).get() == 41);
    CHECK(tally.call(&Tally::all_notes).get().empty());
    CHECK(tally.call([](Tally&, const std::string& text) { return text + "!"; }, "text").get() == "text!");
    CHECK(tally.call([](Tally& self, std::stop_token stop) { return stop.stop_requested() ? -1 : self.n; }).get() == 1);
    CHECK(tally.call(TaskOptions{.label = "named"}, &Tally::value).get() == 1);
    CHECK(tally.call({.timeout = 1h, .label = "named"}, &Tally::add, 1).get() == 2);
}
ON_EVERY_ENGINE("ACT-01 an actor is called by members and functions of every form", calls_of_every_form)

template <class P>
void exceptions_come_back() {
    auto tally = actor_of<P, Tally>();
    CHECK_THROWS_MATCHES(tally.call(&Tally::fail, "because").get(), std::invalid_argument,
                         Catch::Matchers::Message("because"));
    CHECK(tally.call(&Tally::add, 1).get() == 1);
    CHECK_THROWS_AS((actor_of<P, Tally>(-7)), std::out_of_range);
}
ON_EVERY_ENGINE("ACT-02 exceptions of calls and of the constructor arrive as they were thrown", exceptions_come_back)

template <class P>
void in_order_and_never_at_once() {
    auto tally = actor_of<P, Tally>();
    constexpr int each = 100;
    const auto caller = [&](int first) {
        for (int i = first; i < first + each; ++i) { static_cast<void>(tally.call(&Tally::note, i)); }
    };
    std::thread other{caller, 0};
    caller(each);
    other.join();
    const std::vector<int> notes = tally.call(&Tally::all_notes).get();
    CHECK(notes.size() == 2 * each);
    std::vector<int> of_each[2];
    for (const int note : notes) { of_each[note / each].push_back(note); }
    for (const std::vector<int>& order : of_each) { CHECK(std::is_sorted(order.begin(), order.end())); }
}
ON_EVERY_ENGINE("ACT-03 the calls of each thread run in its order in a queue that is shorter",
                in_order_and_never_at_once)

template <class P>
void stops() {
    SharedPage page;
    const Counter destroyed{page};
    struct Last {
        Counter count;
        ~Last() { count.add(); }
        void use() {}
    };
    auto last = actor_of<P, Last>(destroyed);
    CHECK(last.is_alive());
    auto accepted = last.call(&Last::use);
    last.stop();
    CHECK(destroyed.value() == 1);
    accepted.get();
    CHECK_FALSE(last.is_alive());
    CHECK_THROWS_AS(last.call(&Last::use), PoolClosed);
    last.stop();
    const ActorRef<Last> ref = last.ref();
    CHECK_THROWS_AS(ref.call(&Last::use), PoolClosed);
    { auto second = actor_of<P, Last>(destroyed); }
    CHECK(destroyed.value() == 2);
}
ON_EVERY_ENGINE("ACT-04 stop() finishes what was accepted and destroys the object; later calls are told", stops)

template <class P>
void moves() {
    auto first = actor_of<P, Tally>(1);
    const ActorRef<Tally> ref = first.ref();
    auto second = std::move(first);
    CHECK(second.call(&Tally::value).get() == 1);
    CHECK(ref.call(&Tally::add, 1).get() == 2);
    CHECK_THROWS_AS(first.call(&Tally::value), std::logic_error);
    second = actor_of<P, Tally>(7);
    CHECK(second.call(&Tally::value).get() == 7);
    CHECK_THROWS_AS(ref.call(&Tally::value), PoolClosed);
    CHECK_FALSE(ref.is_alive());
    CHECK(second.ref() != ref);
    CHECK(second.ref() == second.ref());
    CHECK_THROWS_AS(ActorRef<Tally>{}.call(&Tally::value), std::logic_error);
}
ON_EVERY_ENGINE("ACT-05 an actor is moved; references stay with the actor that they name", moves)

template <class P>
void counts_its_calls_alone() {
    auto tally = actor_of<P, Tally>(ActorOptions{.trace = true});
    CHECK(tally.stats().submitted == 0);
    CHECK(tally.stats().completed == 0);
    CHECK(tally.timings().empty());
    tally.call(TaskOptions{.label = "first"}, &Tally::add, 1).get();
    tally.stop();
    CHECK(tally.stats().submitted == 1);
    CHECK(tally.stats().completed == 1);
    REQUIRE(tally.timings().size() == 1);
    CHECK(tally.timings()[0].label == "first");
}
ON_EVERY_ENGINE("ACT-11 statistics and timings of an actor are those of its calls", counts_its_calls_alone)

struct Base {
    virtual ~Base() = default;
    [[nodiscard]] virtual int tell() const { return 1; }
    int first = 10;
};
struct OtherBase {
    virtual ~OtherBase() = default;
    [[nodiscard]] virtual int say(const std::string& text) const { return static_cast<int>(text.size()); }
    [[nodiscard]] int get(int more) const { return second + more; }
    int second = 20;
};
struct Derived : Base, OtherBase {
    [[nodiscard]] int tell() const override { return 2; }
    [[nodiscard]] int say(const std::string& text) const override { return 100 + OtherBase::say(text); }
};

template <class P>
void members_of_bases() {
    auto derived = actor_of<P, Derived>();
    CHECK(derived.call(&Base::tell).get() == 2);
    CHECK(derived.call(&OtherBase::say, "four").get() == 104);
    CHECK(derived.call(&OtherBase::second).get() == 20);
    using Get = int (Derived::*)(int) const;
    using Say = int (Derived::*)(const std::string&) const;
    if constexpr (!under_sanitizer) {  // GCC's looks at the type behind `this` when it is another base's already
        CHECK(derived.call(static_cast<Get>(&OtherBase::get), 5).get() == 25);
        CHECK(derived.call(static_cast<Say>(&OtherBase::say), "four").get() == 104);
    }
    CHECK(derived.call(static_cast<int Derived::*>(&OtherBase::second)).get() == 20);
}
ON_EVERY_ENGINE("ACT-12 an actor is called by members of its bases and virtual ones", members_of_bases)

TEST_CASE("ACT-13 a call of a member with a small argument fits into the first line of its slot") {
    std::array<std::byte, 64> bytes{};
    Writer out{bytes, nullptr, nullptr};
    detail::actor::encode_call(out, &Tally::add, 1);
    CHECK(out.size() <= detail::task::Slot::inline_bytes);
}

TEST_CASE("ACT-06 a call may call its own actor but not wait for that - threads", "[thread]") {
    is_not_called_within_a_call<ThreadEngine>();
}
TEST_CASE("ACT-06 a call may call its own actor but not wait for that - inline") {
    is_not_called_within_a_call<InlineEngine>();
}

TEST_CASE("ACT-07 the object is in a process of its own made from arguments that need not travel") {
    struct Holder {
        Holder(std::unique_ptr<int> n, std::mutex& lock) : number(std::move(n)), mutex(&lock) {}
        [[nodiscard]] int process() const { return ::getpid(); }
        std::unique_ptr<int> number;
        std::mutex* mutex;
    };
    std::mutex mutex;
    auto holder = actor<Holder>(ActorOptions{.name = "holder"}, std::make_unique<int>(3), std::ref(mutex));
    CHECK(holder.pid() != ::getpid());
    CHECK(holder.call(&Holder::process).get() == holder.pid());
    CHECK(holder.call([](Holder& self) { return *self.number; }).get() == 3);
    CHECK(text_of_file("/proc/" + std::to_string(holder.pid()) + "/comm") == "holder:0\n");
    auto counts = actor<std::map<std::string, int>>();
    counts.call([](auto& map, const std::string& key) { ++map[key]; }, "a").get();
    CHECK(counts.call(&std::map<std::string, int>::size).get() == 1);
    auto numbers = actor<std::vector<int>>(3, 7);
    CHECK(numbers.call([](std::vector<int>& all) { return all; }).get() == std::vector{7, 7, 7});
}

TEST_CASE("ACT-08 futures of calls continue and are waited for as those of tasks") {
    auto tally = actor<Tally>();
    auto next = tally.call(&Tally::add, 4).then([&](int n) { return tally.call(&Tally::add, n); });
    CHECK(get_soon(next) == 8);
    std::vector<Future<int>> several;
    for (int i = 0; i < 10; ++i) { several.push_back(tally.call(&Tally::add, 1)); }
    wait_all(several);
    CHECK(several.back().get() == 18);
}

TEST_CASE("ACT-09 a call has no retries and no priority; bad options are told") {
    auto tally = actor<Tally>();
    CHECK_THROWS_AS(tally.call(TaskOptions{.retries = 1}, &Tally::value), std::invalid_argument);
    CHECK_THROWS_AS(tally.call(TaskOptions{.priority = 1}, &Tally::value), std::invalid_argument);
    CHECK_THROWS_AS(tally.call(TaskOptions{.timeout = -1s}, &Tally::value), std::invalid_argument);
    CHECK_THROWS_AS(actor<Tally>(ActorOptions{.restarts = ActorOptions::max_restarts + 1}), std::invalid_argument);
    CHECK_THROWS_AS(actor<Tally>(ActorOptions{.period = 0s}), std::invalid_argument);
    CHECK_THROWS_AS(actor<Tally>(ActorOptions{.queue_capacity = 0}), std::invalid_argument);
    CHECK_THROWS_AS(actor<Tally>(ActorOptions{.snapshot_every = 1}), std::invalid_argument);  // it does not travel
    CHECK_THROWS_AS(actor<Saved>(ActorOptions{.snapshot_interval = -1s}), std::invalid_argument);
    CHECK(tally.call(&Tally::value).get() == 0);
}

TEST_CASE("ACT-10 in a forked child an Actor is inert") {
    auto tally = actor<Tally>(9);
    Process child{[&] {
        try {
            tally.call(&Tally::value).get();
        } catch (const std::logic_error&) { return tally.is_alive() ? 2 : 0; }
        return 1;
    }};
    child.join();
    CHECK(child.exit_status().code() == 0);
    CHECK(tally.call(&Tally::value).get() == 9);
}

}  // namespace
