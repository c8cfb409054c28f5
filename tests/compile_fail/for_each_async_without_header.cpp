// expect: procpool: this call is defined in a header of its own: include <procpool/map/map_async.hpp>, or all of
// <procpool/procpool.hpp> SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/process_pool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    static_cast<void>(pool.for_each_async([](int) {}, items));
}
