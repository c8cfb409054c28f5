// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/product.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <memory>
#include <string>
#include <tuple>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct NoDefault {
    explicit NoDefault(std::string t) : text(std::move(t)) {}
    std::string text;
    bool operator==(const NoDefault&) const = default;
};

}  // namespace

template <>
struct procpool::Codec<NoDefault> {
    static void encode(Writer& out, const NoDefault& value) { Codec<std::string>::encode(out, value.text); }
    static NoDefault decode(Reader& in) { return NoDefault(Codec<std::string>::decode(in)); }
};

TEST_CASE("pairs and tuples arrive unchanged in order") {
    const std::pair<int, std::string> pair{1, "a"};
    CHECK(round_trip(pair) == pair);
    const std::tuple<std::string, int, std::tuple<std::string>, std::tuple<>> tuple{"a", 2, {"b"}, {}};
    CHECK(round_trip(tuple) == tuple);
    CHECK(round_trip(std::tuple<const int, NoDefault>{3, NoDefault("x")}) ==
          std::tuple<const int, NoDefault>{3, NoDefault("x")});
    CHECK(*std::get<0>(round_trip(std::tuple(std::make_unique<int>(4)))) == 4);
}

TEST_CASE("arrays arrive unchanged") {
    CHECK(round_trip(std::array{1, 2, 3}) == std::array{1, 2, 3});
    CHECK(to_bytes(std::array{1, 2, 3}).size() == 12);
    CHECK(round_trip(std::array<std::string, 2>{"a", "b"}) == std::array<std::string, 2>{"a", "b"});
    CHECK(round_trip(std::array<std::string, 0>{}).empty());
    const std::array numbers{NoDefault("1"), NoDefault("2")};
    CHECK(round_trip(numbers) == numbers);
}
