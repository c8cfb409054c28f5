// SPDX-License-Identifier: BSL-1.0
#include <procpool/worker/initializer.hpp>

#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>

using procpool::Initializer;

namespace {

struct Fixed {
    explicit Fixed(int n) : number(n) {}
    Fixed(const Fixed&) = delete;
    Fixed& operator=(const Fixed&) = delete;
    int number;
};

int calls = 0;
void count_call() { ++calls; }
int count_and_return() { return ++calls; }
std::string text() { return "text"; }

}  // namespace

TEST_CASE("an initializer may be none in every way that a std::function may") {
    using Function = std::function<void()>;
    void (*const null_pointer)() = nullptr;
    const std::function<std::string()> empty;
    for (const Initializer& none : {Initializer{}, Initializer(nullptr), Initializer(null_pointer),
                                    Initializer(Function{}), Initializer(empty), Initializer(Initializer{})}) {
        CHECK_FALSE(static_cast<bool>(none));
        CHECK_THROWS_AS(none(), std::bad_function_call);
        CHECK(none.state_type().type == nullptr);
    }
    Initializer assigned = count_call;
    CHECK(static_cast<bool>(assigned));
    assigned = nullptr;
    CHECK_FALSE(static_cast<bool>(assigned));
    assigned = count_call;
    assigned = {};
    CHECK_FALSE(static_cast<bool>(assigned));
}

TEST_CASE("an initializer runs functions; closures; std::functions; what can only be moved") {
    calls = 0;
    const std::function<void()> function = count_call;
    auto moved = std::make_unique<int>(5);
    const auto closure = [] { ++calls; };
    for (const Initializer& each : {Initializer(count_call), Initializer(&count_call), Initializer(count_and_return),
                                    Initializer(closure), Initializer(function), Initializer(std::ref(closure)),
                                    Initializer([held = std::move(moved)] { calls += *held - 4; })}) {
        REQUIRE(static_cast<bool>(each));
        CHECK(each.make_state() == nullptr);
        CHECK(each.state_type().type == nullptr);
        each();
    }
    CHECK(calls == 14);
    const std::function<void()> back = Initializer(count_call);  // it is a function itself
    back();
    CHECK(calls == 15);
}

TEST_CASE("an initializer keeps an object of a class: text; what cannot be moved; what a pointer owns") {
    const Initializer of_text = text;
    const auto state = of_text.make_state();
    REQUIRE(state != nullptr);
    REQUIRE(state->find(typeid(std::string)) != nullptr);
    CHECK(*static_cast<std::string*>(state->find(typeid(std::string))) == "text");
    CHECK(state->find(typeid(int)) == nullptr);
    CHECK(state->owned() == nullptr);

    const Initializer of_fixed = [] { return Fixed{7}; };
    const auto fixed = of_fixed.make_state();
    CHECK(static_cast<Fixed*>(fixed->find(typeid(Fixed)))->number == 7);

    const Initializer of_pointer = [] { return std::make_unique<Fixed>(8); };
    CHECK(of_pointer.state_type().is(typeid(std::unique_ptr<Fixed>)));
    CHECK(of_pointer.state_type().is(typeid(Fixed)));
    const auto pointer = of_pointer.make_state();
    CHECK(static_cast<Fixed*>(pointer->owned())->number == 8);
    CHECK(pointer->find(typeid(Fixed)) == nullptr);

    const Initializer of_const = [] { return std::make_shared<const Fixed>(9); };  // whose Fixed may not be changed
    CHECK_FALSE(of_const.state_type().is(typeid(Fixed)));
}

TEST_CASE("each copy of an initializer has a copy of its function") {
    const Initializer first = [n = 0]() mutable { return std::string(static_cast<std::size_t>(++n), 'x'); };
    const auto length = [](const Initializer& of) {
        return static_cast<std::string*>(of.make_state()->find(typeid(std::string)))->size();
    };
    CHECK(length(first) == 1);
    const Initializer second = first;
    CHECK(length(first) == 2);
    CHECK(length(second) == 2);
}
