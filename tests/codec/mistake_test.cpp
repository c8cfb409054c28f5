// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/mistake.hpp>

#include <procpool/codec/bind_front.hpp>

#include "support/catch.hpp"

#include <memory>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;

namespace {

template <class Expected, class F, class... Passed>
constexpr bool is_mistake = std::is_same_v<mistake_t<F, Passed...>, Expected>;

struct Account {
    int add(int n) noexcept { return n; }
};
struct Overloaded {
    void operator()(int) const {}
    void operator()(std::string, int) const {}
};

}  // namespace

TEST_CASE("what is wrong with a call is told by the function's type") {
    STATIC_REQUIRE(is_mistake<NotAFunction, int, int&&>);
    STATIC_REQUIRE(is_mistake<NotAFunction, int*, int&&>);
    STATIC_REQUIRE(is_mistake<NotAFunction, std::vector<int>, int&&>);
    STATIC_REQUIRE(is_mistake<TakesReference, void (*)(int&), int&&>);
    STATIC_REQUIRE(is_mistake<TakesReference, void (*)(const int&, std::string&), int&&, std::string&&>);
    STATIC_REQUIRE(is_mistake<TooFew<1, 2>, int (*)(int, int) noexcept, int&&>);
    STATIC_REQUIRE(is_mistake<TooMany<1, 0>, void (*)(), int&&>);
    STATIC_REQUIRE(is_mistake<WrongType<2, std::string, int>, int (*)(int, int), int&&, std::string&&>);
    STATIC_REQUIRE(is_mistake<TooFew<1, 2>, decltype(&Account::add), Account&&>);
    STATIC_REQUIRE(is_mistake<WrongType<1, std::unique_ptr<int>, std::unique_ptr<int>>, void (*)(std::unique_ptr<int>),
                              const std::unique_ptr<int>&>);
}

TEST_CASE("a stop token is no argument that is missing") {
    STATIC_REQUIRE(is_mistake<TooFew<0, 1>, void (*)(std::stop_token, int)>);
    STATIC_REQUIRE(is_mistake<TooMany<2, 1>, void (*)(const std::stop_token&, int), int&&, int&&>);
}

TEST_CASE("closures tell as functions do - generic and overloaded ones nothing") {
    const auto plain = [](int, int) {};
    const auto mutable_one = [n = 0](int) mutable { return ++n; };
    const auto generic = [](auto a, auto b) { return a + b; };
    STATIC_REQUIRE(is_mistake<TooFew<1, 2>, std::remove_const_t<decltype(plain)>, int&&>);
    STATIC_REQUIRE(is_mistake<TooMany<2, 1>, std::remove_const_t<decltype(mutable_one)>, int&&, int&&>);
    STATIC_REQUIRE(is_mistake<OtherMistake, std::remove_const_t<decltype(generic)>, int&&>);
    STATIC_REQUIRE(is_mistake<OtherMistake, Overloaded, std::vector<int>&&>);
}

TEST_CASE("a bound function tells of the function within - counted without the values") {
    const auto f = [](const std::string&, int, int) {};
    using Bound = decltype(procpool::bind_front(f, "text"));
    STATIC_REQUIRE(is_mistake<TooFew<1, 2>, Bound, int&&>);
    STATIC_REQUIRE(is_mistake<TooMany<3, 2>, Bound, int&&, int&&, int&&>);
    STATIC_REQUIRE(is_mistake<WrongType<2, std::string, int>, Bound, int&&, std::string&&>);
    STATIC_REQUIRE(is_mistake<WrongBound, decltype(procpool::bind_front(f, 1)), int&&, int&&>);
    STATIC_REQUIRE(is_mistake<WrongBound, decltype(procpool::bind_front(f, "text", 1, 2, 3))>);
}
