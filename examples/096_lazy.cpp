// SPDX-License-Identifier: BSL-1.0
// imap() gives results while they come, and reads its input only a little ahead of them: the input may be endless.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <ranges>
#include <utility>

std::pair<long, bool> test_prime(long n) {
    for (long d = 2; d * d <= n; ++d) {
        if (n % d == 0) { return {n, false}; }
    }
    return {n, n > 1};
}

int main() {
    procpool::ProcessPool pool{2};

    // [lazy]
    int found = 0;
    for (const auto& [n, is_prime] : pool.imap(test_prime, std::views::iota(1'000'000'000L))) {  // without end
        if (!is_prime) { continue; }
        fmt::print("{} is prime\n", n);
        if (++found == 3) { break; }  // what has not started is not run
    }
    // [/lazy]

    // In the order in which the items end, each with its index.
    long sum = 0;
    for (const auto& [index, result] : pool.imap_unordered(test_prime, std::views::iota(0L, 100L))) {
        sum += result.second ? static_cast<long>(index) : 0;
    }
    fmt::print("the primes below 100 add up to {}\n", sum);
}
