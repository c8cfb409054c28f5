// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: calls of an actor, beside tasks of a pool with one worker, in turns; and a crash to its successor.

#include "../common.hpp"
#include "../turns.hpp"

#include <procpool/procpool.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sched.h>

namespace {

using namespace benchmarks;
using procpool::Future;

/// The CPUs of the calling thread, which the destructor gives it back. Where there is a choice, the scheduler puts one
/// worker beside its caller and another one onto its caller's CPU, for the whole run: a matter of 0.5 or 3.8 us a call.
/// So who is called stays on the last CPU, and who calls on the first.
class Cpus {
public:
    Cpus() { require(::sched_getaffinity(0, sizeof before_, &before_) == 0, "sched_getaffinity"); }
    Cpus(const Cpus&) = delete;
    Cpus& operator=(const Cpus&) = delete;
    ~Cpus() { ::sched_setaffinity(0, sizeof before_, &before_); }

    void stay_on_first() const {
        int one = 0;
        while (!CPU_ISSET(one, &before_)) { ++one; }
        stay_on(one);
    }
    void stay_on_last() const {
        int one = CPU_SETSIZE - 1;
        while (!CPU_ISSET(one, &before_)) { --one; }
        stay_on(one);
    }

private:
    static void stay_on(int one) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(one, &set);
        require(::sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
    }
    cpu_set_t before_;
};

struct Number {
    explicit Number(const Cpus& all) { all.stay_on_last(); }
    int add(int by) { return value += by; }
    int value = 0;
};
/// A thread that calls, while it lives.
struct Caller {
    Caller() { cpus.stay_on_first(); }
    Cpus cpus;
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
        const auto calls = arguments.pick<std::size_t>(50, 2000, 5000);
        const auto many = arguments.pick<std::size_t>(200, 20'000, 50'000);
        procpool::ProcessPool callers{2};
        const Cpus all;
        procpool::ProcessPool pool{procpool::PoolOptions{.workers = 1, .initializer = [&all] { all.stay_on_last(); }}};
        const auto number = procpool::actor<Number>({.queue_capacity = 4096}, std::cref(all));
        const auto ref = number.ref();
        Turns turns{arguments.pick<std::size_t>(1, 11, 31)};
        turns.add("call and get: ProcessPool::apply", calls, [&] {
            const Caller here;
            return seconds([&] {
                for (std::size_t i = 0; i < calls; ++i) { require(pool.apply(add_to_one, 1) == 2, "a wrong sum"); }
            });
        });
        turns.add("call and get: Actor", calls, [&] {
            const Caller here;
            return seconds([&] {
                for (std::size_t i = 0; i < calls; ++i) {
                    require(number.call(&Number::add, 1).get() > 0, "a wrong sum");
                }
            });
        });
        const auto in_caller = [ref](std::size_t count) {
            const Caller here;
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
