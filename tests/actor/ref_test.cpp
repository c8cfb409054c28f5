// SPDX-License-Identifier: BSL-1.0
#include "actor/objects.hpp"
#include "pool/subprocess.hpp"
#include "support/asleep.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

int add_by(const ActorRef<Tally>& ref, int by) { return get_soon(ref.call(&Tally::add, by)); }

/// The exit code of a child that calls f(); 255 when it throws.
template <class F>
int code_of_fork(F f) {
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            ::_exit(f());
        } catch (...) { ::_exit(255); }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

template <class F>
std::string refusal_of(F f) {
    try {
        f();
    } catch (const CodecError& error) { return error.what(); }
    return {};
}

struct Relay {
    ActorRef<Tally> to;
    int pass(int by) { return add_by(to, by); }
};

TEST_CASE("ACT-50 every process of the program calls an actor by a reference") {
    Pool before{2};
    auto tally = actor<Tally>();
    const ActorRef<Tally> ref = tally.ref();
    Pool after{1};
    int sum = 0;
    CHECK(before.apply([ref] { return add_by(ref, 1); }) == ++sum);
    CHECK(before.apply(add_by, ref, 1) == ++sum);
    CHECK(after.apply(add_by, ref, 1) == ++sum);
    CHECK(add_by(ref, 1) == ++sum);
    Process process{[ref] { return add_by(ref, 1); }};
    process.join();
    CHECK(process.exit_status().code() == ++sum);
    CHECK(code_of_fork([ref] { return add_by(ref, 1); }) == ++sum);
    CHECK(code_of_fork([ref] { return code_of_fork([ref] { return add_by(ref, 1); }); }) == ++sum);
    CHECK(fork_map([ref](int by) { return add_by(ref, by); }, std::vector{1}) == std::vector{++sum});
    auto relay = actor<Relay>(ref);
    CHECK(relay.call(&Relay::pass, 1).get() == ++sum);
    CHECK(before.map([ref](int by) { return add_by(ref, by); }, std::vector(20, 1)).size() == 20);
    CHECK(add_by(ref, 0) == sum + 20);
    CHECK(before.apply([ref] { return ref.is_alive(); }));
    CHECK(before.apply([ref](ActorRef<Tally> other) { return ref == other; }, ref));
    ThreadPool threads{2};
    CHECK(threads.apply(add_by, ref, 1) == sum + 21);
}

TEST_CASE("ACT-51 calls of another process run in its order and in full") {
    auto tally = actor<Tally>();
    Pool callers{2};
    constexpr int each = 1000;  // more than there are slots for
    callers.for_each(
        [ref = tally.ref()](int first) {
            std::vector<Future<void>> unread;
            for (int i = 0; i < each; ++i) { unread.push_back(ref.call(&Tally::note, first + i)); }
            for (Future<void>& one : unread) { get_soon(one); }
        },
        std::vector{0, each});
    const std::vector<int> notes = tally.call(&Tally::all_notes).get();
    CHECK(notes.size() == 2 * each);
    for (int caller = 0; caller < 2; ++caller) {
        std::vector<int> own;
        std::ranges::copy_if(notes, std::back_inserter(own), [&](int note) { return note / each == caller; });
        CHECK(own.size() == each);
        CHECK(std::ranges::is_sorted(own));
    }
}

TEST_CASE("ACT-52 exceptions and labels and large values pass between processes") {
    auto tally = actor<Tally>();
    Pool pool{1};
    pool.apply([ref = tally.ref()] {
        try {
            get_soon(ref.call(&Tally::fail, "because"));
            throw std::logic_error("no exception");
        } catch (const std::invalid_argument& error) {
            if (error.what() != std::string("because")) { throw; }
        }
        const std::string large(1000000, 'x');
        if (get_soon(ref.call([](Tally&, std::string text) { return text + "y"; }, large)) != large + "y") {
            throw std::logic_error("a large value is another one");
        }
        if (get_soon(ref.call(TaskOptions{.label = "label"}, &Tally::value)) != 0) { throw std::logic_error("value"); }
    });
    CHECK_THROWS_AS(
        pool.apply([ref = tally.ref()] { static_cast<void>(ref.call(TaskOptions{.retries = 1}, &Tally::value)); }),
        std::invalid_argument);
    auto late = pool.apply_async([ref = tally.ref()] {
        get_soon(ref.call(TaskOptions{.timeout = 20ms}, [](Tally&) { std::this_thread::sleep_for(1h); }));
    });
    CHECK_THROWS_AS(get_soon(late), TaskTimedOut);
    CHECK_THROWS_AS(pool.apply(add_by, tally.ref(), 1), ActorDied);
}

