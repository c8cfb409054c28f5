// SPDX-License-Identifier: BSL-1.0
#include <taskflow/taskflow.hpp>

#include <fmt/core.h>

int main() {
    tf::Executor executor{2};
    auto answer = executor.async([] { return 42; });
    fmt::print("{}\n", answer.get());
}
