// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/parkers.hpp>

#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <set>
#include <thread>
#include <vector>

using namespace procpool;
using namespace std::chrono_literals;
using detail::client::Parkers;

namespace {
struct Owner {
    std::array<detail::sync::Parker, Parkers::count> memory{};
    Parkers parkers{memory};
};
}  // namespace

TEST_CASE("64 threads have a parker each; the others nap") {
    Owner owner;
    std::vector<std::optional<Parkers::Lease>> leases;
    std::set<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < Parkers::count; ++i) {
        leases.emplace_back(owner.parkers.lease());
        REQUIRE(*leases.back());
        numbers.insert(leases.back()->index());
    }
    CHECK(numbers.size() == Parkers::count);
    CHECK(*numbers.rbegin() == Parkers::count - 1);
    const Parkers::Lease none = owner.parkers.lease();
    CHECK_FALSE(none);
    const auto start = detail::Clock::now();
    none.park(detail::Deadline::never());  // a nap
    CHECK(detail::Clock::now() - start >= 900us);

    const std::uint32_t given_back = leases[17]->index();
    leases[17].reset();
    const Parkers::Lease again = owner.parkers.lease();
    REQUIRE(again);
    CHECK(again.index() == given_back);
}

TEST_CASE("a lease that was moved from gives nothing back") {
    Owner owner;
    Parkers::Lease first = owner.parkers.lease();
    const std::uint32_t index = first.index();
    {
        const Parkers::Lease second{std::move(first)};
        CHECK(second.index() == index);
        CHECK(owner.parkers.lease().index() != index);
    }
    CHECK(owner.parkers.lease().index() == index);
}

TEST_CASE("a lease parks on its own parker", "[thread]") {
    Owner owner;
    const Parkers::Lease lease = owner.parkers.lease();
    std::thread notifier{[&] { owner.memory[lease.index()].notify(); }};
    const auto start = detail::Clock::now();
    lease.park(detail::Deadline::after(20s));
    CHECK(detail::Clock::now() - start < 15s);
    notifier.join();
}

TEST_CASE("threads that lease at the same time never share a parker", "[thread]") {
    Owner owner;
    std::array<std::atomic<int>, Parkers::count> users{};
    std::atomic<int> shared{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                const Parkers::Lease lease = owner.parkers.lease();
                if (!lease) { continue; }
                if (users[lease.index()].fetch_add(1) != 0) { ++shared; }
                users[lease.index()].fetch_sub(1);
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(shared == 0);
}
