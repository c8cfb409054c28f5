// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/type_name.hpp>

#include "support/catch.hpp"

#include <stdexcept>

namespace app {
template <class T>
struct Box {};
}  // namespace app

TEST_CASE("a type's name is what a person would write") {
    CHECK(procpool::detail::type_name<int>() == "int");
    CHECK(procpool::detail::type_name<app::Box<double>>() == "app::Box<double>");
    CHECK(procpool::detail::type_name<std::runtime_error>() == "std::runtime_error");
}

TEST_CASE("an object's name is that of its dynamic type") {
    const std::runtime_error error{"x"};
    const std::exception& base = error;
    CHECK(procpool::detail::type_name(typeid(base)) == "std::runtime_error");
}
