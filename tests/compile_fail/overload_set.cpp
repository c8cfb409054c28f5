// expect-errors
// besides: overloaded function could not be resolved|cannot pass initializer list
// SPDX-License-Identifier: BSL-1.0
// The deduction of their type fails before anything of ours is looked at, but for what stands in for that.
#include <procpool/procpool.hpp>

#include <chrono>
#include <vector>

int twice(int n) { return 2 * n; }
double twice(double n) { return 2 * n; }
template <class T>
T thrice(T n) {
    return 3 * n;
}
struct Account {
    int& get();
    int get() const;
};

void use(procpool::Pool& pool, const std::vector<int>& numbers) {
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions.*write_a_lambda
    pool.apply(twice, 1);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.apply_async(procpool::TaskOptions{}, thrice, 1);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.map(thrice, numbers);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.imap(procpool::MapOptions{}, twice, numbers);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.for_each_async(thrice, numbers);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.imap_outcomes(procpool::MapOptions{}, twice, numbers);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.broadcast(&Account::get, Account{});
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.map_reduce(thrice, twice, 0, numbers);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    static_cast<void>(procpool::bind_front(twice, 1));
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    procpool::fork_map(twice, numbers);
    // expect-error: before braces write their type|before_braces_their_type
    pool.try_apply_async(
        {.timout = std::chrono::seconds{5}}, [](int n) { return n; }, 1);
    // expect-error: before braces write their type|before_braces_their_type
    pool.map_async([](int n) { return n; }, {1, 2, 3});
}
