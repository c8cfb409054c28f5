// expect: procpool: a call over many items needs a range of them after its function
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

void use(procpool::Pool& pool) {
    pool.map([](int a) { return a; });
}
