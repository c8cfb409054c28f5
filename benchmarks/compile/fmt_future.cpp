// SPDX-License-Identifier: BSL-1.0
#include <fmt/core.h>
#include <future>

int main() {
    auto answer = std::async([](int x) { return x + 1; }, 41);
    fmt::print("{}\n", answer.get());
}
