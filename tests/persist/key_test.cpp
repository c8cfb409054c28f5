// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/key.hpp>

#include <procpool/persist/type_digest.hpp>

#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <complex>
#include <cstring>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <span>
#include <stack>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::persist;

namespace {

template <class T>
[[nodiscard]] Digest key_of(const T& value) {
    KeyBytes bytes;
    add_value(bytes.writer(), value);
    return bytes.digest();
}
template <class F>
[[nodiscard]] Digest key_of_callable(const F& f, bool by_symbol = false) {
    KeyBytes bytes;
    add_callable(bytes.writer(), f, by_symbol);
    return bytes.digest();
}

struct Padded {
    char letter;
    double number;
    short small;
};
struct Nested {
    Padded first;
    char letter;
    Padded others[2];
};
struct Bits {
    unsigned a : 3;
    unsigned b : 7;
    unsigned char c;
};
/// Not taken apart, so that its padding is cleared as a whole.
class Opaque {
public:
    Opaque(char letter, double number) : letter_(letter), number_(number) {}

private:
    char letter_;
    double number_;
};
struct Tree {
    std::string name;
    std::vector<Tree> below;
};
class Archived {
public:
    Archived(int x, Padded p) : x_(x), padded_(p) {}
    Archived() = default;
    template <class Archive>
    void serialize(Archive& archive) {
        archive& x_& padded_;
    }

private:
    int x_ = 0;
    Padded padded_{};
};
struct Coded {
    int x;
    int cached;
};

/// Returns: the value in memory whose other bytes are `fill`.
template <class T, class... Args>
struct InDirt {
    alignas(T) unsigned char memory[sizeof(T)];
    T* value;

    explicit InDirt(unsigned char fill, Args... args) {
        std::memset(memory, fill, sizeof(memory));
        value = ::new (memory) T{args...};
    }
};

int first_function(int x) { return x; }
int second_function(int x) { return -x; }

}  // namespace

template <>
inline constexpr bool procpool::enable_plain<Opaque> = true;
template <>
struct procpool::Codec<Coded> {
    static void encode(Writer& out, const Coded& coded) { Codec<int>::encode(out, coded.x); }
    static Coded decode(Reader& in) { return {Codec<int>::decode(in), 0}; }
};

TEST_CASE("padding is no part of a key") {
    const InDirt<Padded, char, double, short> zeros{0, 'a', 1.5, short{3}};
    const InDirt<Padded, char, double, short> ones{0xff, 'a', 1.5, short{3}};
    REQUIRE(std::memcmp(zeros.memory, ones.memory, sizeof(Padded)) != 0);
    CHECK(key_of(*zeros.value) == key_of(*ones.value));
    CHECK(key_of(*zeros.value) != key_of(Padded{'a', 1.5, 4}));
    CHECK(key_of(*zeros.value) != key_of(Padded{'b', 1.5, 3}));

    const std::vector<Padded> one{*zeros.value, *ones.value};
    const std::vector<Padded> other{*ones.value, *zeros.value};
    CHECK(key_of(one) == key_of(other));
    Nested nested{*zeros.value, 'x', {*zeros.value, *ones.value}};
    Nested same{*ones.value, 'x', {*ones.value, *zeros.value}};
    CHECK(key_of(nested) == key_of(same));
    CHECK(key_of(std::pair{1, *zeros.value}) == key_of(std::pair{1, *ones.value}));
    CHECK(key_of(std::optional{*zeros.value}) == key_of(std::optional{*ones.value}));
    CHECK(key_of(Archived{1, *zeros.value}) == key_of(Archived{1, *ones.value}));
    CHECK(key_of(std::array{*zeros.value}) == key_of(std::array{*ones.value}));

    Bits bits[2];
    std::memset(&bits[0], 0, sizeof(Bits));
    std::memset(&bits[1], 0xff, sizeof(Bits));
    for (Bits& some : bits) {
        some.a = 1;
        some.b = 2;
        some.c = 3;
    }
    CHECK(key_of(bits[0]) == key_of(bits[1]));

    const InDirt<long double, long double> exact{0, 1.0L};
    const InDirt<long double, long double> dirt{0xff, 1.0L};
    CHECK(key_of(*exact.value) == key_of(*dirt.value));
    CHECK(key_of(1.0L) != key_of(-1.0L));
}

