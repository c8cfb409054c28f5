// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/codec.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#if __has_include(<boost/utility/string_view.hpp>)
#include <boost/utility/string_view.hpp>
#define PROCPOOL_TEST_HAS_BOOST
#endif
#include <fmt/core.h>
#include <array>
#include <bitset>
#include <chrono>
#include <cmath>
#include <complex>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <ranges>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

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
struct HoldsConstReference {
    const std::string& reference;
    int number;
};
struct HoldsRvalueReference {
    int&& reference;
};
struct DefaultedReference {  // which its initialisers do not reveal
    static inline int somewhere = 0;
    int number;
    int& reference = somewhere;
};
struct Derived : Point {
    int z;
    bool operator==(const Derived&) const = default;
};
struct DerivedFromPointer : WithPointer {
    int z;
};
struct ConstMember {
    const int a;
    int b;
};
class Hidden {  // hides its members, unlike an aggregate
public:
    explicit Hidden(int* pointer) : pointer_(pointer) {}
    [[nodiscard]] int* get() const { return pointer_; }

private:
    int* pointer_;
};
struct HoldsHidden {
    int number;
    Hidden hidden;
};
struct Large {
    char text[300];
    double numbers[70];
    bool flag;
};
struct LargeWithPointer {
    char text[300];
    int* pointer;
};
struct LargeWithHidden {
    char text[300];
    Hidden hidden[2];
};
struct LargeWithConstReference {
    char text[300];
    const int& reference;
};
struct Explicit {
    explicit Explicit() = default;
};
struct LargeWithExplicit {  // {} does not initialise its second field
    char text[300];
    Explicit explicit_;
    int* pointer;
};
struct LargeWithUnion {
    char text[300];
    union {
        long number;
        int* pointer;
    };
};
#define PROCPOOL_TEN(name) name##0, name##1, name##2, name##3, name##4, name##5, name##6, name##7, name##8, name##9
struct Seventy {
    double PROCPOOL_TEN(a), PROCPOOL_TEN(b), PROCPOOL_TEN(c), PROCPOOL_TEN(d), PROCPOOL_TEN(e), PROCPOOL_TEN(f),
        PROCPOOL_TEN(g);
};
struct SeventyAndPointer {
    double PROCPOOL_TEN(a), PROCPOOL_TEN(b), PROCPOOL_TEN(c), PROCPOOL_TEN(d), PROCPOOL_TEN(e), PROCPOOL_TEN(f),
        PROCPOOL_TEN(g);
    int* pointer;
};
#undef PROCPOOL_TEN
union LargeUnion {
    long number;
    int* pointer;
};
union PlainUnion {
    long number;
    double real;
};
struct HoldsPlainUnion {
    PlainUnion number;
    int which;
};
struct AnonymousLargeUnion {
    std::string text;
    union {
        long number;
        int* pointer;
    };
};
struct Cursor {  // an iterator that can be looked into
    using difference_type = std::ptrdiff_t;
    using value_type = int;
    int at;
    int operator*() const { return at; }
    Cursor& operator++() { return *this; }
    Cursor operator++(int) { return *this; }
};
template <class T>
class Observer {
public:
    T& operator*() const { return *pointer_; }
    T* operator->() const { return pointer_; }

private:
    T* pointer_ = nullptr;
};
template <class T>
class Maybe {  // like std::optional
public:
    Maybe() = default;
    explicit Maybe(T value) : value_(value), has_(true) {}
    T& operator*() { return value_; }
    T* operator->() { return &value_; }
    [[nodiscard]] bool has_value() const { return has_; }

private:
    T value_{};
    bool has_ = false;
};
struct Empty {};
enum class Colour : unsigned char { red, green };
union Union {
    int a;
    float b;
};

}  // namespace

template <>
inline constexpr bool procpool::enable_plain<NoDefault> = true;
template <>
inline constexpr bool procpool::enable_plain<PlainUnion> = true;
template <class T>
inline constexpr bool procpool::enable_plain<Maybe<T>> = true;
template <class T>
inline constexpr bool procpool::enable_plain<Observer<T>> = true;  // to no avail
template <>
inline constexpr bool procpool::enable_plain<std::list<int>::iterator> = true;

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

