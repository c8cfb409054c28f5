// expect: procpool: an argument after the function of a call over many items is no range
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    pool.map([](int a, int b) { return a + b; }, items, 3);
}
