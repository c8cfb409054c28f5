// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/type_text.hpp>

#include "support/catch.hpp"

#include <functional>
#include <string>
#include <vector>

using namespace procpool;

namespace {

template <class F>
consteval bool is_closure(const F&) {
    return detail::is_closure_v<F>;
}
template <class F>
struct Holds {
    explicit Holds(F);
    F f;
};
template <class F>
Holds(F) -> Holds<F>;

int global = 0;
const auto at_namespace = [](int n) { return n + global; };

template <class T>
struct Maker {
    T member{};
    auto operator<(const T& other) const {
        return [other, this] { return member < other; };
    }
    static auto make() {
        return [t = T{}](auto&&...) { return t; };
    }
};

template <class F>
struct lambda {  // a name that looks like GCC's
    explicit lambda(F*);
};
struct NamedUnion {
    union {
        int a;
        float b;
    } member;
};
union Union {
    int a;
};

}  // namespace

TEST_CASE("closures are told from everything else") {
    const int captured = at_namespace(1);
    const auto by_value = [captured](std::vector<std::vector<int>> v, int (*f)(int)) {
        return f(captured) + static_cast<int>(v.size());
    };
    const auto by_reference = [&captured](auto x) mutable noexcept -> int { return captured + x; };
    const auto nested = [by_value] { return by_value; };
    STATIC_REQUIRE(detail::is_closure_v<std::remove_const_t<decltype(by_value)>>);
    STATIC_REQUIRE(detail::is_closure_v<std::remove_const_t<decltype(by_reference)>>);
    STATIC_REQUIRE(detail::is_closure_v<std::remove_const_t<decltype(nested)>>);
    STATIC_REQUIRE(detail::is_closure_v<std::remove_const_t<decltype(at_namespace)>>);
    STATIC_REQUIRE(detail::is_closure_v<decltype(Maker<std::string>::make())>);
    STATIC_REQUIRE(detail::is_closure_v<decltype(Maker<int>{} < 3)>);
    STATIC_REQUIRE(detail::is_closure_v<decltype([]<class T>(T, T) {})>);

    using Closure = std::remove_const_t<decltype(by_value)>;
    auto local = [captured] {
        struct Local {
            explicit Local(int n) : number(n) {}
            int number;
        };
        return Local{captured};
    };
    STATIC_REQUIRE_FALSE(detail::is_closure_v<decltype(local())>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<Holds<Closure>>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<lambda<int(int)>>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<Holds<lambda<int(int)>>>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<std::vector<Closure>>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<std::function<lambda<int>(int)>>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<std::string>);
    STATIC_REQUIRE_FALSE(detail::is_closure_v<int>);
}

TEST_CASE("unions without a name are told") {
    STATIC_REQUIRE(detail::is_unnamed_union_v<decltype(NamedUnion::member)>);
    STATIC_REQUIRE_FALSE(detail::is_unnamed_union_v<Union>);
    STATIC_REQUIRE_FALSE(detail::is_unnamed_union_v<NamedUnion>);
}

TEST_CASE("a type is called by its name") {
    STATIC_REQUIRE(detail::type_text<int>() == "int");
    STATIC_REQUIRE(detail::type_text<std::less<int>>().starts_with("std::less<"));
}
