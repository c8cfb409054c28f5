// expect: procpool: the second function of map_reduce\(\) cannot be called with two values of the type of init, which it gets for two blocks
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>
#include <vector>

struct Histogram {
    std::vector<int> counts;
    Histogram() = default;
    explicit Histogram(const std::string& text) : counts(text.size()) {}
};

void use(procpool::Pool& pool, const std::vector<std::string>& items) {
    static_cast<void>(pool.map_reduce([](std::string text) { return text; },
                                      [](Histogram sum, const std::string&) { return sum; }, Histogram{}, items));
}
