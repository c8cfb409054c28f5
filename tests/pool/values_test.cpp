// SPDX-License-Identifier: BSL-1.0
// Values passed to tasks and returned by them, through whole pools.
#include "pool/engines.hpp"

#include <array>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

using namespace procpool_test;

namespace {

int squared(int n) { return n * n; }
using Function = int (*)(int);
int (&returns_function())(int) { return squared; }

class Small {
public:
    Small() = default;
    explicit Small(int number) : number_(number) {}
    [[nodiscard]] int number() const { return number_; }

private:
    int number_ = 0;
};

/// May be shared, but is not declared plain.
class Cell {
public:
    int value = 0;
    [[nodiscard]] int hidden() const { return hidden_; }

private:
    int hidden_ = 3;
};

template <class Pool>
void functions_are_values() {
    Pool pool{2};
    const auto call = [](int (*f)(int), int n) { return f(n); };
    CHECK(pool.apply(call, squared, 6) == 36);
    CHECK(pool.apply(call, &squared, 6) == 36);
    int (&reference)(int) = squared;
    CHECK(pool.apply(call, reference, 5) == 25);
    CHECK(pool.apply(returns_function)(4) == 16);
    CHECK(pool.apply([]() -> Function { return nullptr; }) == nullptr);
    CHECK(pool.map(call, std::vector<Function>{squared, squared}, std::vector{2, 3}) == std::vector{4, 9});
    CHECK(pool.map([](int) -> Function { return squared; }, std::vector{1, 2})[1](3) == 9);
    CHECK(pool.broadcast([](Function f) { return f(3); }, squared).front() == 9);
    CHECK(pool.apply(std::bind_front(squared, 7)) == 49);
}

template <class Pool>
void closures_are_values() {
    Pool pool{2};
    long number = 9;
    const auto add = [number](long n) { return n + number; };
    CHECK(pool.apply([](const auto& f) { return f(1); }, add) == 10);
    CHECK(pool.apply([](const auto& f) { return f; }, add)(2) == 11);
    CHECK(pool.map([](const auto& f) { return f(3); }, std::vector{add, add}) == std::vector{12L, 12L});
}

}  // namespace

template <>
inline constexpr bool procpool::enable_plain<Small> = true;

ON_EVERY_ENGINE("functions are passed and returned as values", functions_are_values)
ON_EVERY_ENGINE("closures are passed and returned as values", closures_are_values)

TEST_CASE("a closure that refers to memory of its process does not come as an argument nor as a result") {
    Pool pool{1};
    int number = 1;
    CHECK_THROWS_AS(pool.apply([](const auto& f) { return f(); }, [&number] { return number; }), CodecError);
    CHECK_THROWS_AS(pool.apply([] {
        static thread_local int own = 0;
        int* const pointer = &own;
        return [pointer] { return *pointer; };
    }),
                    CodecError);
    CHECK(pool.apply(squared, 2) == 4);
}

TEST_CASE("arrays that decay to pointers are refused where those mean nothing") {
    Pool pool{1};
    int numbers[3]{};
    const int constants[3]{};
    int grid[2][3]{};
    CHECK_THROWS_AS(pool.apply([](int* p) { return *p; }, numbers), CodecError);
    CHECK_THROWS_AS(pool.apply([](const int* p) { return *p; }, constants), CodecError);
    CHECK_THROWS_AS(pool.apply([](int(*p)[3]) { return p[0][0]; }, grid), CodecError);
    const char names[2][4] = {"ab", "cd"};
    CHECK(pool.map([](const std::string& name) { return name + "!"; }, names) ==
          std::vector<std::string>{"ab!", "cd!"});
}

TEST_CASE("classes whose author says that they are plain are passed and returned") {
    Pool pool{2};
    CHECK(pool.apply([](Small small) { return Small(small.number() + 1); }, Small(2)).number() == 3);
    CHECK(pool.map([](Small small) { return small.number(); }, std::vector{Small(1), Small(2)}) == std::vector{1, 2});
}

TEST_CASE("an array in shared memory is passed whatever its elements are") {
    const SharedArray<Cell> cells{3};
    Pool pool{1};
    pool.apply([](std::span<Cell> all) { all[1].value = 5; }, cells);
    CHECK(cells[1].value == 5);
    pool.apply([](std::span<Cell> all) { all[0].value = 6; }, cells.span().subspan(2));
    CHECK(cells[2].value == 6);
    pool.for_each([](Cell& cell) { ++cell.value; }, cells);
    CHECK(cells[0].value == 1);
}

TEST_CASE("the library's own value types travel") {
    STATIC_REQUIRE(Encodable<ExitStatus>);
    STATIC_REQUIRE(Encodable<Progress>);
    STATIC_REQUIRE(Encodable<WorkerInfo>);
    STATIC_REQUIRE(Encodable<PoolStats>);
    STATIC_REQUIRE(Encodable<TaskOptions>);
    STATIC_REQUIRE(Encodable<TaskTiming>);
    STATIC_REQUIRE(Encodable<Outcome<int>>);
    STATIC_REQUIRE(Encodable<Indexed<std::string>>);
    Pool pool{1};
    CHECK(pool.apply([](ExitStatus status) { return status; }, ExitStatus::from_code(3)) == ExitStatus::from_code(3));
    const PoolStats stats = pool.apply([] {
        InlinePool inner{1};
        inner.apply(squared, 1);
        return inner.stats();
    });
    CHECK(stats.completed == 1);
}
