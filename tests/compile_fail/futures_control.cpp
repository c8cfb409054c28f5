// expect-success
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <array>
#include <memory>
#include <utility>
#include <vector>

// As futures_mistakes.cpp, without the mistakes.

int twice(int n) { return 2 * n; }
int add(int a, int b) { return a + b; }
int count(const std::vector<int>& all) { return static_cast<int>(all.size()); }

void use(procpool::Pool& pool, procpool::Future<int> one, procpool::Future<void> nothing,
         std::vector<procpool::Future<int>>& many, std::array<procpool::Future<int>, 2> two,
         const std::vector<procpool::SharedFuture<int>>& shared, const std::vector<int>& numbers) {
    const auto first = pool.apply_async(count, procpool::when_all(many));
    const auto second = pool.apply_async(count, procpool::when_all(shared));
    const auto third = pool.apply_async(count, procpool::when_all(std::move(two)));
    const procpool::SharedFuture<int> several = one.share();
    const auto fourth = pool.apply_on_async(0, twice, several);
    const auto fifth = pool.map(add, numbers, procpool::repeat(several));
    const auto sixth = pool.map(procpool::bind_front(add, several), numbers);
    const auto seventh = procpool::when_all(several, std::move(nothing), shared[0]);
    const auto eighth = procpool::when_any(many);
    const auto ninth = procpool::when_any(std::vector{several, shared[0]});
    const auto tenth = procpool::repeat(std::make_unique<int>(1));
}
