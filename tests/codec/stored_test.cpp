// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/stored.hpp>

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
using namespace procpool_test;

namespace {

struct Table {  // arrives as another type, like SharedArray
    std::vector<int> cells;
};

}  // namespace

template <>
struct procpool::stored<Table> {
    using type = std::span<const int>;
    static type from(const Table& table) { return table.cells; }
};

TEST_CASE("text travels as strings - everything else as what it decays to") {
    STATIC_REQUIRE(std::is_same_v<stored_t<const char(&)[4]>, std::string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<const char*>, std::string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<char*&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<const char8_t*>, std::u8string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<std::string_view&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<std::wstring_view>, std::wstring>);
    STATIC_REQUIRE(std::is_same_v<stored_t<const std::string&>, std::string>);
    STATIC_REQUIRE(std::is_same_v<stored_t<std::span<int>&>, std::span<int>>);
    STATIC_REQUIRE(std::is_same_v<stored_t<std::reference_wrapper<int>>, std::reference_wrapper<int>>);
    STATIC_REQUIRE(std::is_same_v<stored_t<const unsigned char*>, const unsigned char*>);
    STATIC_REQUIRE(std::is_same_v<stored_t<int[3]>, int*>);
    STATIC_REQUIRE(std::is_same_v<stored_t<int(int)>, int (*)(int)>);
    STATIC_REQUIRE(std::is_same_v<stored_t<Table&>, std::span<const int>>);
}

TEST_CASE("store() copies only what must become something else") {
    const std::vector<int> vector(3);
    CHECK(&store(vector) == &vector);
    CHECK(store("text") == "text");
    const char four[4] = {'f', 'o', 'u', 'r'};  // and no zero
    CHECK(store(four) == "four");
    const char* const pointer = "pointer";
    CHECK(store(pointer) == "pointer");
    CHECK(store(std::string_view("view").substr(1)) == "iew");
    const Table table{{1, 2}};
    CHECK(store(table).data() == table.cells.data());
}

namespace {
int doubled(int n) { return 2 * n; }
}  // namespace

TEST_CASE("functions and arrays are passed as what they decay to") {
    const auto function = store(doubled);
    STATIC_REQUIRE(std::is_same_v<decltype(store(doubled)), int (*)(int)>);
    CHECK(function == &doubled);
    CHECK(round_trip(store(doubled))(4) == 8);

    int numbers[3]{1, 2, 3};
    STATIC_REQUIRE(std::is_same_v<decltype(store(numbers)), int*>);
    CHECK(store(numbers) == &numbers[0]);
    int grid[2][3]{};
    STATIC_REQUIRE(std::is_same_v<decltype(store(grid)), int(*)[3]>);
    CHECK(store(grid) == &grid[0]);
    const char names[2][4]{"ab", "cd"};
    CHECK(static_cast<const void*>(store(names)) == &names);
    CHECK(store(names[1]) == "cd");
    CHECK_THROWS_AS(to_bytes(store(numbers)), CodecError);
    CHECK_THROWS_AS(to_bytes(store(grid)), CodecError);
}

TEST_CASE("a null pointer is no text") {
    const char* const null = nullptr;
    CHECK_THROWS_AS(store(null), CodecError);
}

TEST_CASE("a text argument is a string and a pointer") {
    const auto copy = round_trip(TextArgument("text"));
    const char* const pointer = copy;
    CHECK(pointer == copy.c_str());
    CHECK(copy == "text");
}
