// SPDX-License-Identifier: BSL-1.0
/// \file
/// shapes: what tasks and calls look like in programs, to the cheapest shape. All of them are procpool's own, and take
/// turns in one program; the figures are the least of the rounds.

#include "../common.hpp"
#include "../turns.hpp"

#include <procpool/procpool.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace benchmarks;
using std::views::iota;

int increment(int x) { return x + 1; }
struct Forty {
    std::array<std::int64_t, 5> numbers;
};
constexpr auto plain = [](int x) { return x + 1; };
constexpr auto of_three = [](int x, int, int) { return x + 1; };
constexpr auto of_forty = [](Forty x) { return static_cast<int>(x.numbers[0]) + 1; };
constexpr auto of_text = [](std::string text) { return text; };
const std::string twenty_four(24, 'x');

/// Submits tasks, then collects them. submit: gets the task's number; is_right: its result and the number.
template <class T, class Submit, class IsRight>
double submit_and_collect(std::vector<procpool::Future<T>>& futures, Submit submit, IsRight is_right) {
    bool right = true;
    const double took = seconds([&] {
        for (int i = 0; auto& future : futures) { future = submit(i++); }
        for (int i = 0; auto& future : futures) { right = is_right(future.get(), i++) && right; }
    });
    require(right, "wrong result");
    return took;
}

void measure_tasks(const Arguments& arguments) {
    procpool::Pool pool{arguments.workers};
    const std::size_t count = arguments.pick<std::size_t>(500, 2000, 2000);
    std::vector<procpool::Future<int>> numbers(count);
    std::vector<procpool::Future<std::string>> texts(count);
    const auto add = [&](Turns& turns, const char* name, auto submit) {
        turns.add(name, count, [&numbers, submit] {
            return submit_and_collect(numbers, submit, [](int result, int i) { return result == i + 1; });
        });
    };
    Turns turns{arguments.pick<std::size_t>(2, 50, 300)};
    add(turns, "a task: a lambda and an int", [&](int i) { return pool.apply_async(plain, i); });
    add(turns, "a task: a function", [&](int i) { return pool.apply_async(increment, i); });
    add(turns, "a task: three ints", [&](int i) { return pool.apply_async(of_three, i, 2, 3); });
    add(turns, "a task: a struct of 40 bytes", [&](int i) { return pool.apply_async(of_forty, Forty{{i}}); });
    turns.add("a task: 24 characters there and back", count, [&] {
        return submit_and_collect(
            texts, [&](int) { return pool.apply_async(of_text, twenty_four); },
            [](const std::string& result, int) { return result == twenty_four; });
    });
    turns.run_and_report();
}

/// A program's first tasks: their futures are added one by one.
void measure_fresh(const Arguments& arguments) {
    std::unique_ptr<procpool::Pool> pool;
    std::vector<procpool::Future<int>> futures;
    const auto run = [&](std::size_t count) {
        std::int64_t sum = 0;
        const double took = seconds([&] {
            for (int i = 0; i < static_cast<int>(count); ++i) { futures.push_back(pool->apply_async(plain, i)); }
            for (auto& future : futures) { sum += future.get(); }
        });
        futures.clear();
        require(sum == static_cast<std::int64_t>(count * (count + 1) / 2), "wrong sum");
        return took;
    };
    for (const auto& [count, text] :
         {std::pair{10'000, "10,000"}, std::pair{100'000, "100,000"}, std::pair{1'000'000, "1,000,000"}}) {
        const auto n = static_cast<std::size_t>(count);
        Turns turns{arguments.pick<std::size_t>(1, 5, std::max<std::size_t>(3, 2'000'000 / n))};
        turns.add(std::string(text) + " tasks, fresh pool and vector of futures", n, [&, n] {
            futures = std::vector<procpool::Future<int>>{};
            pool.reset();
            pool = std::make_unique<procpool::Pool>(arguments.workers);
            pool->broadcast([] {});
            return run(n);
        });
        turns.add(std::string(text) + " tasks, the same pool and vector again", n, [&, n] { return run(n); });
        turns.run_and_report();
        if (arguments.size == Size::tiny) { break; }
    }
}

