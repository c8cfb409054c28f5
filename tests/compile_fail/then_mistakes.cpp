// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>

// Functions for then() that do not take the future's result.

void use(procpool::Future<int> number, procpool::Future<void> nothing) {
    // expect-error: the function given to then.. must take the future.s result
    const procpool::Future<std::string> first = std::move(number).then([](const std::string& text) { return text; });
    // expect-error: the function given to then.. must take the future.s result.*or nothing where that is void
    const auto second = std::move(nothing).then([](int n) { return n; });
    // expect-error: the function given to then.. must take the future.s result, by value
    number.then([](int& n) { ++n; }).get();
}
