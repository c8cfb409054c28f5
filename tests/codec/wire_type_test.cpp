// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/wire_type.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Table {  // arrives as another type, like SharedArray
    std::vector<int> cells;
};

}  // namespace

template <>
struct procpool::detail::codec::wire_type<Table> {
    using type = std::span<const int>;
    static type from(const Table& table) { return table.cells; }
};

TEST_CASE("text travels as strings - everything else as what it decays to") {
    STATIC_REQUIRE(std::is_same_v<wire_type_t<const char(&)[4]>, std::string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<const char*>, std::string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<char*&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<const char8_t*>, std::u8string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<std::string_view&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<std::wstring_view>, std::wstring>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<const std::string&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<std::span<int>&>, std::span<int>>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<std::reference_wrapper<int>>, std::reference_wrapper<int>>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<const unsigned char*>, const unsigned char*>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<int[3]>, int*>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<int(int)>, int (*)(int)>);
    STATIC_REQUIRE(std::is_same_v<wire_type_t<Table&>, std::span<const int>>);
}

TEST_CASE("to_wire() copies only what must become something else") {
    const std::vector<int> vector(3);
    CHECK(&to_wire(vector) == &vector);
    CHECK(to_wire("text") == "text");
    const char four[4] = {'f', 'o', 'u', 'r'};  // and no zero
    CHECK(to_wire(four) == "four");
    const char* const pointer = "pointer";
    CHECK(to_wire(pointer) == "pointer");
    CHECK(to_wire(std::string_view("view").substr(1)) == "iew");
    const Table table{{1, 2}};
    CHECK(to_wire(table).data() == table.cells.data());
}

namespace {
int doubled(int n) { return 2 * n; }
}  // namespace

TEST_CASE("functions and arrays are passed as what they decay to") {
    const auto function = to_wire(doubled);
    STATIC_REQUIRE(std::is_same_v<decltype(to_wire(doubled)), int (*)(int)>);
    CHECK(function == &doubled);
    CHECK(round_trip(to_wire(doubled))(4) == 8);

    int numbers[3]{1, 2, 3};
    STATIC_REQUIRE(std::is_same_v<decltype(to_wire(numbers)), int*>);
    CHECK(to_wire(numbers) == &numbers[0]);
    int grid[2][3]{};
    STATIC_REQUIRE(std::is_same_v<decltype(to_wire(grid)), int(*)[3]>);
    CHECK(to_wire(grid) == &grid[0]);
    const char names[2][4]{"ab", "cd"};
    CHECK(static_cast<const void*>(to_wire(names)) == &names);
    CHECK(to_wire(names[1]) == "cd");
    CHECK_THROWS_AS(to_bytes(to_wire(numbers)), CodecError);
    CHECK_THROWS_AS(to_bytes(to_wire(grid)), CodecError);
}

TEST_CASE("a null pointer is no text") {
    const char* const null = nullptr;
    CHECK_THROWS_AS(to_wire(null), CodecError);
}

TEST_CASE("a text argument is a string and a pointer") {
    const auto copy = round_trip(TextArgument("text"));
    const char* const pointer = copy;
    CHECK(pointer == copy.c_str());
    CHECK(copy == "text");
}
