// expect-errors
// besides: overloaded function could not be resolved
// SPDX-License-Identifier: BSL-1.0
// Calls on one worker, and on parts that workers keep. Functions whose result types are written down are looked into
// last.
#include <procpool/procpool.hpp>

#include <memory>
#include <string>
#include <vector>

int twice(int n) { return 2 * n; }
double twice(double n) { return 2 * n; }
int thrice(int n) { return 3 * n; }

void use(procpool::Pool& pool, procpool::Scattered<int>& parts) {
    // expect-error: take the worker.s index before the function
    pool.apply_on(thrice, 1);
    // expect-error: take the worker.s index before the function
    pool.apply_on_async([](int n) { return n; }, 1);
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    pool.apply_on(0, twice, 1);
    // expect-error: scatter.. needs a range
    pool.scatter(1);
    // expect-error: a std::shared_ptr cannot travel
    static_cast<void>(pool.scatter(std::vector<std::shared_ptr<int>>{}));
    // expect-error: cannot be called with a part
    parts.apply([](std::vector<std::string>&) {});
    // expect-error: cannot be called with a part
    parts.apply([](std::vector<int>&, int) {});
    // expect-error: options are of the wrong kind
    parts.apply(procpool::MapOptions{}, [](std::vector<int>&) {});
    // expect-error: overload.set.or.a.function.template|this_name_stands_for_several_functions
    parts.apply(twice);
    // expect-error: options come first, before the function
    static_cast<void>(pool.apply_on_async(0, thrice, procpool::TaskOptions{}, 1));
    // expect-error: options are of the wrong kind
    static_cast<void>(pool.apply_on_async(0, procpool::TaskOptions{}, thrice, 1));
    // expect-error: too few arguments for this function
    static_cast<void>(pool.apply_on_async(0, thrice));
}
