// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/text.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::string_literals;

TEST_CASE("strings of every character type arrive unchanged") {
    CHECK(round_trip(""s).empty());
    CHECK(round_trip("with\0zero"s) == "with\0zero"s);
    CHECK(round_trip(std::string(100000, 'x')) == std::string(100000, 'x'));
    CHECK(round_trip(L"wide"s) == L"wide"s);
    CHECK(round_trip(u8"eight"s) == u8"eight"s);
    CHECK(round_trip(u"sixteen"s) == u"sixteen"s);
    CHECK(round_trip(U"thirty-two"s) == U"thirty-two"s);
}

TEST_CASE("paths arrive unchanged") {
    CHECK(round_trip(std::filesystem::path("/a/b c/ü")) == std::filesystem::path("/a/b c/ü"));
    CHECK(round_trip(std::filesystem::path()).empty());
}

TEST_CASE("views within values view what the Reader keeps") {
    auto first = std::make_unique<std::string>("first");
    const std::vector<std::string_view> views{*first, "", "third"};
    const auto bytes = to_bytes(views);
    first->assign("gone!");
    Reader reader(bytes);
    const auto decoded = Codec<std::vector<std::string_view>>::decode(reader);
    CHECK(decoded == std::vector<std::string_view>{"first", "", "third"});
    STATIC_REQUIRE(holds_view<std::vector<std::string_view>>());
    STATIC_REQUIRE_FALSE(holds_view<std::vector<std::string>>());
}