TEST_CASE("ACT-53 the death of the actor is told to callers in other processes and a restart serves those that wait") {
    Job job;
    Pool pool{3};
    auto tally = actor<Tally>(ActorOptions{.restarts = 1}, 10);
    const ActorRef<Tally> ref = tally.ref();
    for (const bool last : {false, true}) {
        auto runs = pool.apply_async(
            [ref](Counter running, Gate end) {
                ref.call(
                       [](Tally&, Counter started, Gate may_end) {
                           started.add();
                           may_end.wait();
                       },
                       running, end)
                    .get();
            },
            job.started, job.may_end);
        job.started.wait_for(++job.begun);
        const Counter submitted{job.page};
        std::vector<Future<int>> wait;
        for (int i = 0; i < 2; ++i) {
            wait.push_back(pool.apply_async(
                [ref](Counter count) {
                    auto future = ref.call(&Tally::add, 1);
                    count.add();
                    return future.get();
                },
                submitted));
        }
        submitted.wait_for(2);
        REQUIRE(send_signal(tally.pid(), SIGKILL));
        CHECK_THROWS_AS(get_soon(runs), ActorDied);
        if (last) {
            for (Future<int>& one : wait) { CHECK_THROWS_AS(get_soon(one), ActorDied); }
            CHECK_THROWS_AS(pool.apply(add_by, ref, 1), ActorDied);
        } else {
            CHECK(get_soon(wait[0]) + get_soon(wait[1]) == 23);
        }
    }
}

TEST_CASE("ACT-54 callers that are killed at random cost nothing but their calls") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    auto tally = actor<Tally>();
    const ActorRef<Tally> ref = tally.ref();
    const auto calls_on = [ref] {
        for (int i = 0;; ++i) {
            auto first = ref.call(&Tally::add, 1);
            static_cast<void>(
                ref.call([](Tally&, const std::string&) {}, std::string(static_cast<std::size_t>(i % 7) * 100, 'x')));
            first.get();
        }
    };
    for (std::size_t kills = times(60); kills != 0; --kills) {
        Process caller{calls_on};
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
        caller.kill();
        caller.join();
    }
    for (int i = 0; i < 1000; ++i) { REQUIRE(add_by(ref, 0) >= 0); }  // all slots are taken again
    Process last{[ref] {
        for (int i = 0; i < 1000; ++i) { add_by(ref, 0); }
    }};
    last.join();
    CHECK(last.exit_status().code() == 0);
}

TEST_CASE("ACT-55 actors that are killed at random while they are called leave no caller waiting") {
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random{seed};
    SharedPage page;
    const Gate enough{page};
    Pool callers{2};
    auto tally = actor<Tally>(ActorOptions{.restarts = ActorOptions::max_restarts});
    std::vector<Future<int>> running;
    for (int i = 0; i < 2; ++i) {
        running.push_back(callers.apply_async(
            [ref = tally.ref()](Gate end) {
                int served = 0;
                while (!end.is_set()) {
                    try {
                        get_soon(ref.call(&Tally::add, 1));
                        ++served;
                    } catch (const ActorDied&) {}
                }
                return served;
            },
            enough));
    }
    for (std::size_t kills = times(100); kills != 0; --kills) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 2000});
        send_signal(tally.pid(), SIGKILL);
    }
    enough.set();
    for (Future<int>& one : running) { CHECK(get_soon(one) > 0); }
    CHECK(get_soon(tally.call(&Tally::add, 0)) >= 0);
}

TEST_CASE("ACT-56 a call may call its own actor but not wait for that - processes") {
    is_not_called_within_a_call<ForkEngine>();
}

TEST_CASE("ACT-57 references to actors that have ended or cannot be reached are refused") {
    Pool pool{1};
    ActorRef<Tally> ref;
    {
        auto tally = actor<Tally>();
        ref = tally.ref();
        tally.stop();
        CHECK_THROWS_AS(pool.apply(add_by, ref, 1), PoolClosed);
    }
    CHECK_THROWS_AS(pool.apply(add_by, ref, 1), PoolClosed);
    auto others = actor<Tally>();  // has its place
    CHECK_THROWS_AS(pool.apply(add_by, ref, 1), PoolClosed);
    CHECK_FALSE(pool.apply([ref] { return ref.is_alive(); }));
    const auto up = [] { return actor<Tally>().ref(); };
    const auto sideways = [to = others.ref()] {
        const auto own = actor<Tally>();
        static_cast<void>(to.call([](Tally&, ActorRef<Tally> from) { return from.is_alive(); }, own.ref()));
    };
    for (const std::string& refusal :
         {refusal_of([&] { static_cast<void>(pool.apply(up)); }), refusal_of([&] { pool.apply(sideways); })}) {
        CHECK_THAT(refusal, Catch::ContainsSubstring("ActorRef<procpool_test::Tally> names an actor that the receiver "
                                                     "cannot reach") &&
                                Catch::ContainsSubstring("make the actor in the program itself"));
    }
    auto in_thread = actor<Tally, ThreadEngine>();
    CHECK_THROWS_AS(pool.apply(add_by, in_thread.ref(), 1), std::logic_error);
    CHECK(add_by(in_thread.ref(), 1) == 1);
}

