// expect: procpool: this call is defined in a header of its own: include <procpool/map/map.hpp>, or all of
// <procpool/procpool.hpp> SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/process_pool.hpp>

#include <vector>

std::vector<int> use(procpool::Pool& pool, const std::vector<int>& items) {
    return pool.map([](int a) { return a; }, items);
}
