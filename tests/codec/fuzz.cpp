// SPDX-License-Identifier: BSL-1.0
// Every decoder for Clang's libFuzzer, which looks for bytes that lead further into the code. The first byte of an
// input says which decoder. fuzz.sh builds and runs it.

#include "codec/decoders.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size != 0) {
        procpool_test::decode_as_type(*bytes % procpool_test::decoded_types,
                                      std::as_bytes(std::span(bytes + 1, size - 1)));
    }
    return 0;
}
