// SPDX-License-Identifier: BSL-1.0
#include <tbb/tbb.h>

#include <fmt/core.h>

int main() {
    int answer = 0;
    tbb::task_group group;
    group.run([&answer] { answer = 42; });
    group.wait();
    fmt::print("{}\n", answer);
}
