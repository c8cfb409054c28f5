// SPDX-License-Identifier: BSL-1.0
// procpool::Pool is the type for members and parameters: a pool that lives as long as the object that uses it.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

std::string shorten(const std::string& text) { return text.substr(0, 5); }

class Shortener {
public:
    explicit Shortener(std::size_t workers) : pool_({.workers = workers, .name = "shortener"}) {}
    std::vector<std::string> operator()(const std::vector<std::string>& texts) { return pool_.map(shorten, texts); }

private:
    procpool::Pool pool_;  // its destructor waits for the tasks that run
};

std::string shorten_one(procpool::Pool& pool, const std::string& text) { return pool.apply(shorten, text); }

int main() {
    Shortener shortener{2};
    fmt::print("{}\n", shortener({"processes", "pools"}));

    procpool::Pool pool{1};
    procpool::Pool moved = std::move(pool);  // pools can be moved, into containers too
    fmt::print("{}\n", shorten_one(moved, "parameters"));
}