void measure_imap(const Arguments& arguments) {
    procpool::Pool pool{arguments.workers};
    const int count = arguments.pick(1000, 20'000, 20'000);
    const auto items = iota(0, count);
    const auto sums_up = [&](auto each) {
        return [&pool, items, count, each] {
            std::int64_t sum = 0;
            const double took = seconds([&] { each(pool, items, sum); });
            require(sum == std::int64_t{count} * (count + 1) / 2, "wrong sum");
            return took;
        };
    };
    const auto n = static_cast<std::size_t>(count);
    Turns turns{arguments.pick<std::size_t>(2, 20, 100)};
    turns.add("cheap items by imap", n, sums_up([](procpool::Pool& on, auto all, std::int64_t& sum) {
                  for (const int result : on.imap(plain, all)) { sum += result; }
              }));
    turns.add("cheap items by imap_unordered", n, sums_up([](procpool::Pool& on, auto all, std::int64_t& sum) {
                  for (const auto& result : on.imap_unordered(plain, all)) { sum += result.value; }
              }));
    turns.add("cheap items by map", n, sums_up([](procpool::Pool& on, auto all, std::int64_t& sum) {
                  for (const int result : on.map(plain, all)) { sum += result; }
              }));
    turns.add("cheap items by a window of 1,000 futures", n,
              sums_up([](procpool::Pool& on, auto all, std::int64_t& sum) {
                  std::deque<procpool::Future<int>> window;
                  const auto take = [&] {
                      sum += window.front().get();
                      window.pop_front();
                  };
                  for (const int item : all) {
                      window.push_back(on.apply_async(plain, item));
                      if (window.size() > 1000) { take(); }
                  }
                  while (!window.empty()) { take(); }
              }));
    turns.run_and_report();
}

/// Returns: how long it took.
template <class Rep, class Period>
std::int64_t work_for(std::chrono::duration<Rep, Period> time) {
    const Clock::time_point start = Clock::now();
    Clock::time_point now = start;
    while (now - start < time) { now = Clock::now(); }
    return (now - start).count();
}

void measure_idle_time(const Arguments& arguments) {
    procpool::Pool pool{arguments.workers};
    const int count = arguments.pick(10, 100, 500);
    double least = 100;
    for (int round = 0; round < arguments.pick(1, 3, 5); ++round) {
        double busy = 0;
        const double took = seconds([&] {
            const auto item = [](int) { return work_for(std::chrono::milliseconds{1}); };
            for (const std::int64_t spent : pool.imap(item, iota(0, count))) {
                busy += static_cast<double>(spent) * 1e-9;
            }
        });
        least = std::min(least, 100 * (1 - busy / (took * static_cast<double>(arguments.workers))));
    }
    report("imap of items of 1 ms: idle time of workers", least, "%");
}

void measure_reduce(const Arguments& arguments) {
    procpool::Pool pool{arguments.workers};
    const auto item = [](int n) {
        work_for(std::chrono::microseconds{200});
        return n;
    };
    Turns turns{arguments.pick<std::size_t>(1, 3, 7)};
    for (const int count : {2, 20, 200, 2000}) {
        const std::string text = std::to_string(count) + " items of 200 µs by ";
        turns.add(text + "map", static_cast<std::size_t>(count),
                  [&pool, item, count] { return seconds([&] { pool.map(item, iota(0, count)); }); });
        turns.add(text + "map_reduce", static_cast<std::size_t>(count), [&pool, item, count] {
            std::int64_t sum = 0;
            const double took =
                seconds([&] { sum = pool.map_reduce(item, std::plus<>{}, std::int64_t{0}, iota(0, count)); });
            require(sum == std::int64_t{count} * (count - 1) / 2, "wrong sum");
            return took;
        });
        if (arguments.size == Size::tiny) { break; }
    }
    turns.run_and_report();
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        measure_tasks(arguments);
        measure_fresh(arguments);
        measure_imap(arguments);
        measure_idle_time(arguments);
        measure_reduce(arguments);
    });
}
