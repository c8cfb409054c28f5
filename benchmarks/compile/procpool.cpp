// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <fmt/core.h>

int main() {
    procpool::ProcessPool pool{2};
    auto answer = pool.apply_async([](int x) { return x + 1; }, 41);
    fmt::print("{}\n", answer.get());
}
