// expect: not_encodable<std::ranges::subrange<int ?\*.*
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <ranges>
#include <vector>

void use(procpool::Writer& out, std::vector<int>& numbers) {
    procpool::detail::codec::encode_call(
        out, [](std::ranges::subrange<int*> all) { return all.size(); },
        std::ranges::subrange<int*>(numbers.data(), numbers.data() + 1));
}
