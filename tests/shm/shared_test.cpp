// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace procpool;
using namespace procpool_test;

namespace {

std::size_t free_bytes() { return detail::shm::Heap::of_this_process().free_bytes(); }

struct Counted {
    explicit Counted(int number) : value(number) { ++alive; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --alive; }
    int value;
    static inline int alive = 0;
};

}  // namespace

template <>
inline constexpr bool procpool::enable_shared<Counted> = true;

TEST_CASE("children and their parent count in one object") {
    const Shared<std::atomic<int>> counter{5};
    constexpr int children = 4;
    constexpr int each = 10'000;
    std::array<pid_t, children> pids{};
    for (pid_t& pid : pids) {
        pid = start_child([&] {
            for (int i = 0; i < each; ++i) { counter->fetch_add(1); }
            return 0;
        });
    }
    for (int i = 0; i < each; ++i) { ++*counter; }
    for (const pid_t pid : pids) { CHECK(wait_for_child(pid) == 0); }
    CHECK(counter->load() == 5 + (children + 1) * each);
    CHECK(detail::shm::is_shared_with_children(counter.get()));
}

TEST_CASE("the object is destroyed and freed once by its owner") {
    const std::size_t before = free_bytes();
    {
        std::optional<Shared<Counted>> shared;
        shared.emplace(7);
        CHECK(Counted::alive == 1);
        CHECK((*shared)->value == 7);
        CHECK(in_child([&] {
                  (*shared)->value = 8;
                  shared.reset();
                  return Counted::alive == 1 ? 0 : 1;  // not destroyed here
              }) == 0);
        CHECK((*shared)->value == 8);
        CHECK(free_bytes() < before);
    }
    CHECK(Counted::alive == 0);
    CHECK(free_bytes() == before);
}

TEST_CASE("a constructor that throws leaves nothing behind") {
    struct Throws {
        Throws() { throw std::runtime_error("no"); }
    };
    const std::size_t before = free_bytes();
    CHECK_THROWS_WITH(Shared<Throws>{}, "no");
    CHECK(free_bytes() == before);
}

TEST_CASE("an object moves from owner to owner without moving") {
    const std::size_t before = free_bytes();
    {
        Shared<Counted> first{1};
        Counted* const address = first.get();
        Shared<Counted> second{std::move(first)};
        CHECK(second.get() == address);
        CHECK(first.get() == nullptr);  // NOLINT(bugprone-use-after-move): it is empty
        Shared<Counted> third{3};
        third = std::move(second);
        CHECK(third.get() == address);
        CHECK(third->value == 1);
    }
    CHECK(Counted::alive == 0);
    CHECK(free_bytes() == before);
}

TEST_CASE("an object is aligned as its type asks") {
    struct alignas(64) Aligned {
        int value = 3;
    };
    const Shared<Aligned> shared;
    CHECK(reinterpret_cast<std::uintptr_t>(shared.get()) % 64 == 0);
    CHECK(shared->value == 3);
    const Shared<int> zero;
    CHECK(*zero == 0);
}
