// expect: not_encodable<Word>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

union Word {
    long number;
    int* pointer;
};

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(
        out, [](Word word) { return *word.pointer; }, Word{});
}