#if defined(__has_builtin) && __has_builtin(__builtin_clear_padding)
TEST_CASE("padding of a class that cannot be taken apart is no part of a key") {
    const InDirt<Opaque, char, double> zeros{0, 'a', 1.5};
    const InDirt<Opaque, char, double> ones{0xff, 'a', 1.5};
    CHECK(key_of(*zeros.value) == key_of(*ones.value));
    CHECK(key_of(*zeros.value) != key_of(Opaque{'a', 2.5}));

    const auto bind = [](char letter, double number) {
        return [letter, number](double x) { return number * x + letter; };
    };
    using Closure = decltype(bind('a', 1.0));
    alignas(Closure) unsigned char memory[2][sizeof(Closure)];
    std::memset(memory[0], 0, sizeof(Closure));
    std::memset(memory[1], 0xff, sizeof(Closure));
    const Closure* const first = ::new (memory[0]) Closure(bind('a', 1.0));
    const Closure* const second = ::new (memory[1]) Closure(bind('a', 1.0));
    CHECK(key_of_callable(*first) == key_of_callable(*second));
    CHECK(key_of_callable(*first) != key_of_callable(bind('a', 2.0)));
}
#endif

TEST_CASE("unordered containers have one key in any order") {
    std::unordered_map<int, std::string> few;
    std::unordered_map<int, std::string> many(1000);
    std::unordered_set<std::string> words;
    std::unordered_set<std::string> more(1000);
    for (int i = 0; i != 100; ++i) {
        few.emplace(i, std::to_string(i));
        words.insert(std::to_string(i));
        many.emplace(99 - i, std::to_string(99 - i));
        more.insert(std::to_string(99 - i));
    }
    REQUIRE(!std::equal(few.begin(), few.end(), many.begin(), many.end()));
    CHECK(key_of(few) == key_of(many));
    CHECK(key_of(words) == key_of(more));
    many[5] = "other";
    CHECK(key_of(few) != key_of(many));
    more.erase("7");
    CHECK(key_of(words) != key_of(more));
    CHECK(key_of(std::unordered_multiset<int>{1, 1, 2}) != key_of(std::unordered_multiset<int>{1, 2, 2}));
    CHECK(key_of(std::unordered_multimap<int, int>{{1, 2}, {1, 3}}) ==
          key_of(std::unordered_multimap<int, int>{{1, 3}, {1, 2}}));
}

TEST_CASE("values that differ have keys that differ") {
    CHECK(key_of(1) != key_of(2));
    CHECK(key_of(0.0) != key_of(-0.0));
    CHECK(key_of(std::string("a")) != key_of(std::string("b")));
    CHECK(key_of(std::vector<std::string>{"ab", "c"}) != key_of(std::vector<std::string>{"a", "bc"}));
    CHECK(key_of(std::vector<int>{}) != key_of(std::vector<int>{0}));
    CHECK(key_of(std::vector<bool>{true, false}) != key_of(std::vector<bool>{false, true}));
    CHECK(key_of(std::list<int>{1, 2}) != key_of(std::list<int>{2, 1}));
    CHECK(key_of(std::deque<int>{1, 2}) != key_of(std::deque<int>{1}));
    CHECK(key_of(std::forward_list<int>{1, 2}) != key_of(std::forward_list<int>{1}));
    CHECK(key_of(std::set<int>{1, 2}) != key_of(std::set<int>{1, 3}));
    CHECK(key_of(std::map<int, int>{{1, 2}}) != key_of(std::map<int, int>{{2, 1}}));
    CHECK(key_of(std::optional<int>{}) != key_of(std::optional<int>{0}));
    CHECK(key_of(std::variant<int, long>{1}) != key_of(std::variant<int, long>{1L}));
    CHECK(key_of(std::make_unique<int>(1)) != key_of(std::make_unique<int>(2)));
    CHECK(key_of(std::unique_ptr<int>{}) != key_of(std::make_unique<int>(0)));
    CHECK(key_of(std::tuple{1, std::string("x")}) != key_of(std::tuple{1, std::string("y")}));
    CHECK(key_of(std::complex{1.0, 2.0}) != key_of(std::complex{2.0, 1.0}));
    CHECK(key_of(std::chrono::seconds{1}) != key_of(std::chrono::seconds{2}));
    CHECK(key_of(std::chrono::duration<double>{1}) != key_of(std::chrono::duration<double>{2}));
    CHECK(key_of(std::filesystem::path("a")) != key_of(std::filesystem::path("b")));
    CHECK(key_of(std::stack<int>{std::deque{1, 2}}) != key_of(std::stack<int>{std::deque{2, 1}}));
    CHECK(key_of(std::priority_queue<int>{{}, {1, 2}}) != key_of(std::priority_queue<int>{{}, {1, 3}}));
    CHECK(key_of(Tree{"a", {{"b", {}}}}) != key_of(Tree{"a", {{"c", {}}}}));
    CHECK(key_of(Archived{1, {'a', 1, 1}}) != key_of(Archived{1, {'a', 1, 2}}));
    CHECK(key_of(std::mt19937{1}) != key_of(std::mt19937{2}));
    const std::vector<int> all{1, 2, 3};
    CHECK(key_of(std::span<const int>(all)) != key_of(std::span<const int>(all).first(2)));
    CHECK(key_of(std::string(2000, 'x')) != key_of(std::string(1999, 'x') + 'y'));
}

