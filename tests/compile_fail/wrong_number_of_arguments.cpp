// expect: procpool: this function cannot be called with these arguments as rvalues
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

int add(int a, int b) { return a + b; }

void use(procpool::Writer& out) { procpool::encode_call(out, add, 1); }
