// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/bind_front.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Account {
    std::string owner;
    int balance = 0;
    [[nodiscard]] int after(int n) const { return balance + n; }
};

int repeat_length(const std::string& text, int n) { return static_cast<int>(text.size()) * n; }

/// The result of the call in a worker.
template <class F, class... Args>
auto called(const F& f, const Args&... args) {
    Bytes call;
    encode_call<F, Args...>(call.writer, f, args...);
    Bytes result;
    const auto bytes = call.written();
    Reader in(bytes);
    run_call<F, Args...>(in, result.writer);
    return from_bytes<task_result_t<F, Args...>>(result.written());
}

}  // namespace

TEST_CASE("bind_front carries strings and containers and a structure of them") {
    const std::map<std::string, int> limits{{"x", 7}};
    const auto f = procpool::bind_front(
        [](const std::map<std::string, int>& all, const Account& account, const std::vector<std::string>& keys, int n) {
            return all.at(keys[0]) + account.balance + n;
        },
        limits, Account{"me", 100}, std::vector<std::string>{"x"});
    CHECK(f(1) == 108);
    CHECK(called(f, 1) == 108);
    CHECK(called(procpool::bind_front(&Account::after, Account{"me", 4}), 5) == 9);
    CHECK(called(procpool::bind_front(repeat_length, "four"), 2) == 8);
    CHECK(called(procpool::bind_front([] { return 3; })) == 3);
}

TEST_CASE("bind_front turns literals and views of characters into strings") {
    char changed[] = "array";
    const auto f = procpool::bind_front(
        [](std::string_view a, const std::string& b, const char* c, char d) { return std::string(a) + b + c + d; },
        "literal ", std::string_view("view "), changed);
    STATIC_REQUIRE(std::is_same_v<std::remove_cvref_t<decltype(std::get<0>(f.values))>, std::string>);
    changed[0] = 'A';
    CHECK(f('!') == "literal view array!");
    CHECK(called(f, '!') == "literal view array!");
}

TEST_CASE("bind_front of bind_front keeps the order of the values") {
    const auto inner = procpool::bind_front(
        [](const std::string& a, const std::string& b, int n) { return a + b + std::to_string(n); }, "a");
    CHECK(called(procpool::bind_front(inner, "b"), 1) == "ab1");
}

TEST_CASE("what bind_front has bound is const for its function so that all calls find it alike") {
    const auto takes_it = [](std::string& text, int) { text += "x"; };
    STATIC_REQUIRE_FALSE(TaskCall<decltype(procpool::bind_front(takes_it, "text")), int>);
    const auto copies_it = [](std::string text, int) { return std::move(text) += "x"; };
    const auto f = procpool::bind_front(copies_it, "text");
    CHECK(f(1) == "textx");
    CHECK(f(1) == "textx");
}

TEST_CASE("bind_front moves what cannot be copied and a function that takes it away can be called once") {
    auto takes = procpool::bind_front([](std::unique_ptr<int> p, int n) { return *p + n; }, std::make_unique<int>(40));
    STATIC_REQUIRE(call_t<decltype(takes), int>::once);
    STATIC_REQUIRE(TaskCall<decltype(takes), int>);
    CHECK(called(takes, 2) == 42);
    CHECK(std::move(takes)(2) == 42);
    const auto looks =
        procpool::bind_front([](const std::unique_ptr<int>& p, int n) { return *p + n; }, std::make_unique<int>(40));
    STATIC_REQUIRE_FALSE(call_t<decltype(looks), int>::once);
    CHECK(called(looks, 2) == 42);
}

TEST_CASE("a bound function gets a stop token before the bound values") {
    const auto f = procpool::bind_front(
        [](std::stop_token, const std::string& text, int n) { return repeat_length(text, n); }, "ab");
    STATIC_REQUIRE(takes_stop_token_v<decltype(f), int>);
    CHECK(called(f, 3) == 6);
}

TEST_CASE("bind_front refuses a function that captured what only this process has and values that name it") {
    const auto here = std::make_unique<int>(1);
    const int& number = *here;
    Bytes bytes;
    const auto f = procpool::bind_front(
        [&number](const std::string& text) { return text.size() + static_cast<std::size_t>(number); }, "text");
    CHECK_THROWS_AS(encode_call(bytes.writer, f), CodecError);
    const auto g = procpool::bind_front([](const int* p) { return *p; }, here.get());
    CHECK_THROWS_AS(encode_call(bytes.writer, g), CodecError);
}

TEST_CASE("a function object that can only be called as an rvalue is one for a single task") {
    struct Once {
        std::string text;
        std::string operator()(int n) && { return std::move(text) + std::to_string(n); }
    };
    STATIC_REQUIRE(call_t<Once, int>::once);
    CHECK(called(Once{"a"}, 1) == "a1");
}
