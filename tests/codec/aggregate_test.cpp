// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/aggregate.hpp>

#include "support/catch.hpp"

#include <string>
#include <type_traits>

using namespace procpool;

namespace {

struct Mixed {
    int number;
    char letters[3];
    std::string text;
};
struct BitFields {
    unsigned a : 3;
    unsigned b : 5;
};
struct Thirty {
    int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7,
        c8, c9;
};
struct Derived : Thirty {};
struct TooMany {
    Thirty a;
    int b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7,
        d8, d9, e, f;
};

}  // namespace

TEST_CASE("fields are visited in order, and can be changed") {
    Mixed mixed{1, {'a', 'b', 'c'}, "text"};
    visit_fields(mixed, [](int& number, char(&letters)[3], std::string& text) {
        CHECK(number == 1);
        CHECK(letters[2] == 'c');
        text = "changed";
    });
    CHECK(mixed.text == "changed");
    STATIC_REQUIRE(std::is_same_v<fields_t<Mixed>, TypeList<int, char[3], std::string>>);
}

TEST_CASE("bit-fields are visited") {
    const BitFields bits{5, 9};
    CHECK(visit_fields(bits, [](unsigned a, unsigned b) { return a * 100 + b; }) == 509);
}

TEST_CASE("up to 32 fields are visited") {
    STATIC_REQUIRE(Visitable<Thirty>);
    STATIC_REQUIRE_FALSE(Visitable<Derived>);
    STATIC_REQUIRE_FALSE(Visitable<TooMany>);
    Thirty thirty{};
    thirty.c9 = 7;
    CHECK(visit_fields(thirty, [](const auto&... fields) { return (fields + ...); }) == 7);
}
