// SPDX-License-Identifier: BSL-1.0
// Shared memory: what lies there is at the same address in every process, and is not copied.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <atomic>
#include <numeric>
#include <ranges>
#include <span>

int main() {
    procpool::ProcessPool pool{2};

    // [shared]
    // A function that takes a T& changes the elements in place.
    procpool::SharedArray<double> numbers{1'000'000};
    std::iota(numbers.begin(), numbers.end(), 1.0);
    pool.for_each([](double& x) { x *= 2; }, numbers);
    // [/shared]
    fmt::print("the last number is {}\n", numbers[999'999]);

    // map_into() writes results where they belong.
    procpool::SharedArray<int> digits{10};
    pool.map_into([](int i) { return 9 - i; }, std::views::iota(0, 10), digits);
    fmt::print("{}\n", fmt::join(digits, " "));

    // [shared]
    // Given to a task, a SharedArray arrives as a span of the same memory; a part of it can be given as well.
    const auto sum = [](std::span<const double> part) { return std::accumulate(part.begin(), part.end(), 0.0); };
    auto first_half = pool.apply_async(sum, numbers.span().first(500'000));
    auto second_half = pool.apply_async(sum, numbers.span().last(500'000));
    // [/shared]
    fmt::print("the sum is {}\n", first_half.get() + second_half.get());

    // One object for all: values that several processes change at a time must be atomic.
    procpool::Shared<std::atomic<int>> multiples_of_seven{0};
    pool.for_each([count = multiples_of_seven.get()](int n) { *count += n % 7 == 0 ? 1 : 0; },
                  std::views::iota(1, 1001));
    fmt::print("{} multiples of 7 up to 1000\n", multiples_of_seven->load());
}
