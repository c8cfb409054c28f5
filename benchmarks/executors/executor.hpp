// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Executor: the one shape in which the configurations of the workloads see their competitors; and what can be done
/// with any of them.

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace benchmarks {

/// submit(f, args...) starts f(args...) somewhere and returns something with get(). Constructed from the number of
/// workers. An executor may also have
///   within(f)              calls f() where submissions are cheapest for it;
///   for_ranges(n, body)    calls body(first, last) for parts of 0 ... n, its own way;
///   static slowness        by how much less it is asked to do, so that a round stays short: figures are per task;
///   static in_flight       how many tasks it can have unfinished;
///   static thread_per_task that it has as many threads as tasks: then it gets no more of them at a time than others
///   have workers.
template <class E>
concept Executor = std::constructible_from<E, std::size_t> && requires(E& executor) {
    {
        executor.submit([](int x) { return x; }, 1).get()
        } -> std::same_as<int>;
};

template <class E>
constexpr std::size_t slowness() {
    if constexpr (requires { E::slowness; }) {
        return E::slowness;
    } else {
        return 1;
    }
}

template <class E>
constexpr std::size_t in_flight() {
    if constexpr (requires { E::in_flight; }) {
        return E::in_flight;
    } else {
        return ~std::size_t{0};
    }
}

template <class E, class F>
void within(E& executor, F f) {
    if constexpr (requires { executor.within(f); }) {
        executor.within(f);
    } else {
        f();
    }
}

/// Calls body(first, last) for parts of 0 ... n, several for each worker, so that unequal parts do not matter much.
template <class E, class Body>
void for_ranges(E& executor, std::size_t workers, std::size_t n, Body body) {
    if constexpr (requires { executor.for_ranges(n, body); }) {
        executor.for_ranges(n, body);
    } else {
        constexpr bool thread_per_task = requires { E::thread_per_task; };
        const std::size_t parts = std::min(n, thread_per_task ? workers : 4 * workers);
        const auto run = [&body](std::size_t first, std::size_t last) { body(first, last); };
        std::vector<decltype(executor.submit(run, std::size_t{}, std::size_t{}))> futures;
        for (std::size_t i = 0; i < parts; ++i) {
            futures.push_back(executor.submit(run, n * i / parts, n * (i + 1) / parts));
        }
        for (auto& future : futures) { future.get(); }
    }
}

/// f(item) for every item, in a new vector.
template <class E, class F, class Item>
auto map(E& executor, std::size_t workers, F f, const std::vector<Item>& items) {
    std::vector<std::invoke_result_t<F, const Item&>> results(items.size());
    for_ranges(executor, workers, items.size(), [&](std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last; ++i) { results[i] = f(items[i]); }
    });
    return results;
}

}  // namespace benchmarks
