// expect: procpool: the result of this function holds a string_view or span, or a Ref, and what it refers to ends with the task
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>
#include <string_view>
#include <vector>

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(
        out, [](const std::string& text) { return std::vector{std::string_view(text)}; }, "text");
}
