// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/scope.hpp>

#include "support/catch.hpp"

#include <string>

using namespace procpool;
using detail::core::OnExit;
using detail::core::Restore;

TEST_CASE("a function is called at the end of its scope") {
    int calls = 0;
    {
        const OnExit count{[&] { ++calls; }};
        CHECK(calls == 0);
    }
    CHECK(calls == 1);
}

TEST_CASE("a function is called when an exception leaves its scope") {
    int calls = 0;
    try {
        const OnExit count{[&] { ++calls; }};
        throw 3;
    } catch (int) { CHECK(calls == 1); }
    CHECK(calls == 1);
}

TEST_CASE("a variable gets back the value it had") {
    std::string text = "before";
    {
        const Restore inside{text, std::string{"inside"}};
        CHECK(text == "inside");
        CHECK(inside.before() == "before");
        text = "changed";
    }
    CHECK(text == "before");

    int number = 1;
    {
        const Restore kept{number};
        CHECK(number == 1);
        number = 2;
    }
    CHECK(number == 1);
}
