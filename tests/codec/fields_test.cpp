// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/fields.hpp>

#include "support/catch.hpp"

#include <any>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;

namespace {

struct Point {
    int x, y;
};
struct Arrays {
    std::string name;
    Point points[2];
    int grid[2][2];
    Point last;
    double end;
};
struct ConvertsFromAnything {
    std::optional<int> a;
    std::variant<int, std::string> b;
    std::any c;
    std::function<void()> d;
    std::string_view e;
    std::span<int> f;
    std::tuple<int, int> g;
};
struct MoveOnly {
    std::unique_ptr<int> a;
    std::map<int, std::string> b;
    std::array<int, 5> c;
};
struct NoDefault {
    explicit NoDefault(int);
};
struct HoldsNoDefault {
    int a;
    NoDefault b;
    std::string c;
};
struct Derived : Point {
    int z;
};
struct HoldsReference {
    int a;
    int& b;
};
struct BitFields {
    unsigned a : 3;
    unsigned b : 5;
    std::string c;
};
struct AnonymousUnion {
    int tag;
    union {
        int i;
        float f;
    };
};
struct HoldsAtomic {
    std::atomic<int> a;
    const int b = 2;
};
struct Picky {
    Picky() = default;
    template <class T>
    Picky(T&&) = delete;
};
struct HoldsPicky {  // which no AnyField initialises, but nothing does
    int a;
    Picky b;
    int* c;
};
struct DefaultedReference {
    static inline int somewhere = 0;
    int a;
    int& b = somewhere;
};
struct Empty {};
struct HoldsEmpty {
    Empty a, b;
};
struct Large {
    char bytes[4096];
};

struct IsPointer {
    template <class T>
    static constexpr bool holds = std::is_pointer_v<T>;
};
struct PointerInArray {
    int a;
    const char* names[3];
};

}  // namespace

TEST_CASE("fields are counted") {
    STATIC_REQUIRE(count_fields<Point>() == 2);
    STATIC_REQUIRE(count_fields<Arrays>() == 5);
    STATIC_REQUIRE(count_fields<ConvertsFromAnything>() == 7);
    STATIC_REQUIRE(count_fields<MoveOnly>() == 3);
    STATIC_REQUIRE(count_fields<HoldsNoDefault>() == 3);
    STATIC_REQUIRE(count_fields<BitFields>() == 3);
    STATIC_REQUIRE(count_fields<AnonymousUnion>() == 2);
    STATIC_REQUIRE(count_fields<HoldsAtomic>() == 2);
    STATIC_REQUIRE(count_fields<HoldsEmpty>() == 2);
}

TEST_CASE("what has no fields that could be counted is known") {
    STATIC_REQUIRE_FALSE(PlainStruct<Derived>);
    STATIC_REQUIRE_FALSE(PlainStruct<std::string>);
    STATIC_REQUIRE(initialisers_v<HoldsReference> == 0);
    STATIC_REQUIRE(initialisers_v<DefaultedReference> == 0);
    STATIC_REQUIRE(initialisers_v<HoldsPicky> == 0);
    STATIC_REQUIRE(initialisers_v<Derived> == 2);  // its base is one
    STATIC_REQUIRE(initialisers_v<Large> > most_initialisers);
}

TEST_CASE("a field of a kind is found in arrays too") {
    STATIC_REQUIRE(has_field_that_v<PointerInArray, IsPointer>);
    STATIC_REQUIRE_FALSE(has_field_that_v<Point, IsPointer>);
    STATIC_REQUIRE_FALSE(has_field_that_v<AnonymousUnion, IsPointer>);
}
