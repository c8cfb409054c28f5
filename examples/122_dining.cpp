// SPDX-License-Identifier: BSL-1.0
// Five philosophers, each a process, sit at a table with five forks and need two of them to eat. std::scoped_lock takes
// both without a deadlock, as it does with the locks of one process.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <mutex>
#include <ranges>

struct Fork {
    procpool::Mutex mutex;
    int meals = 0;
};

int main() {
    constexpr std::size_t seats = 5;
    constexpr int meals = 1000;
    const procpool::Shared<std::array<Fork, seats>> forks;

    procpool::ProcessPool pool{seats};
    const auto eat = [table = forks.get()](std::size_t seat) {
        Fork& left = (*table)[seat];
        Fork& right = (*table)[(seat + 1) % seats];
        for (int i = 0; i < meals; ++i) {
            const std::scoped_lock both{left.mutex, right.mutex};
            ++left.meals;
            ++right.meals;
        }
    };
    pool.for_each(procpool::MapOptions{.chunk_size = 1}, eat, std::views::iota(std::size_t{0}, seats));

    for (const Fork& fork : *forks) { fmt::print("a fork was used for {} meals\n", fork.meals); }
}