/// Returns: the times that the threads of a process have given the processor away.
long switches_of(pid_t process) {
    long sum = 0;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
        std::ifstream status{entry.path() / "status"};
        for (std::string line; std::getline(status, line);) {
            constexpr std::string_view name = "voluntary_ctxt_switches:";
            if (line.starts_with(name)) { sum += std::stol(line.substr(name.size())); }
        }
    }
    return sum;
}

TEST_CASE("ACT-59 a process that waits for calls sleeps") {
    Job job;
    auto tally = actor<Tally>();
    const ActorRef<Tally> ref = tally.ref();
    auto holds = job.begin(tally);
    const Counter at_it{job.page};
    const auto wait_for_any = [&] {
        std::vector<Future<int>> futures;
        for (int i = 0; i < 2; ++i) { futures.push_back(ref.call(&Tally::add, 1)); }
        at_it.add();
        static_cast<void>(wait_any(futures));
    };
    const auto continues = [&] {
        auto future = ref.call(&Tally::add, 1).then([](int n) { return n; });
        at_it.add();
        future.get();
    };
    const auto finds_no_room = [&] {
        std::vector<Future<int>> futures;
        at_it.add();
        for (int i = 0; i < 1000; ++i) { futures.push_back(ref.call(&Tally::add, 1)); }
    };
    std::vector<std::unique_ptr<Process>> callers;
    callers.push_back(std::make_unique<Process>(wait_for_any));
    at_it.wait_for(1);
    callers.push_back(std::make_unique<Process>(continues));
    at_it.wait_for(2);
    callers.push_back(std::make_unique<Process>(finds_no_room));
    at_it.wait_for(3);
    for (const auto& caller : callers) {
        wait_until([&] { return is_asleep_on_futex(caller->pid()); }, "a sleeper");
        const long before = switches_of(caller->pid());
        std::this_thread::sleep_for(500ms);
        CHECK(switches_of(caller->pid()) - before < 50);  // a look at most in 100 ms, by each of two threads
    }
    job.may_end.set();
    get_soon(holds);
    for (const auto& caller : callers) {
        caller->join();
        CHECK(caller->exit_status().code() == 0);
    }
}

TEST_CASE("ACT-60 any number of cancelled calls behind a long one keep no other call waiting") {
    Job job;
    auto tally = actor<Tally>();
    auto holds = job.begin(tally);
    const Counter submitted{job.page};
    Process caller{[ref = tally.ref(), submitted] {
        constexpr int many = under_sanitizer ? 1'000 : 20'000;
        std::vector<Future<void>> notes;
        int cancelled = 0;
        for (int note = 1; note <= 3; ++note) {
            notes.push_back(ref.call(&Tally::note, note));
            for (int i = 0; i < many; ++i) { cancelled += ref.call(&Tally::note, 0).cancel() ? 1 : 0; }
        }
        submitted.add();
        for (Future<void>& one : notes) { get_soon(one); }
        return cancelled == 3 * many ? 0 : 1;
    }};
    submitted.wait_for(1);
    job.may_end.set();
    get_soon(holds);
    caller.join();
    CHECK(caller.exit_status().code() == 0);
    CHECK(tally.call(&Tally::all_notes).get() == std::vector{1, 2, 3});
}

TEST_CASE("ACT-61 references to an actor that another one has replaced are told so in other processes") {
    Pool pool{1};
    auto first = actor<Tally>(1);
    auto second = actor<Tally>(2);
    const ActorRef<Tally> ref = first.ref();
    const ActorRef<Tally> other = second.ref();
    first = std::move(second);  // it keeps the place of the first one
    CHECK_THROWS_AS(pool.apply(add_by, ref, 1), PoolClosed);
    CHECK_FALSE(pool.apply([ref] { return ref.is_alive(); }));
    CHECK(pool.apply(add_by, other, 1) == 3);
}

TEST_CASE("ACT-58 a worker has actors of its own which its children call") {
    Pool pool{1};
    CHECK(pool.apply([] {
        auto tally = actor<Tally>(4);
        const ActorRef<Tally> ref = tally.ref();
        Process child{[ref] { return add_by(ref, 2); }};
        child.join();
        return child.exit_status().code() + add_by(ref, 1);
    }) == 6 + 7);
}

}  // namespace
