// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>
#include <utility>
#include <vector>

// Futures as arguments of functions that do not take their results.

int twice(int n) { return 2 * n; }
std::size_t size_of(const std::string& text) { return text.size(); }

void use(procpool::Pool& pool, procpool::Future<int> number, const procpool::SharedFuture<double*>& shared,
         std::vector<procpool::Future<int>> many, procpool::Future<void> nothing, procpool::Future<long> last) {
    // expect-error: argument 1 does not convert to the type that this function takes there, see WrongType
    const auto first = pool.apply_async(size_of, std::move(number));
    // expect-error: argument 1 does not convert to the type that this function takes there, see WrongType
    const auto second = pool.apply_async(size_of, shared);
    // expect-error: argument 1 does not convert to the type that this function takes there, see WrongType
    const auto third = pool.apply_async(twice, procpool::when_all(many));
    // expect-error: too few arguments for this function, which takes 1
    const auto fourth = pool.apply_async(twice, std::move(nothing));
    // expect-error: takes an argument by reference .T&
    const auto fifth = pool.apply_async([](long& n) { return ++n; }, std::move(last));
}
