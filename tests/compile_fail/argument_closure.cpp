// expect: procpool: this closure cannot travel between processes: it captured a string, a container or another value
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>

void use(procpool::Writer& out, const std::string& text) {
    procpool::detail::codec::encode_call(
        out, [](const auto& f) { return f(); }, [text] { return text.size(); });
}
