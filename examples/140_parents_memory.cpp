// SPDX-License-Identifier: BSL-1.0
// Big tables need not travel: workers that are forked after a table was made have it. fork_map() forks workers for one
// call; refork() gives a pool that lives on new ones, which see the memory as it is now.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <functional>
#include <memory>
#include <ranges>
#include <string>
#include <vector>

int main() {
    std::vector<std::string> words(1'000'000, "word");
    words[2] = "longer word";

    // Any callable, capturing anything by reference: only numbers go to the workers, and only results come back.
    const std::function<std::size_t(std::size_t)> length = [&words](std::size_t i) { return words[i].size(); };
    fmt::print("{}\n", procpool::fork_map(length, std::views::iota(0U, 5U)));

    // Items need not be able to travel either.
    std::vector<std::unique_ptr<int>> items;
    for (int i = 0; i < 4; ++i) { items.push_back(std::make_unique<int>(i)); }
    fmt::print("{}\n", procpool::fork_map(
                           {.workers = 2}, [](const std::unique_ptr<int>& item) { return *item * 10; }, items));

    // The workers of a pool see the memory as it was when they were forked. snapshot() says that this is meant.
    procpool::ProcessPool pool{2};
    const auto first_word = procpool::snapshot([&words] { return words.front(); });
    words.front() = "changed";
    fmt::print("before refork(): {}\n", pool.apply(first_word));
    pool.refork();
    fmt::print("after refork(): {}\n", pool.apply(first_word));
}
