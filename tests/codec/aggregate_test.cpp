// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/aggregate.hpp>

#include "support/catch.hpp"

#include <string>
#include <type_traits>

using namespace procpool;
using namespace procpool::detail::codec;

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
struct Large {
    char text[500];
    std::string name;
    int numbers[2][50];
};
struct References {
    const int& a;
    int b;
    const std::string c;
};
struct AnonymousUnion {
    int a;
    union {
        int b;
        float c;
    };
};
struct NamedUnion {
    int a;
    union Number {
        int b;
        float c;
    } number;
};
struct IsText {
    template <class T>
    static constexpr bool holds = std::is_same_v<T, std::string>;
};
struct Derived : Thirty {};
struct TooMany {
    Thirty a;
    int b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, d0, d1, d2, d3, d4, d5, d6, d7,
        d8, d9, e, f;
};

}  // namespace

TEST_CASE("fields are visited in order and can be changed") {
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

TEST_CASE("fields that are large arrays are visited") {
    STATIC_REQUIRE(std::is_same_v<fields_t<Large>, TypeList<char[500], std::string, int[2][50]>>);
    STATIC_REQUIRE(may_have_field_that<Large, IsText>());
    Large large{};
    large.name = "name";
    visit_fields(large, [](const auto& text, const std::string& name, const auto& numbers) {
        CHECK(sizeof(text) == 500);
        CHECK(name == "name");
        CHECK(numbers[1][49] == 0);
    });
}

TEST_CASE("fields are listed as they are declared") {
    STATIC_REQUIRE(std::is_same_v<fields_t<References>, TypeList<const int&, int, std::string>>);
}

TEST_CASE("an aggregate whose members are partly a union's is not visited") {
    STATIC_REQUIRE_FALSE(Visitable<AnonymousUnion>);
    STATIC_REQUIRE(Visitable<NamedUnion>);
}
