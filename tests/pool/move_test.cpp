// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

template <class P>
void moves() {
    P pool{2};
    Future<int> before = pool.apply_async(same, 1);
    P other = std::move(pool);
    CHECK(get_soon(before) == 1);
    CHECK(other.apply(same, 2) == 2);
    CHECK(other.map(same, std::vector{1, 2}) == std::vector{1, 2});
    CHECK(get_soon(other.map_async(same, std::vector{1, 2})) == std::vector{1, 2});
    CHECK(other.broadcast(same, 3) == std::vector<int>(other.size(), 3));
}
ON_EVERY_ENGINE("a pool can be moved with what it has been given", moves)

template <class P>
void moved_from() {
    P pool{1};
    { const P other = std::move(pool); }
    CHECK_THROWS_AS(pool.apply(same, 1), std::logic_error);
    CHECK_THROWS_AS(pool.map(same, std::vector{1}), std::logic_error);
    CHECK_THROWS_AS(pool.map_async(same, std::vector{1}), std::logic_error);
    CHECK_THROWS_AS(pool.size(), std::logic_error);
    CHECK_THROWS_AS(pool.close(), std::logic_error);
    P third = std::move(pool);
    CHECK_THROWS_AS(third.stats(), std::logic_error);
    pool = P{1};
    CHECK(pool.apply(same, 1) == 1);
}
ON_EVERY_ENGINE("a pool that has been moved from can be assigned to and destroyed and says what it is otherwise",
                moved_from)

template <class P>
void assigned_to() {
    P pool{1};
    std::vector<Future<int>> accepted;
    for (int i = 0; i < 20; ++i) { accepted.push_back(pool.apply_async(same, i)); }
    pool = P{1};
    for (int i = 0; i < 20; ++i) {
        CHECK(accepted[static_cast<std::size_t>(i)].ready());
        CHECK(accepted[static_cast<std::size_t>(i)].get() == i);
    }
    CHECK(pool.apply(same, 7) == 7);
    P& itself = pool;
    pool = std::move(itself);
    CHECK(pool.apply(same, 8) == 8);
}
ON_EVERY_ENGINE("what a pool has accepted is finished before another takes its place", assigned_to)

}  // namespace

TEST_CASE("pools live in vectors and in members that are made later") {
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Pool>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<Pool>);
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Pool>);
    STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<Pool>);
    std::vector<Pool> pools;
    for (int i = 0; i < 3; ++i) { pools.emplace_back(1u); }
    pools.erase(pools.begin());
    for (Pool& pool : pools) { CHECK(pool.apply(same, 1) == 1); }
    std::optional<Pool> later;
    later = Pool{1};
    CHECK(later->apply(same, 1) == 1);
}

TEST_CASE("a pool that was moved while an exception unwound closes as any other") {
    std::optional<Pool> kept;
    struct Mover {
        std::optional<Pool>& to;
        Pool pool{1};
        ~Mover() { to.emplace(std::move(pool)); }
    };
    Future<int> future;
    try {
        Mover mover{kept};
        future = mover.pool.apply_async(same, 5);
        throw std::runtime_error("unwinds");
    } catch (const std::runtime_error&) {}
    kept.reset();
    CHECK(future.get() == 5);
}
