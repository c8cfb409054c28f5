// SPDX-License-Identifier: BSL-1.0
// The first program: work for other processes, and what happens when one of them crashes.

// [readme]
#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <cstdlib>
#include <string>
#include <vector>

int main() {
    procpool::ProcessPool pool{4};  // four worker processes

    const std::vector<int> squares = pool.map([](int n) { return n * n; }, std::vector{1, 2, 3, 4, 5});
    fmt::print("{}\n", squares);

    auto greeting = pool.apply_async([](const std::string& name) { return "Hello, " + name + "!"; }, "world");
    fmt::print("{}\n", greeting.get());

    try {
        pool.apply([] { std::abort(); });
    } catch (const procpool::WorkerDied& death) { fmt::print("A worker {}.\n", to_string(death.exit_status())); }
    fmt::print("The pool goes on: {}\n", pool.apply([] { return 6 * 7; }));
}
// [/readme]
