// SPDX-License-Identifier: BSL-1.0
// A million tasks before the first get(): the pool takes them in as its workers finish others, and keeps the results.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <vector>

std::uint64_t next(std::uint64_t n) { return n + 1; }

int main() {
    constexpr std::uint64_t count = 1'000'000;
    procpool::ProcessPool pool{2};

    std::vector<procpool::Future<std::uint64_t>> futures;
    futures.reserve(count);
    for (std::uint64_t n = 0; n < count; ++n) { futures.push_back(pool.apply_async(next, n)); }
    fmt::print("{} tasks submitted\n", futures.size());

    std::uint64_t sum = 0;
    for (auto& future : futures) { sum += future.get(); }
    fmt::print("the sum of their results is {}\n", sum);  // 1 + 2 + ... + 1000000
}
