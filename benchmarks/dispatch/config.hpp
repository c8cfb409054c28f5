// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// dispatch: the cost of submitting a task that does next to nothing, and of getting its result.

#include "../common.hpp"
#include "../executors/executor.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace benchmarks::dispatch {

constexpr const char* round_trip = "round trip of an empty task";
constexpr const char* tasks_with_results = "a million tasks with results, submitted, then collected";
constexpr const char* two_submitters = "the same from two threads";
constexpr const char* many_futures = "10,000 futures, waited for from last to first";

inline std::size_t tasks(const Arguments& arguments) { return arguments.pick<std::size_t>(2000, 200'000, 1'000'000); }

constexpr auto increment = [](std::uint32_t x) { return x + 1; };

template <class E>
using Result = decltype(std::declval<E&>().submit(increment, std::uint32_t{}));

/// Submits tasks first ... last - 1, as many at a time as the executor can take, and collects each lot. Returns: the
/// sum.
template <Executor E>
std::uint64_t submit_and_collect(E& executor, std::vector<std::optional<Result<E>>>& results, std::size_t first,
                                 std::size_t last) {
    std::uint64_t sum = 0;
    for (std::size_t lot = first; lot < last;) {
        const std::size_t end = std::min(last, lot + std::min(in_flight<E>(), last - lot));
        for (std::size_t i = lot; i < end; ++i) {
            results[i].emplace(executor.submit(increment, static_cast<std::uint32_t>(i)));
        }
        for (std::size_t i = lot; i < end; ++i) { sum += results[i]->get(); }
        lot = end;
    }
    return sum;
}

inline std::uint64_t sum_to(std::size_t n) { return std::uint64_t{n} * (n + 1) / 2; }

template <Executor E>
void measure_round_trip(E& executor, const Arguments& arguments) {
    const std::size_t count =
        std::max<std::size_t>(200, arguments.pick<std::size_t>(2000, 50'000, 100'000) / slowness<E>());
    const auto empty = [] {};
    for (std::size_t i = 0; i < std::min<std::size_t>(count, 1000); ++i) { executor.submit(empty).get(); }
    report(round_trip,
           nanoseconds_each(count,
                            [&] {
                                for (std::size_t i = 0; i < count; ++i) { executor.submit(empty).get(); }
                            }),
           "ns");
}

template <Executor E>
void measure_tasks(E& executor, const Arguments& arguments) {
    const std::size_t count = tasks(arguments) / slowness<E>();
    std::vector<std::optional<Result<E>>> results(count);
    submit_and_collect(executor, results, 0, std::min<std::size_t>(count, 10'000));
    std::uint64_t sum = 0;
    report(tasks_with_results,
           nanoseconds_each(count,
                            [&] { within(executor, [&] { sum = submit_and_collect(executor, results, 0, count); }); }),
           "ns");
    require(sum == sum_to(count), "wrong sum");
}

template <Executor E>
void measure_two_submitters(E& executor, const Arguments& arguments) {
    const std::size_t count = tasks(arguments) / slowness<E>();
    std::vector<std::optional<Result<E>>> results(count);
    std::uint64_t sums[2] = {};
    const auto half = [&](std::size_t number) {
        within(executor, [&, number] {
            sums[number] = submit_and_collect(executor, results, number * (count / 2), (number + 1) * (count / 2));
        });
    };
    report(two_submitters,
           nanoseconds_each(count,
                            [&] {
                                std::thread other{half, 1};
                                half(0);
                                other.join();
                            }),
           "ns");
    require(sums[0] + sums[1] == sum_to(count / 2 * 2), "wrong sum");
}

template <Executor E>
void measure_many_futures(E& executor, const Arguments& arguments) {
    const std::size_t count = std::min(in_flight<E>(), arguments.pick<std::size_t>(1000, 10'000, 10'000));
    std::vector<std::optional<Result<E>>> results(count);
    std::uint64_t sum = 0;
    report(many_futures,
           nanoseconds_each(count,
                            [&] {
                                within(executor, [&] {
                                    for (std::size_t i = 0; i < count; ++i) {
                                        results[i].emplace(executor.submit(increment, static_cast<std::uint32_t>(i)));
                                    }
                                    for (std::size_t i = count; i > 0; --i) { sum += results[i - 1]->get(); }
                                });
                            }),
           "ns");
    require(sum == sum_to(count), "wrong sum");
}

/// A competitor's main(). An executor that only one thread may use leaves the two submitters out.
template <Executor E, bool MayShare = true>
int run(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        E executor{arguments.workers};
        measure_round_trip(executor, arguments);
        measure_tasks(executor, arguments);
        if constexpr (MayShare) { measure_two_submitters(executor, arguments); }
        measure_many_futures(executor, arguments);
    });
}

}  // namespace benchmarks::dispatch
