// expect-errors
// SPDX-License-Identifier: BSL-1.0
// As apply_mistakes.cpp, for calls over many items.
#include <procpool/procpool.hpp>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

int thrice(int n) { return 3 * n; }
int add(int a, int b) { return a + b; }

void use(procpool::Pool& pool, const std::vector<int>& numbers, const std::string& text,
         const std::map<std::string, int>& limits) {
    // expect-error: is no range.*write procpool::repeat.value. for one value with every item
    const auto first =
        pool.map([](int n, const std::map<std::string, int>& all) { return n + all.at("x"); }, numbers, limits.at("x"));
    // expect-error: an item of range 1 does not convert to the type that this function takes there, see WrongType
    const std::vector<std::string> texts = pool.map([](std::string t) { return t; }, numbers);
    // expect-error: takes an item by reference .T&.*for_each.. changes the elements of one SharedArray
    const auto third = pool.map([](int& n) { return ++n; }, numbers);
    // expect-error: too few ranges for this function, which takes 2.*procpool::repeat.value.*starmap
    const auto fourth = pool.imap([](int a, int b) { return a + b; }, numbers);
    // expect-error: too many ranges for this function, which takes 1
    const auto fifth = pool.map_async([](int a) { return a; }, numbers, numbers);
    // expect-error: options are of the wrong kind.*calls over many items MapOptions
    const auto sixth = pool.map(procpool::TaskOptions{.retries = 3}, thrice, numbers);
    // expect-error: options come first, before the function
    const auto seventh = pool.map(thrice, numbers, procpool::MapOptions{.retries = 3});
    // expect-error: all ranges of this call are procpool::repeat.., so that it would never end
    const auto eighth = pool.map([](int a, int b) { return a + b; }, procpool::repeat(1), procpool::repeat(2));
    // expect-error: all ranges of this call are procpool::repeat.., so that it would never end
    const auto ninth = pool.imap(thrice, procpool::repeat(1));
    // expect-error: this function takes away what it holds
    const auto tenth = pool.map(
        procpool::bind_front([](std::unique_ptr<int> p, int n) { return *p + n; }, std::make_unique<int>(1)), numbers);
    // expect-error: this closure cannot travel.*procpool::repeat.value
    const auto eleventh = pool.map([text](int n) { return text + std::to_string(n); }, numbers);
    // expect-error: a std::shared_ptr cannot travel
    const auto twelfth = pool.map([](int n, const std::shared_ptr<int>& p) { return *p + n; }, numbers,
                                  procpool::repeat(std::make_shared<int>(1)));
    // expect-error: takes an item by reference .T&
    const auto thirteenth = pool.map_outcomes(
        [](int n, std::string& t) { return t.size() + static_cast<std::size_t>(n); }, numbers, procpool::repeat(text));
    // expect-error: a std::function cannot travel
    const auto fourteenth = pool.starmap(std::function<int(int)>(thrice), std::vector<std::tuple<int>>{});
    // expect-error: this call collects results, and the function returns none: use for_each
    const auto fifteenth = pool.map([](int) {}, numbers);
    // expect-error: is no range.*std::views::iota.0, n. for n numbers
    const auto sixteenth = pool.map(thrice, 5U);
    // expect-error: is no range.*std::ranges::subrange.first, last. for two iterators
    const auto seventeenth = pool.imap(thrice, numbers.begin(), numbers.end());
    // expect-error: what was given as the function cannot be called: the function comes first
    const auto eighteenth = pool.map(numbers, thrice);
    // expect-error: what was given as the function cannot be called: the function comes first
    const auto nineteenth = pool.map(texts, numbers);
    // expect-error: map_reduce.. takes two functions, the value to begin with and one range
    const auto twentieth = pool.map_reduce(thrice, add, numbers);
    // expect-error: map_reduce.. takes two functions, the value to begin with and one range
    const int twenty_first = pool.map_reduce(procpool::MapOptions{}, thrice, add, numbers);
    // expect-error: map_into.. takes a function, one range and a contiguous range of the same size
    pool.map_into(thrice, numbers);
    // expect-error: map_into.. takes a function, one range and a contiguous range of the same size
    pool.map_into(procpool::MapOptions{}, thrice, numbers, std::list<int>(3));
    // expect-error: starmap.. takes a function and one range of tuples.*several ranges are for map..
    const auto twenty_fourth = pool.starmap(add, numbers, numbers);
    // expect-error: starmap_async.. takes a function and one range of tuples
    const auto twenty_fifth = pool.starmap_async(add);
    // expect-error: map_reduce.. begins each block with what the first function returns
    const auto twenty_sixth =
        pool.map_reduce([](int n) { return std::to_string(n); },
                        [](int a, const std::string& b) { return a + static_cast<int>(b.size()); }, 0, numbers);
    // expect-error: the second function of map_reduce.. cannot be called with .init, what the first function returns.
    const auto twenty_seventh = pool.map_reduce(
        thrice, [](int a, const std::string& b) { return a + std::stoi(b); }, 0, numbers);
    // expect-error: map_reduce.. folds what the first function returns, and it returns nothing
    const auto twenty_eighth = pool.map_reduce([](int) {}, add, 0, numbers);
    // expect-error: too few ranges for this function
    const auto twenty_ninth = pool.for_each_async([](int, int) {}, numbers);
    // expect-error: takes an item by reference .T&.*for_each.. changes the elements of one SharedArray
    const auto thirtieth = pool.imap_outcomes([](int& n) { ++n; }, numbers);
    // expect-error: is no range.*for one value with every item write procpool::repeat.value
    const auto thirty_first = pool.imap_outcomes([](int a, double b) { return a + b; }, numbers, 1.0);
}
