// expect: procpool: this type cannot travel between processes: give it a serialize\(Archive&\) member, specialise procpool::Codec<T> for it, or make it an aggregate of encodable types
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>
#include <utility>

class Closed {
public:
    explicit Closed(std::string text) : text_(std::move(text)) {}
    [[nodiscard]] std::size_t size() const { return text_.size(); }

private:
    std::string text_;
};

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(
        out, [](const Closed& closed) { return closed.size(); }, Closed{"text"});
}