TEST_CASE("an aggregate is looked into: bases; large arrays; consts; many members") {
    STATIC_REQUIRE(is_plain_v<Derived>);
    STATIC_REQUIRE(is_plain_v<ConstMember>);
    STATIC_REQUIRE(is_plain_v<Large>);
    STATIC_REQUIRE(is_plain_v<Seventy>);
    STATIC_REQUIRE(is_plain_v<HoldsPlainUnion>);
    Derived derived{{1, 2.5}, 3};
    CHECK(round_trip(derived) == derived);
    CHECK(to_bytes(Large{}).size() == sizeof(Large));

    STATIC_REQUIRE_FALSE(Encodable<DerivedFromPointer>);
    STATIC_REQUIRE_FALSE(is_plain_v<LargeWithPointer>);
    STATIC_REQUIRE(Encodable<LargeWithPointer>);  // the pointer as one, which the receiver has to share
    STATIC_REQUIRE_FALSE(is_plain_v<SeventyAndPointer>);
    STATIC_REQUIRE_FALSE(Encodable<SeventyAndPointer>);
    STATIC_REQUIRE_FALSE(Encodable<LargeWithHidden>);
    STATIC_REQUIRE_FALSE(Encodable<LargeWithExplicit>);
    STATIC_REQUIRE_FALSE(Encodable<LargeWithUnion>);
    int number = 0;
    CHECK_THROWS_AS(to_bytes(LargeWithPointer{"", &number}), CodecError);
}

TEST_CASE("references do not travel whatever they are members of") {
    STATIC_REQUIRE_FALSE(Encodable<HoldsConstReference>);
    STATIC_REQUIRE_FALSE(Encodable<HoldsRvalueReference>);
    STATIC_REQUIRE_FALSE(Encodable<DefaultedReference>);
    STATIC_REQUIRE_FALSE(Encodable<LargeWithConstReference>);
}

TEST_CASE("unions that have room for a pointer travel only if their author says so") {
    STATIC_REQUIRE_FALSE(Encodable<LargeUnion>);
    STATIC_REQUIRE_FALSE(Encodable<AnonymousLargeUnion>);
    STATIC_REQUIRE(is_plain_v<PlainUnion>);
    CHECK(round_trip(PlainUnion{5}).number == 5);
}

TEST_CASE("classes that cannot be looked into travel only if their author says so") {
    STATIC_REQUIRE_FALSE(Encodable<Hidden>);
    STATIC_REQUIRE_FALSE(Encodable<HoldsHidden>);
    STATIC_REQUIRE_FALSE(Encodable<std::vector<HoldsHidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::pair<int, Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::tuple<int, Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::optional<Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::variant<int, Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::array<Hidden, 2>>);
    STATIC_REQUIRE_FALSE(Encodable<std::map<int, Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::unique_ptr<Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::thread::id>);

    CHECK(*round_trip(Maybe<int>(5)) == 5);
}

TEST_CASE("what refers to memory elsewhere never travels") {
    STATIC_REQUIRE_FALSE(Encodable<std::vector<int>::iterator>);
    STATIC_REQUIRE_FALSE(Encodable<std::list<int>::iterator>);
    STATIC_REQUIRE_FALSE(Encodable<std::map<int, int>::const_iterator>);
    STATIC_REQUIRE_FALSE(Encodable<std::reverse_iterator<int*>>);
    STATIC_REQUIRE_FALSE(Encodable<std::back_insert_iterator<std::vector<int>>>);
    STATIC_REQUIRE_FALSE(Encodable<Cursor>);
    STATIC_REQUIRE_FALSE(Encodable<Observer<int>>);
    STATIC_REQUIRE_FALSE(Encodable<std::ranges::subrange<int*>>);
    STATIC_REQUIRE_FALSE(Encodable<std::ranges::ref_view<std::vector<int>>>);
    STATIC_REQUIRE_FALSE(Encodable<std::ranges::take_view<std::ranges::ref_view<std::vector<int>>>>);
#ifdef PROCPOOL_TEST_HAS_BOOST
    STATIC_REQUIRE_FALSE(Encodable<boost::string_view>);
#endif
    STATIC_REQUIRE_FALSE(Encodable<fmt::string_view>);
    STATIC_REQUIRE_FALSE(Encodable<std::vector<std::list<int>::iterator>>);
    STATIC_REQUIRE_FALSE(Encodable<std::optional<fmt::string_view>>);
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
