// expect-success
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>
#include <utility>
#include <vector>

// As linked_mistakes.cpp and its like, without the mistakes.

int twice(int n) { return 2 * n; }
std::size_t size_of(const std::string& text) { return text.size(); }

void use(procpool::Pool& pool, procpool::Future<int> number, const procpool::SharedFuture<std::string>& shared,
         std::vector<procpool::Future<int>> many, procpool::Future<void> nothing, procpool::Future<int>& lent) {
    const auto first = pool.apply_async(twice, std::move(number));
    const auto second = pool.apply_async(size_of, shared);
    const auto third =
        pool.apply_async([](const std::vector<int>& all) { return all.size(); }, procpool::when_all(many));
    const auto fourth = pool.apply_async(twice, std::move(nothing), 1);
    const auto fifth = pool.try_apply_async(twice, std::move(lent));
    const int sixth = pool.apply_on(0, twice, pool.apply(twice, 1));
    static_cast<void>(sixth);
}
