// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/codec.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <bitset>
#include <chrono>
#include <cmath>
#include <complex>
#include <condition_variable>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

struct Mine {
    int id;
    bool operator==(const Mine&) const = default;
};

struct Point {
    int x;
    double y;
    bool operator==(const Point&) const = default;
};
struct Tree {
    Point point;
    std::vector<Tree> children;
    std::unique_ptr<Tree> parent;
    std::string names[2];
};
struct WithPointer {
    int a;
    const int* b;
};
struct WithMine {
    Mine mine;
};
struct WithMutex {
    std::string name;
    std::mutex mutex;
};
struct NoDefault {
    explicit NoDefault(int n) : number(n) {}
    int number;
};
struct HoldsNoDefault {
    NoDefault a;
    std::string b;
};
struct Bits {
    unsigned a : 3;
    unsigned b : 5;
    std::string c;
    bool operator==(const Bits&) const = default;
};
struct AnonymousUnion {
    int tag;
    union {
        int number;
        float real;
    };
};
struct HoldsReference {
    int& reference;
};
struct Empty {};
enum class Colour : unsigned char { red, green };
union Union {
    int a;
    float b;
};

}  // namespace

template <>
struct procpool::Codec<Mine> {
    static void encode(Writer& out, const Mine& value) { Codec<int>::encode(out, value.id + 1); }
    static Mine decode(Reader& in) { return Mine{Codec<int>::decode(in) - 1}; }
};

TEST_CASE("scalars of every kind arrive unchanged") {
    CHECK(round_trip(std::numeric_limits<std::int8_t>::min()) == std::numeric_limits<std::int8_t>::min());
    CHECK(round_trip(std::numeric_limits<std::uint64_t>::max()) == std::numeric_limits<std::uint64_t>::max());
    CHECK(round_trip(true));
    CHECK(round_trip('x') == 'x');
    CHECK(round_trip(Colour::green) == Colour::green);
    CHECK(std::isnan(round_trip(std::numeric_limits<float>::quiet_NaN())));
    CHECK(std::signbit(round_trip(-0.0)));
    CHECK(round_trip(1.5L) == 1.5L);
    CHECK(round_trip(nullptr) == nullptr);
    CHECK(round_trip(&Point::y) == &Point::y);
}

TEST_CASE("trivially copyable classes of the library are their bytes") {
    CHECK(round_trip(std::complex<double>(1, 2)) == std::complex<double>(1, 2));
    CHECK(round_trip(std::bitset<70>(5)) == std::bitset<70>(5));
    CHECK(round_trip(1500ms) == 1500ms);
    const auto now = std::chrono::system_clock::now();
    CHECK(round_trip(now) == now);
    CHECK(round_trip(std::chrono::year(2024) / 2 / 29) == std::chrono::year(2024) / 2 / 29);
}

TEST_CASE("only the bytes of what can be seen to hold no address are everything") {
    STATIC_REQUIRE(is_plain_v<Point>);
    STATIC_REQUIRE(is_plain_v<AnonymousUnion>);
    STATIC_REQUIRE(is_plain_v<Union>);
    STATIC_REQUIRE(is_plain_v<std::array<Point, 3>>);
    STATIC_REQUIRE(is_plain_v<NoDefault>);
    STATIC_REQUIRE_FALSE(is_plain_v<int*>);
    STATIC_REQUIRE_FALSE(Encodable<std::initializer_list<int>>);
    STATIC_REQUIRE_FALSE(is_plain_v<int (*)()>);
    STATIC_REQUIRE_FALSE(is_plain_v<WithPointer>);
    STATIC_REQUIRE_FALSE(is_plain_v<std::array<WithPointer, 3>>);
    STATIC_REQUIRE_FALSE(is_plain_v<std::string_view>);
    STATIC_REQUIRE_FALSE(is_plain_v<std::reference_wrapper<int>>);
    STATIC_REQUIRE_FALSE(is_plain_v<Mine>);
    STATIC_REQUIRE_FALSE(is_plain_v<WithMine>);
    STATIC_REQUIRE_FALSE(is_plain_v<HoldsReference>);
}

TEST_CASE("empty types have no bytes") {
    CHECK(to_bytes(Empty{}).empty());
    CHECK(to_bytes(std::tuple<>{}).empty());
}

TEST_CASE("a specialisation comes before everything else") {
    CHECK(to_bytes(Mine{1})[0] == std::byte{2});
    CHECK(round_trip(Mine{1}) == Mine{1});
    CHECK(round_trip(std::vector{Mine{1}, Mine{2}}) == std::vector{Mine{1}, Mine{2}});
    CHECK(round_trip(WithMine{{3}}).mine == Mine{3});
}

TEST_CASE("aggregates travel field by field") {
    Tree tree{{1, 2.5}, {}, nullptr, {"a", "b"}};
    tree.children.push_back(Tree{{3, 4}, {}, std::make_unique<Tree>(), {"", "c"}});
    const Tree copy = round_trip(tree);
    CHECK(copy.point == tree.point);
    CHECK(copy.parent == nullptr);
    CHECK(copy.names[1] == "b");
    REQUIRE(copy.children.size() == 1);
    CHECK(copy.children[0].parent != nullptr);
    CHECK(copy.children[0].names[1] == "c");

    CHECK(round_trip(HoldsNoDefault{NoDefault(5), "x"}).a.number == 5);
    CHECK(round_trip(Bits{5, 9, "c"}) == Bits{5, 9, "c"});
    CHECK(round_trip(NoDefault(6)).number == 6);
}

TEST_CASE("Encodable looks at what types are made of") {
    STATIC_REQUIRE(Encodable<Tree>);
    STATIC_REQUIRE(Encodable<const Tree&>);
    STATIC_REQUIRE(Encodable<std::map<std::string, std::vector<std::optional<std::tuple<Mine, Tree>>>>>);
    STATIC_REQUIRE_FALSE(Encodable<void>);
    STATIC_REQUIRE_FALSE(Encodable<HoldsReference>);
    STATIC_REQUIRE_FALSE(Encodable<std::mutex>);
    STATIC_REQUIRE_FALSE(Encodable<WithMutex>);
    STATIC_REQUIRE_FALSE(Encodable<std::vector<std::mutex>>);
    STATIC_REQUIRE_FALSE(Encodable<std::map<int, std::pair<int, WithMutex>>>);
    STATIC_REQUIRE_FALSE(Encodable<std::shared_ptr<int>>);
    STATIC_REQUIRE_FALSE(Encodable<std::optional<std::shared_ptr<int>>>);
    STATIC_REQUIRE_FALSE(Encodable<std::function<void()>>);
    STATIC_REQUIRE_FALSE(Encodable<std::thread>);
    STATIC_REQUIRE_FALSE(Encodable<std::condition_variable>);
    STATIC_REQUIRE_FALSE(Encodable<std::ostream&>);
    STATIC_REQUIRE_FALSE(Encodable<std::tuple<int&>>);
    STATIC_REQUIRE_FALSE(Encodable<std::unique_ptr<std::ostream>>);
}

TEST_CASE("a bool that is neither true nor false is refused") {
    const std::byte two[]{std::byte{2}};
    CHECK_THROWS_AS(from_bytes<bool>(two), CodecError);
}
