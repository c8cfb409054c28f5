// expect: procpool: this exception type cannot be registered
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_type.hpp>

#include <stdexcept>

struct Failure : std::runtime_error {
    Failure(int a, int b) : std::runtime_error("failure"), sum(a + b) {}
    int sum;
};

void use() { procpool::register_exception<Failure>(); }
