// expect: not_encodable<std::shared_ptr<int> ?>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <memory>
#include <vector>

void use(procpool::Writer& out) {
    procpool::encode_call(
        out, [](int n) { return std::vector{std::make_shared<int>(n)}; }, 1);
}