TEST_CASE("a codec of the user decides what counts") {
    CHECK(key_of(Coded{1, 2}) == key_of(Coded{1, 3}));
    CHECK(key_of(Coded{1, 2}) != key_of(Coded{2, 2}));
    CHECK(key_of(std::vector{Coded{1, 2}}) == key_of(std::vector{Coded{1, 3}}));
    struct Options {
        double tolerance;
        ignore<int> verbosity;
    };
    CHECK(key_of(Options{1, {2}}) == key_of(Options{1, {3}}));
    CHECK(key_of(Options{1, {2}}) != key_of(Options{2, {2}}));
    struct Dense {
        int size;
        ignore<int> verbosity;
    };
    CHECK(key_of(Dense{1, {2}}) == key_of(Dense{1, {3}}));
    CHECK(key_of(std::vector{Dense{1, {2}}}) == key_of(std::vector{Dense{1, {3}}}));
    CHECK(key_of(Dense{1, {2}}) != key_of(Dense{2, {2}}));
}

TEST_CASE("functions and closures are told apart where their types have one name") {
    const auto first = [](int x) { return x + 1; };
    const auto second = [](int x) { return x + 2; };
    CHECK(key_of(first) != key_of(second));
    CHECK(key_of(&first_function) == key_of(&first_function));
    CHECK(key_of(&first_function) != key_of(&second_function));
    CHECK(key_of_callable(&first_function, true) == key_of_callable(&first_function, true));
    CHECK(key_of_callable(&first_function, true) != key_of_callable(&second_function, true));
    CHECK(key_of_callable(&Archived::serialize<SaveArchive>) != key_of_callable(&Archived::serialize<LoadArchive>));
    CHECK(name_of_function(reinterpret_cast<const void*>(&first_function)).find("first_function") != std::string::npos);
}

TEST_CASE("another build gives another code name to a place and the same type digest to a type") {
    CHECK(name_of_types<int>() == name_of_types<int>());
    CHECK(name_of_types<int>() != name_of_types<long>());
    CHECK(name_of_types<int, long>() != name_of_types<long, int>());
    CHECK(detail::os::build_of(name_of_types<int>()).size() >= 16);
    STATIC_REQUIRE(type_digest_v<int> != type_digest_v<long>);
    STATIC_REQUIRE(type_digest_v<int, long> != type_digest_v<long, int>);
    STATIC_REQUIRE(type_digest_v<std::vector<Padded>> != type_digest_v<std::vector<Nested>>);
}

namespace {
namespace before {
struct Options {
    int size;
    float scale;
};
}  // namespace before
namespace after {
struct Options {
    float scale;
    int size;
};
}  // namespace after
}  // namespace

TEST_CASE("a type whose members change has another digest") {
    // Of one name in two builds, this is all that tells them apart.
    constexpr std::uint64_t one =
        digest_parts(detail::codec::fields_t<before::Options>{}, detail::codec::TypeList<>{}, 1);
    constexpr std::uint64_t other =
        digest_parts(detail::codec::fields_t<after::Options>{}, detail::codec::TypeList<>{}, 1);
    STATIC_REQUIRE(one != other);
    STATIC_REQUIRE(type_digest_v<Tree> != type_digest_v<std::vector<Tree>>);
}
