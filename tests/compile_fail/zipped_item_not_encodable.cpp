// expect: procpool: a std::shared_ptr cannot travel, since processes do not share what it points to
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <memory>
#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& numbers, const std::vector<std::shared_ptr<int>>& pointers) {
    static_cast<void>(
        pool.map_outcomes([](int number, const std::shared_ptr<int>& p) { return number + *p; }, numbers, pointers));
}
