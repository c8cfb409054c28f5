// expect: procpool: the result of a Future goes to one task: pass it by std::move.., or share.. it first
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

int twice(int n) { return 2 * n; }

int use(procpool::Pool& pool, procpool::Future<int>& number) { return pool.apply_async(twice, number).get(); }
