// expect: procpool: this call collects results, and the function returns none: use for_each\(\)
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& items) {
    pool.imap([](int) {}, items);
}
