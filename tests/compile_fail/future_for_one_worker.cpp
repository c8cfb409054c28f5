// expect: procpool: a Future is moved into apply.., apply_async.. or try_apply_async... elsewhere it cannot travel: pass what it gives, get.., or share.. it
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <utility>

int twice(int n) { return 2 * n; }

int use(procpool::Pool& pool, procpool::Future<int> number) { return pool.apply_on(0, twice, std::move(number)); }
