// expect: not_sendable<std::function<int ?\(int\)> ?>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <functional>

void use(procpool::Writer& out, const std::function<int(int)>& f) { procpool::encode_call(out, f, 1); }
