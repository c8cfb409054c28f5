// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/callable.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <typeindex>

#include <span>
#include <type_traits>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

int doubled(int n) { return 2 * n; }

struct Thing {  // no smaller than a pointer to a table of virtual functions, which GCC 12 imagines in it
    long number;
    long plus(long n) const { return number + n; }
    auto bound() {
        return [this] { return number; };
    }
};

struct Adder {  // a function object that is an aggregate
    std::string text;
    std::string operator()(const std::string& more) const { return text + more; }
};
struct Scale {
    double factor;
    double operator()(double x) const { return factor * x; }
};
struct Follows {
    const int* pointer;
    int operator()() const { return *pointer; }
};
struct WithCodec {
    explicit WithCodec(int n) : number(std::make_shared<int>(n)) {}
    int operator()() const { return *number; }
    std::shared_ptr<int> number;
};

template <class F>
auto there_and_back(const F& f) {
    Bytes bytes;
    encode_callable(bytes.writer, f);
    const auto written = bytes.written();
    Reader reader(written);
    auto decoded = decode_callable<F>(reader);
    CHECK(reader.remaining() == 0);
    return decoded;
}

template <class F>
std::string refusal(const F& f) {
    return text_thrown<CodecError>([&] { there_and_back(f); });
}

}  // namespace

template <>
struct procpool::Codec<WithCodec> {
    static void encode(Writer& out, const WithCodec& value) { Codec<int>::encode(out, *value.number); }
    static WithCodec decode(Reader& in) { return WithCodec(Codec<int>::decode(in)); }
};

TEST_CASE("functions/members and closures travel") {
    CHECK(there_and_back(&doubled)(3) == 6);
    CHECK(std::invoke(there_and_back(&Thing::plus), Thing{1}, 2) == 3);
    CHECK(std::invoke(there_and_back(&Thing::number), Thing{4}) == 4);
    CHECK(there_and_back([](int n) { return n + 1; })(1) == 2);
    int seven = 7;
    double half = 0.5;
    CHECK(there_and_back([seven, half](int n) { return n * seven * half; })(2) == 7);
    CHECK(there_and_back([p = std::pair{1, 2}, t = std::tuple{3, 4L}] { return p.second + std::get<1>(t); })() == 6);
    CHECK(there_and_back(std::bind_front(&doubled, 4))() == 8);
    CHECK(there_and_back(std::plus<>{})(1, 2) == 3);
    auto counter = there_and_back([n = 0]() mutable { return ++n; });
    counter();
    CHECK(counter() == 2);
}

TEST_CASE("function objects travel by their Codec - field by field or as bytes") {
    CHECK(there_and_back(Adder{"a"})("b") == "ab");
    CHECK(there_and_back(Scale{2})(3) == 6);
    CHECK(there_and_back(WithCodec(5))() == 5);
    STATIC_REQUIRE(callable_kind_v<WithCodec> == CallableKind::value);
    STATIC_REQUIRE(callable_kind_v<decltype([] {})> == CallableKind::nothing);
}

TEST_CASE("closures that capture more than bytes do not travel") {
    const std::string text = "text";
    const auto closure = [text] { return text.size(); };
    STATIC_REQUIRE_FALSE(Sendable<decltype(closure)>);
    STATIC_REQUIRE_FALSE(Sendable<std::function<void()>>);
    STATIC_REQUIRE(Sendable<int(int)>);
}

TEST_CASE("captured references are refused with the ways out") {
    int local = 1;
    Thing thing{2};
    const auto large = std::make_unique<int[]>(1 << 20);
    const int* const heap = large.get();
    for (const std::string& text :
         {refusal([&local] { return local; }), refusal([c = 'c', &local] { return local + c; }),
          refusal([heap] { return *heap; }), refusal(thing.bound()),
          refusal(std::bind_front([](const int* p) { return *p; }, &local))}) {
        CHECK(contains(text, "captured a reference or pointer"));
        CHECK(contains(text, "capture by value"));
        CHECK(contains(text, "pass it as an argument"));
        CHECK(contains(text, "procpool::bind_front(f, values...)"));
        CHECK(contains(text, "shared memory (SharedArray, Shared)"));
        CHECK(contains(text, "use fork_map"));
        CHECK(contains(text, "a task that needs a pool builds its own"));
        CHECK(contains(text, "procpool::snapshot()"));
    }
    CHECK(contains(refusal(Follows{&local}), "int const*"));
}

