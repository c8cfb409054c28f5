// expect-errors
// SPDX-License-Identifier: BSL-1.0
// As apply_mistakes.cpp, for map_reduce_by_key().
#include <procpool/procpool.hpp>

#include <complex>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

int thrice(int n) { return 3 * n; }

struct Fixed {
    const int n;
};

void use(procpool::Pool& pool, const std::vector<int>& numbers) {
    const auto add = [](int a, int b) { return a + b; };
    const auto one = [](int n) { return std::pair{n, 1}; };
    // expect-error: must return a std::pair of a key and a value, or a range of such pairs
    const auto first = pool.map_reduce_by_key(thrice, add, numbers);
    // expect-error: must return a std::pair of a key and a value, or a range of such pairs
    const auto second = pool.map_reduce_by_key([](int) {}, add, numbers);
    // expect-error: must return a std::pair of a key and a value, or a range of such pairs
    const auto third = pool.map_reduce_by_key([](int) { return std::vector<int>{}; }, add, numbers);
    // expect-error: the keys of map_reduce_by_key.. are those of a std::map: their type needs an operator<
    const auto fourth = pool.map_reduce_by_key(
        [](int n) {
            return std::pair{std::complex<float>{1.0F}, n};
        },
        add, numbers);
    // expect-error: folds the values of equal keys: it must be callable with two of them, g.V, V
    const auto fifth = pool.map_reduce_by_key([](int n) { return std::pair{n, std::to_string(n)}; }, add, numbers);
    // expect-error: must return what converts to the type of the values
    const auto sixth = pool.map_reduce_by_key(
        one, [](int, int) { return std::string(); }, numbers);
    // expect-error: are replaced by what the second function returns: they must be movable
    const auto seventh = pool.map_reduce_by_key(
        [](int n) {
            return std::pair{n, Fixed{n}};
        },
        [](Fixed a, Fixed) { return a; }, numbers);
    // expect-error: the result of this function holds a string_view or span
    const auto eighth = pool.map_reduce_by_key(
        [](int n) {
            return std::pair{std::string_view("text"), n};
        },
        add, numbers);
    // expect-error: a std::shared_ptr cannot travel
    const auto ninth = pool.map_reduce_by_key(
        [](int n) {
            return std::pair{std::make_shared<int>(n), 1};
        },
        add, numbers);
    // expect-error: a std::function cannot travel
    const auto tenth = pool.map_reduce_by_key(one, std::function<int(int, int)>(add), numbers);
    // expect-error: takes an item by reference .T&
    const auto eleventh = pool.map_reduce_by_key([](int& n) { return std::pair{n, 1}; }, add, numbers);
    // expect-error: is no range
    const auto twelfth = pool.map_reduce_by_key(one, add, 3);
}
