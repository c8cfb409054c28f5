// expect: procpool: an iterator, a view or a pointer-like type cannot travel between processes, for what it refers to stays behind
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <ranges>
#include <vector>

void use(procpool::Pool& pool, std::vector<int>& items) {
    pool.map([](std::vector<int>::iterator i) { return *i; }, std::views::iota(items.begin(), items.end()));
}
