// expect-errors
// SPDX-License-Identifier: BSL-1.0
// As map_mistakes.cpp: what is no range or no function, and too few or too many of either.
#include <procpool/procpool.hpp>

#include <list>
#include <string>
#include <vector>

int thrice(int n) { return 3 * n; }
int add(int a, int b) { return a + b; }

void use(procpool::Pool& pool, const std::vector<int>& numbers) {
    // expect-error: is no range.*for n numbers std::views::iota.0, n.
    const auto first = pool.map(thrice, 5U);
    // expect-error: is no range.*for two iterators std::ranges::subrange.first, last.
    const auto second = pool.imap(thrice, numbers.begin(), numbers.end());
    // expect-error: what was given as the function cannot be called: the function comes first
    const auto third = pool.map(numbers, thrice);
    // expect-error: what was given as the function cannot be called: the function comes first
    const auto fourth = pool.map(std::vector<char>{}, numbers);
    // expect-error: map_reduce.. takes two functions, the value to begin with and one range
    const auto fifth = pool.map_reduce(thrice, add, numbers);
    // expect-error: map_reduce.. takes two functions, the value to begin with and one range
    const int sixth = pool.map_reduce(procpool::MapOptions{}, thrice, add, numbers);
    // expect-error: map_into.. takes a function, one range and a contiguous range of the same size
    pool.map_into(thrice, numbers);
    // expect-error: map_into.. takes a function, one range and a contiguous range of the same size
    pool.map_into(procpool::MapOptions{}, thrice, numbers, std::list<int>(3));
    // expect-error: starmap.. takes a function and one range of tuples.*several ranges are for map..
    const auto seventh = pool.starmap(add, numbers, numbers);
    // expect-error: starmap_async.. takes a function and one range of tuples
    const auto eighth = pool.starmap_async(add);
    // expect-error: map_reduce.. begins each block with what the first function returns
    const auto ninth =
        pool.map_reduce([](int n) { return std::to_string(n); },
                        [](int a, const std::string& b) { return a + static_cast<int>(b.size()); }, 0, numbers);
    // expect-error: the second function of map_reduce.. cannot be called with .init, what the first function returns.
    const auto tenth = pool.map_reduce(
        thrice, [](int a, const std::string& b) { return a + std::stoi(b); }, 0, numbers);
    // expect-error: map_reduce.. folds what the first function returns, and it returns nothing
    const auto eleventh = pool.map_reduce([](int) {}, add, 0, numbers);
}
