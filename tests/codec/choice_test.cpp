// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/choice.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Base {
    virtual ~Base() = default;
    int number = 1;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(number);
    }
};
struct DerivedChoice : Base {};

struct Throws {
    Throws() = default;
    Throws(const Throws&) { throw 1; }
    Throws& operator=(const Throws&) { throw 1; }
    template <class Archive>
    void serialize(Archive&) {}
};

}  // namespace

TEST_CASE("optional values arrive as they are") {
    CHECK(round_trip(std::optional<std::string>("a")) == "a");
    CHECK(round_trip(std::optional<std::string>()) == std::nullopt);
    CHECK(round_trip(std::optional<std::optional<int>>(std::in_place)).has_value());
}

TEST_CASE("variants arrive with the alternative they hold") {
    using Variant = std::variant<std::monostate, int, std::string, int>;
    for (const Variant& variant :
         {Variant(), Variant(std::in_place_index<1>, 5), Variant("x"), Variant(std::in_place_index<3>, 5)}) {
        CHECK(round_trip(variant) == variant);
    }
    const auto bytes = to_bytes(std::uint32_t{4});
    CHECK_THROWS_AS(from_bytes<Variant>(bytes), CodecError);
}

TEST_CASE("a variant without a value is refused") {
    std::variant<int, Throws> variant;
    try {
        variant.emplace<Throws>(Throws());
    } catch (int) {}
    REQUIRE(variant.valueless_by_exception());
    CHECK_THROWS_AS(to_bytes(variant), CodecError);
}

TEST_CASE("unique_ptr owns a copy or stays null") {
    CHECK(*round_trip(std::make_unique<std::string>("a")) == "a");
    CHECK(round_trip(std::unique_ptr<int>()) == nullptr);
    CHECK(*round_trip(std::make_unique<const int>(3)) == 3);
    CHECK(round_trip(std::make_unique<Base>())->number == 1);
}

TEST_CASE("a unique_ptr to a derived object is refused rather than cut down") {
    const std::unique_ptr<Base> pointer = std::make_unique<DerivedChoice>();
    const auto text = text_thrown<CodecError>([&] { static_cast<void>(to_bytes(pointer)); });
    CHECK(contains(text, "DerivedChoice"));
    CHECK(contains(text, "Base"));
}
