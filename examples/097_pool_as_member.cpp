// SPDX-License-Identifier: BSL-1.0
// procpool::Pool is the type for members and parameters. A header that only mentions it includes procpool/fwd.hpp.

#include <procpool/fwd.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

class Shortener {  // as in a header of yours
public:
    explicit Shortener(std::size_t workers);
    ~Shortener();
    std::vector<std::string> operator()(const std::vector<std::string>& texts);

private:
    std::unique_ptr<procpool::Pool> pool_;
};
std::string shorten_one(procpool::Pool& pool, const std::string& text);

#include <procpool/procpool.hpp>  // from here on as in its source

#include <fmt/ranges.h>

std::string shorten(const std::string& text) { return text.substr(0, 5); }

Shortener::Shortener(std::size_t workers) : pool_(new procpool::Pool({.workers = workers, .name = "shortener"})) {}
Shortener::~Shortener() = default;  // waits for the tasks that run
std::vector<std::string> Shortener::operator()(const std::vector<std::string>& texts) {
    return pool_->map(shorten, texts);
}
std::string shorten_one(procpool::Pool& pool, const std::string& text) { return pool.apply(shorten, text); }

int main() {
    fmt::print("{}\n", Shortener{2}({"processes", "pools"}));
    procpool::ProcessPool pool{1};
    fmt::print("{}\n", shorten_one(pool, "parameters"));
}
