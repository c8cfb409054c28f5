// expect: procpool: this callable cannot travel between processes: capture trivially copyable values only and pass the rest as arguments, or use a function object with a procpool::Codec
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>

void use(procpool::Writer& out, const std::string& text) {
    procpool::encode_call(
        out, [text](int n) { return text.size() + static_cast<std::size_t>(n); }, 1);
}
