// expect: procpool: starmap\(\) takes a range of tuples, pairs or arrays, whose elements become the arguments: use map\(\)
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    pool.starmap([](int a) { return a; }, items);
}
