// expect: not_callable<.*int.*std::.*string.*int
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>
#include <vector>

void use(procpool::Pool& pool, const std::vector<int>& numbers, const std::vector<std::string>& texts) {
    pool.map([](int number, const std::string& text) { return text.size() + static_cast<std::size_t>(number); }, numbers, texts, numbers);
}
