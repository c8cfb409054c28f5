// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <functional>
#include <memory>
#include <string>

void use(std::unique_ptr<int> pointer, const std::string& text) {
    // expect-error: given a value by name that cannot be copied: std::move.. it
    const auto first = procpool::bind_front([](const std::unique_ptr<int>& p) { return *p; }, pointer);
    // expect-error: memory to share that ends with this expression: give it a name
    const auto second = procpool::bind_front([](std::span<int> s) { return s[0]; }, procpool::SharedArray<int>(3));
    // expect-error: a std::shared_ptr cannot travel
    const auto third = procpool::bind_front([](const std::shared_ptr<int>& p) { return *p; }, std::make_shared<int>(1));
    // expect-error: this closure cannot travel
    const auto fourth = procpool::bind_front([text](int n) { return text.size() + static_cast<std::size_t>(n); }, 1);
}
