// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/usable_cpus.hpp>

#include <procpool/os/affinity.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace procpool;

namespace {

class Environment {
public:
    explicit Environment(const char* value) {
        if (const char* const text = std::getenv(name)) { before_ = text; }
        value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    ~Environment() { before_.empty() ? ::unsetenv(name) : ::setenv(name, before_.c_str(), 1); }

private:
    static constexpr const char* name = "PROCPOOL_WORKERS";
    std::string before_;
};

}  // namespace

TEST_CASE("without PROCPOOL_WORKERS the machine says how many CPUs are usable") {
    const Environment none{nullptr};
    CHECK(usable_cpus() >= 1);
    CHECK(usable_cpus() <= detail::os::affinity_cpus());
}

TEST_CASE("PROCPOOL_WORKERS overrides what the machine says") {
    const auto [text, workers] = GENERATE(table<std::string, std::size_t>({{"1", 1}, {"7", 7}, {"2000", 2000}}));
    const Environment environment{text.c_str()};
    CHECK(usable_cpus() == workers);
}

TEST_CASE("an empty PROCPOOL_WORKERS is none") {
    const Environment environment{""};
    CHECK(usable_cpus() <= detail::os::affinity_cpus());
}

TEST_CASE("a bad PROCPOOL_WORKERS is an error that quotes it") {
    const std::string text =
        GENERATE(as<std::string>{}, "0", "-1", "many", "2x", "2 ", " ", "1e3", "2001", "99999999999999999999999");
    const Environment environment{text.c_str()};
    CHECK_THROWS_AS(usable_cpus(), std::invalid_argument);
    CHECK_THROWS_WITH(usable_cpus(), "procpool: PROCPOOL_WORKERS must be a number from 1 to 2000, not '" + text + "'");
}
