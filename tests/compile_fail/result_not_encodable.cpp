// expect: procpool: a std::shared_ptr cannot travel, since processes do not share what it points to
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <memory>
#include <vector>

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(
        out, [](int n) { return std::vector{std::make_shared<int>(n)}; }, 1);
}
