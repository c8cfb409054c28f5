// expect: procpool: a Future is moved into apply.., apply_async.. or try_apply_async... elsewhere it cannot travel
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<procpool::SharedFuture<int>>& numbers) {
    static_cast<void>(pool.map([](int n) { return 2 * n; }, numbers));
}
