// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/padding.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

using procpool::detail::codec::copy_without_padding;

namespace {

struct Padded {
    char first;
    double second;
    short third;
};

template <class T, class Set>
std::array<std::byte, sizeof(T)> bytes_over(unsigned char before, Set set) {
    alignas(T) std::array<std::byte, sizeof(T)> memory;
    std::memset(memory.data(), before, memory.size());
    set(*::new (memory.data()) T);
    std::array<std::byte, sizeof(T)> bytes{};
    copy_without_padding(bytes.data(), *std::launder(reinterpret_cast<T*>(memory.data())));
    return bytes;
}

TEST_CASE("padding: equal members are equal bytes") {
    const auto set = [](Padded& value) {
        value.first = 'a';
        value.second = 1.5;
        value.third = 7;
    };
    const auto over_zeros = bytes_over<Padded>(0, set);
    CHECK(std::memcmp(over_zeros.data() + offsetof(Padded, second), "\0\0\0\0\0\0\xf8\x3f", sizeof(double)) == 0);
#if defined(__GNUC__) && !defined(__clang__)
    CHECK(bytes_over<Padded>(0xff, set) == over_zeros);
#endif
}

}  // namespace
