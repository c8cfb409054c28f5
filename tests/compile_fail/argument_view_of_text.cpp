// expect: procpool: an iterator, a view or a pointer-like type cannot travel between processes, for what it refers to stays behind
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <fmt/core.h>
#include <string>

void use(procpool::Writer& out, const std::string& text) {
    procpool::detail::codec::encode_call(
        out, [](fmt::string_view view) { return view.size(); }, fmt::string_view(text));
}
