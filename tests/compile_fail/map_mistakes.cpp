// expect-errors
// SPDX-License-Identifier: BSL-1.0
// As apply_mistakes.cpp, for calls over many items.
#include <procpool/procpool.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

int thrice(int n) { return 3 * n; }

void use(procpool::Pool& pool, const std::vector<int>& numbers, const std::string& text,
         const std::map<std::string, int>& limits) {
    // expect-error: is no range.*for one value with every item write procpool::repeat.value
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
    // expect-error: too few ranges for this function
    const auto sixteenth = pool.for_each_async([](int, int) {}, numbers);
    // expect-error: takes an item by reference .T&.*for_each.. changes the elements of one SharedArray
    const auto seventeenth = pool.imap_outcomes([](int& n) { ++n; }, numbers);
    // expect-error: is no range.*for one value with every item write procpool::repeat.value
    const auto eighteenth = pool.imap_outcomes([](int a, double b) { return a + b; }, numbers, 1.0);
}
