// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::string_literals;

namespace {

/// f(args...) as a worker would run it.
template <class F, class... Args>
auto call(const F& f, const Args&... args) {
    Bytes request;
    encode_call(request.writer, f, args...);
    const auto request_bytes = request.written();
    Reader reader(request_bytes);
    Bytes response;
    run_call<F, Args...>(reader, response.writer);
    CHECK(reader.remaining() == 0);
    using Result = task_result_t<F, Args...>;
    if constexpr (!std::is_void_v<Result>) {
        const auto bytes = response.written();
        return from_bytes<Result>(bytes);
    }
}

const auto echo = [](auto... args) { return std::tuple(std::move(args)...); };

int add(int a, int b) { return a + b; }
std::size_t length(const char* text) { return std::strlen(text); }

struct Shape {
    int sides = 0;
    virtual ~Shape() = default;
    virtual std::string name() const { return "shape"; }
    template <class Archive>
    void serialize(Archive& archive) {
        archive(sides);
    }
    static int twice(int n) { return 2 * n; }
};
struct Square : Shape {
    std::string name() const override { return "square"; }
};

struct Overloaded {
    int operator()(int) { return 1; }
    int operator()(const std::string&) { return 2; }
};

}  // namespace

TEST_CASE("API-02: every shape of argument arrives unchanged") {
    CHECK(call(echo) == std::tuple<>());
    CHECK(call(echo, std::int8_t{-1}, std::uint16_t{2}, std::int64_t{3}, true, 'c') ==
          std::tuple(std::int8_t{-1}, std::uint16_t{2}, std::int64_t{3}, true, 'c'));
    CHECK(std::isnan(std::get<0>(call(echo, std::numeric_limits<float>::quiet_NaN()))));
    CHECK(call(echo, "a\0b"s, ""s, "literal", std::string_view("view")) ==
          std::tuple("a\0b"s, ""s, "literal"s, "view"s));
    const std::vector<std::string> strings{"a", ""};
    const std::map<int, std::map<std::string, std::vector<std::optional<int>>>> nested{{1, {{"a", {1, {}}}}}, {2, {}}};
    const std::variant<int, std::string> choice("text");
    CHECK(call(echo, strings, nested, choice, std::vector<int>{}) ==
          std::tuple(strings, nested, choice, std::vector<int>{}));
    CHECK(call(echo, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12) == std::tuple(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

TEST_CASE("API-02: arguments are taken by value and const& and && and moved") {
    CHECK(call([](std::string a, const std::string& b, std::string&& c) { return a + b + c; }, "a", "b", "c") == "abc");
    CHECK(call([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(3)) != nullptr);
    CHECK(call([](std::string_view text) { return text.size(); }, "four") == 4);
    STATIC_REQUIRE_FALSE(TaskCall<void (*)(std::string&), std::string&>);
}

TEST_CASE("API-02: a wrong number of arguments does not make a call") {
    STATIC_REQUIRE(TaskCall<decltype(add), int, int>);
    STATIC_REQUIRE(TaskCall<decltype(&add), short, long>);
    STATIC_REQUIRE_FALSE(TaskCall<decltype(add), int>);
    STATIC_REQUIRE_FALSE(TaskCall<decltype(add), int, int, int>);
    STATIC_REQUIRE_FALSE(TaskCall<decltype(add), std::string, int>);
    STATIC_REQUIRE_FALSE(TaskCall<void (*)(std::shared_ptr<int>), std::shared_ptr<int>>);
    STATIC_REQUIRE_FALSE(TaskCall<std::mutex (*)()>);
    STATIC_REQUIRE(TaskCall<void (*)()>);
}

TEST_CASE("API-03: every kind of callable is called") {
    CHECK(call(add, 1, 2) == 3);
    CHECK(call(&add, 1, 2) == 3);
    CHECK(call(&Shape::twice, 2) == 4);
    CHECK(call(&Shape::name, Square{}) == "square");
    CHECK(call(&Shape::sides, Shape{}) == 0);
    CHECK(call(std::bind_front(&add, 1), 2) == 3);
    CHECK(call(Overloaded{}, "text") == 2);
    CHECK(call(Overloaded{}, 1) == 1);
    Square square;
    CHECK_THROWS_AS(call(&Shape::name, static_cast<Shape*>(&square)), CodecError);
}

TEST_CASE("functions that want a pointer to text get one") {
    CHECK(call(length, "four") == 4);
    CHECK(call(length, std::string_view("fourth").substr(0, 4)) == 4);
    CHECK(call([](std::string a, const char* b, std::string_view c) { return a + b + std::string(c); }, "a", "b",
               "c") == "abc");
    CHECK(call([](std::stop_token, const char* text) { return std::string(text); }, "text") == "text");
    STATIC_REQUIRE(std::is_same_v<arguments_t<decltype(length), const char*>, std::tuple<TextArgument>>);
    STATIC_REQUIRE(std::is_same_v<arguments_t<void (*)(std::string), const char(&)[5]>, std::tuple<std::string>>);
}

TEST_CASE("a function invocable only with a stop_token gets one") {
    STATIC_REQUIRE(takes_stop_token_v<void (*)(std::stop_token, int), int>);
    STATIC_REQUIRE_FALSE(takes_stop_token_v<void (*)(int), int>);
    STATIC_REQUIRE_FALSE(takes_stop_token_v<decltype(echo), int>);
    std::stop_source source;
    source.request_stop();
    Bytes request, response;
    const auto f = [](const std::stop_token& token, int n) { return token.stop_requested() ? n : 0; };
    encode_call(request.writer, f, 5);
    const auto bytes = request.written();
    Reader reader(bytes);
    run_call<decltype(f), int>(reader, response.writer, source.get_token());
    CHECK(from_bytes<int>(response.written()) == 5);
}

TEST_CASE("results arrive by value") {
    STATIC_REQUIRE(std::is_same_v<task_result_t<const std::string& (*)(const std::string&), const char*>, std::string>);
    STATIC_REQUIRE(std::is_same_v<task_result_t<const char* (*)()>, std::string>);
    STATIC_REQUIRE(std::is_same_v<task_result_t<std::string_view (*)(std::string), std::string>, std::string>);
    STATIC_REQUIRE(std::is_same_v<task_result_t<void (*)()>, void>);
    CHECK(call([](const std::string& text) -> const std::string& { return text; }, "long enough to be on the heap") ==
          "long enough to be on the heap");
    CHECK(call([](const std::string& text) { return std::string_view(text).substr(5); },
               "long enough to be on the heap") == "enough to be on the heap");
    CHECK(call([] { return "literal"; }) == "literal");
    call([] {});
}

TEST_CASE("functions and arrays are passed and returned as what they decay to") {
    const auto apply = [](int (*f)(int, int), int n) { return f(n, n); };
    CHECK(call(apply, add, 2) == 4);
    CHECK(call(apply, *add, 2) == 4);
    CHECK(call([]() -> int (&)(int, int) { return add; })(1, 2) == 3);
    CHECK(call([] { return &add; })(1, 2) == 3);
    CHECK(call([]() -> const char(&)[5] { return "text"; }) == "text");
    STATIC_REQUIRE(std::is_same_v<task_result_t<int(&(*)())[3]>, int*>);
    CHECK_THROWS_AS(call([]() -> int(&)[3] {
                        static int numbers[3]{};
                        return numbers;
                    }),
                    CodecError);
}

TEST_CASE("results do not view what ends with the task") {
    STATIC_REQUIRE_FALSE(TaskCall<std::vector<std::string_view> (*)()>);
    CHECK_THROWS_AS(call([](std::span<int> span) { return span; }, std::span<int>(std::vector<int>(2).data(), 2)),
                    CodecError);
    std::vector<int> memory(3);
    const Sharing sharing{std::span(memory)};
    CHECK(call([](std::span<int> span) { return span.subspan(1); }, std::span(memory)).data() == &memory[1]);
}

TEST_CASE("references and spans of shared memory reach the memory itself") {
    std::vector<int> memory{1, 2, 3};
    const Sharing sharing{std::span(memory)};
    call([](int& n, std::span<int> span) { n = span[2]; }, std::ref(memory[0]), std::span(memory));
    CHECK(memory[0] == 3);
    int local = 0;
    CHECK_THROWS_AS(call([](int&) {}, std::ref(local)), CodecError);
    std::vector<int> other{4, 5};
    CHECK(call([](std::span<int> span) { return std::accumulate(span.begin(), span.end(), 0); }, std::span(other)) ==
          9);
}

TEST_CASE("calls whose bytes are everything are known") {
    STATIC_REQUIRE(is_plain_call_v<decltype(add), int, int>);
    STATIC_REQUIRE(is_plain_call_v<decltype([](double) {}), double>);
    STATIC_REQUIRE(is_plain_call_v<decltype([a = 1](std::array<int, 4>) { return a; }), std::array<int, 4>>);
    STATIC_REQUIRE_FALSE(is_plain_call_v<decltype(length), const char*>);
    STATIC_REQUIRE_FALSE(is_plain_call_v<void (*)(std::vector<int>), std::vector<int>>);
    STATIC_REQUIRE_FALSE(is_plain_call_v<decltype(add), int*, int>);
}

namespace {

struct CountsMoves {
    int moves = 0;
    CountsMoves() = default;
    CountsMoves(CountsMoves&& other) noexcept : moves(other.moves + 1) {}
    CountsMoves& operator=(CountsMoves&&) = delete;
};

}  // namespace

template <>
struct procpool::Codec<CountsMoves> {
    static void encode(Writer& out, const CountsMoves& value) { Codec<int>::encode(out, value.moves); }
    static CountsMoves decode(Reader& in) {
        static_cast<void>(Codec<int>::decode(in));
        return {};
    }
};

TEST_CASE("an argument that is taken by value is decoded there") {
    CHECK(call([](CountsMoves one) { return one.moves; }, CountsMoves{}) == 0);
    CHECK(call([](const CountsMoves& one) { return one.moves; }, CountsMoves{}) == 0);
    CHECK(call([](CountsMoves&& one) { return one.moves; }, CountsMoves{}) == 0);
}

TEST_CASE("a result may be a reference to the only argument") {
    CHECK(call([](const std::string& text) -> const std::string& { return text; },
               "a long text that is on the heap"s) == "a long text that is on the heap");
    CHECK(call([](std::string&& text) -> std::string&& { return std::move(text); }, "text"s) == "text");
}
