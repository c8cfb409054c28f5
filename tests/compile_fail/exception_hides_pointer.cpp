// expect: procpool: this exception type cannot be registered
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_type.hpp>

class Failure {
public:
    explicit Failure(int* p) : p_(p) {}
    int get() const { return *p_; }

private:
    int* p_;
};

void use() { procpool::register_exception<Failure>(); }
