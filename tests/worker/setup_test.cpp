// SPDX-License-Identifier: BSL-1.0
#include <procpool/worker/setup.hpp>

#include "support/catch.hpp"

#include <stdexcept>
#include <string>

using procpool::detail::worker::describe_current_exception;

namespace {
template <class Thrown>
std::string described(Thrown thrown) {
    try {
        throw thrown;
    } catch (...) { return describe_current_exception(); }
}
}  // namespace

TEST_CASE("an exception is described by its type and its text") {
    CHECK(described(std::out_of_range("beyond")) == "std::out_of_range: beyond");
    CHECK(described(42) == "something that is no std::exception");
}
