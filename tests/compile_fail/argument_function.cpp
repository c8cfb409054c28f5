// expect: not_encodable<std::function<void ?\(\)> ?>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <functional>

void use(procpool::Writer& out, const std::function<void()>& f) {
    procpool::encode_call(
        out, [](const std::function<void()>& g) { g(); }, f);
}
