// expect: procpool: the second function of map_reduce\(\) cannot be called with two values of the type of init, which it gets for two blocks
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <optional>
#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    static_cast<void>(pool.map_reduce([](int n) { return n; },
                                      [](std::optional<int> sum, int n) { return std::optional(sum.value_or(0) + n); },
                                      std::optional<int>{}, items));
}
