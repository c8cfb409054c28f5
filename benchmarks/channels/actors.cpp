// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: calls of an actor, beside tasks of a pool with one worker, in turns; and a crash to its successor.

#include "../common.hpp"
#include "../turns.hpp"

#include <procpool/procpool.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace benchmarks;
using procpool::Future;

struct Number {
    int value = 0;
    int add(int by) { return value += by; }
};
int add_to_one(int by) { return 1 + by; }

/// Submits `count` calls, and takes their results.
template <class Submit>
void run(std::size_t count, Submit submit) {
    std::vector<Future<int>> futures;
    futures.reserve(count);
    for (std::size_t i = 0; i < count; ++i) { futures.push_back(submit()); }
    for (Future<int>& one : futures) { require(one.get() > 0, "a wrong sum"); }
}

struct Life {
    std::atomic<std::int64_t> begun;
    std::atomic<std::int64_t> ended;
};
std::int64_t now() { return Clock::now().time_since_epoch().count(); }

struct Mortal {
    explicit Mortal(Life* times) : life(times) { life->begun.store(now()); }
    void crash() {
        life->ended.store(now());
        ::raise(SIGSEGV);
    }
    Life* life;
};

void report_recovery(std::size_t count) {
    const procpool::Shared<Life> life;
    auto mortal = procpool::actor<Mortal>({.restarts = 10000}, life.get());
    std::vector<double> took;
    for (std::size_t i = 0; i < count; ++i) {
        try {
            mortal.call(&Mortal::crash).get();
        } catch (const procpool::ActorDied&) {}
        mortal.call([](Mortal&) {}).get();
        took.push_back(static_cast<double>(life->begun.load() - life->ended.load()));
    }
    report("a crash of an actor to its successor's constructor", median(took), "ns");
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const auto calls = arguments.pick<std::size_t>(50, 2000, 10'000);
        const auto many = arguments.pick<std::size_t>(200, 20'000, 100'000);
        procpool::ProcessPool callers{2};
        procpool::ProcessPool pool{1};
        const auto number = procpool::actor<Number>({.queue_capacity = 4096});
        const auto ref = number.ref();
        Turns turns{arguments.pick<std::size_t>(1, 5, 11)};
        turns.add("call and get: ProcessPool::apply", calls, [&] {
            return seconds([&] {
                for (std::size_t i = 0; i < calls; ++i) { require(pool.apply(add_to_one, 1) == 2, "a wrong sum"); }
            });
        });
        turns.add("call and get: Actor", calls, [&] {
            return seconds([&] {
                for (std::size_t i = 0; i < calls; ++i) {
                    require(number.call(&Number::add, 1).get() > 0, "a wrong sum");
                }
            });
        });
        const auto in_caller = [ref](std::size_t count) {
            return seconds([&] {
                for (std::size_t i = 0; i < count; ++i) { require(ref.call(&Number::add, 1).get() > 0, "a wrong sum"); }
            });
        };
        turns.add("call and get: ActorRef in another process", calls, [&] { return callers.apply(in_caller, calls); });
        turns.add("calls without waiting: apply_async", many,
                  [&] { return seconds([&] { run(many, [&] { return pool.apply_async(add_to_one, 1); }); }); });
        turns.add("calls without waiting: Actor", many,
                  [&] { return seconds([&] { run(many, [&] { return number.call(&Number::add, 1); }); }); });
        // The slots of guests are fewer, so they take results in between.
        constexpr std::size_t together = 100;
        const auto by_guest = [ref](std::size_t count) {
            for (std::size_t done = 0; done < count; done += together) {
                run(together, [&] { return ref.call(&Number::add, 1); });
            }
        };
        turns.add("calls without waiting: ActorRef, one caller", many,
                  [&] { return seconds([&] { callers.apply(by_guest, many); }); });
        turns.add("calls without waiting: ActorRef, two callers", many, [&] {
            return seconds([&] { callers.for_each({.chunk_size = 1}, by_guest, std::vector{many / 2, many / 2}); });
        });
        turns.run_and_report();
        report_recovery(arguments.pick<std::size_t>(3, 50, 300));
    });
}
