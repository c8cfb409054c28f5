// expect-success
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

// The options of options_mistakes.cpp, and ways to build and keep a pool, done right.

using namespace std::chrono_literals;

int thrice(int n) { return 3 * n; }

static_assert(!std::is_constructible_v<procpool::Pool, std::string>);
static_assert(!std::is_copy_constructible_v<procpool::Pool> && std::is_nothrow_move_constructible_v<procpool::Pool>);
static_assert(!std::is_copy_constructible_v<procpool::Future<int>> &&
              std::is_nothrow_move_constructible_v<procpool::Future<int>>);
static_assert(!std::is_convertible_v<int, procpool::Pool> && std::is_default_constructible_v<procpool::Pool>);

void use(procpool::Pool& pool, const std::vector<int>& numbers) {
    const int first = pool.apply({.timeout = 5s, .retries = 1}, thrice, 1);
    pool.apply_async({.label = "x"}, thrice, first).get();
    const std::vector<int> third = pool.map({.chunk_size = 5, .timeout = 1s}, thrice, numbers);
    pool.for_each({}, thrice, numbers);
    const auto fifth = pool.map_reduce(
        {.retries = 3}, thrice, [](int a, int b) { return a + b; }, 0, numbers);
    const auto sixth = procpool::fork_map({.workers = 2}, thrice, numbers);
    const procpool::ProcessPool seventh{{.workers = 2}};
    const procpool::ThreadPool eighth{{.start_timeout = 5s}};
    const procpool::ProcessPool ninth{procpool::PoolOptions{.workers = 2}};
    const procpool::ProcessPool tenth{2};
    const procpool::ProcessPool eleventh;
    procpool::ProcessPool moved = procpool::Pool{2};
    procpool::ProcessPool taken{std::move(moved)};
    std::vector<procpool::Pool> pools;
    pools.push_back(std::move(taken));
    pools.emplace_back(2);
    std::optional<procpool::Pool> maybe;
    maybe.emplace();
    const auto owned = std::make_unique<procpool::Pool>(procpool::PoolOptions{.name = "x"});
}
