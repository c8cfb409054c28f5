// expect: procpool: this closure cannot travel between processes: capture trivially copyable values only and pass the rest as arguments
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>

void use(procpool::Writer& out, const std::string& text) {
    procpool::detail::codec::encode_call(
        out, [](const auto& f) { return f(); }, [text] { return text.size(); });
}