TEST_CASE("what captured pointers to shared memory and to the program may travel") {
    std::vector<int> memory{1, 2, 3};
    const Sharing sharing{std::span(memory)};
    CHECK(there_and_back([p = memory.data()] { return p[1]; })() == 2);
    CHECK(there_and_back([span = std::span(memory)] { return span[2]; })() == 3);
    CHECK(there_and_back([p = &doubled] { return p(1); })() == 2);
    CHECK(there_and_back([text = "literal"] { return *text; })() == 'l');
}

TEST_CASE("numbers are not taken for references where no reference is") {
    const int local = 1;
    const auto number = reinterpret_cast<std::uintptr_t>(&local);  // as a hash or an id may be by chance
    CHECK(there_and_back([number] { return number; })() == number);
    CHECK(there_and_back([number, c = 'c'] { return number + static_cast<unsigned char>(c); })() == number + 'c');
    CHECK(there_and_back([a = std::array{number, number}] { return a[1]; })() == number);
}

TEST_CASE("where a number may be meant the refusal says so") {
    const int local = 1;
    const auto number = reinterpret_cast<std::uintptr_t>(&local);
    static const int table[] = {1, 2};
    const auto text = refusal([number, t = &table] { return number + static_cast<unsigned>((*t)[0]); });
    if (numbers_are_told_apart) {
        CHECK(text == "nothing was thrown");
    } else {
        CHECK(contains(text,
                       "if it is a number that only looks like such an address, pass it as an argument or through "
                       "procpool::bind_front()"));
    }
}

TEST_CASE("what a closure's padding held before is not taken for a reference") {
    static const int table[] = {1, 2};
    const auto check = [](const auto& closure) {
        using F = std::remove_cvref_t<decltype(closure)>;
        union Storage {
            Storage() noexcept {
                for (const void*& word : words) { word = this; }
            }
            ~Storage() {}
            const void* words[sizeof(F) / sizeof(void*)];
            F copy;
        } storage;
        const auto* const bytes = reinterpret_cast<const std::byte*>(&closure);
        for (std::size_t i = 0; i != sizeof(F); ++i) {  // as a compiler may copy it, byte by byte, but for the padding
            if (i % sizeof(void*) == 0 || i / sizeof(void*) == 1) {
                reinterpret_cast<std::byte*>(&storage.copy)[i] = bytes[i];
            }
        }
        CHECK(there_and_back(storage.copy)() == closure());
    };
    check([letter = 'x', t = &table, flag = true] { return letter + (*t)[0] + flag; });
    check([flag = true, real = 1.5] { return flag ? real : -real; });
}

TEST_CASE("numbers between padding are not taken for references") {
    for (int i = 0; i != 100; ++i) {
        CHECK(there_and_back([letter = 'x', i, d = 1.5] { return letter + i + static_cast<int>(d); })() == 'x' + i + 1);
    }
}

TEST_CASE("a snapshot may refer to anything") {
    int local = 1;
    auto decoded = there_and_back(snapshot([&local](int n) { return local + n; }));
    CHECK(decoded(2) == 3);
    CHECK(std::as_const(decoded)(2) == 3);
    auto counts = there_and_back(snapshot([&local]() mutable { return ++local; }));
    CHECK(counts() == 2);
    CHECK(there_and_back(snapshot(&doubled))(2) == 4);
    CHECK(there_and_back(snapshot(doubled))(2) == 4);
}

TEST_CASE("a closure that is a value is searched as a function is") {
    int number = 5;
    const auto by_value = [number](int n) { return number + n; };
    const auto by_reference = [&number] { return number; };
    CHECK(round_trip(by_value)(1) == 6);
    CHECK(round_trip(std::vector{by_value, by_value})[1](2) == 7);
    CHECK(round_trip(std::optional(by_value)).value()(3) == 8);
    CHECK(std::get<0>(round_trip(std::tuple{by_value, 1}))(4) == 9);
    CHECK(round_trip(std::bind(doubled, 4))() == 8);
    CHECK(round_trip(std::bind_front(doubled, 5))() == 10);
    CHECK_THROWS_AS(to_bytes(by_reference), CodecError);
    CHECK_THROWS_AS(to_bytes(std::vector{by_reference}), CodecError);
    CHECK_THROWS_AS(to_bytes(std::pair{1, by_reference}), CodecError);
    CHECK_THROWS_AS(to_bytes(std::bind(by_reference)), CodecError);
    STATIC_REQUIRE(Encodable<decltype(snapshot(by_reference))>);
    const std::string text = "text";
    STATIC_REQUIRE_FALSE(Encodable<decltype([text] { return text; })>);
    STATIC_REQUIRE(callable_kind_v<decltype(by_value)> == CallableKind::bytes);
}

TEST_CASE("what names something static in the program travels") {
    CHECK(round_trip(std::type_index(typeid(int))) == std::type_index(typeid(int)));
}
