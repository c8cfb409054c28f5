// expect: procpool: a Future cannot travel: futures are arguments of apply.., apply_async.. and try_apply_async.. only
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<procpool::SharedFuture<int>>& numbers) {
    static_cast<void>(pool.map([](int n) { return 2 * n; }, numbers));
}
