// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/parcel.hpp>

#include "support/catch.hpp"

#include <procpool/client/parcel_store.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/slot.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace procpool;
using detail::client::Parcel;
using detail::client::ParcelStore;
using detail::task::Extents;
using detail::task::Phase;

namespace {

Parcel parcel_of(std::span<const std::byte> bytes, Ending ending = Ending::value) {
    Parcel parcel{Phase::done, ending};
    parcel.copy(bytes);
    return parcel;
}

std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) { bytes[i] = static_cast<std::byte>(i + size); }
    return bytes;
}

}  // namespace

TEST_CASE("a parcel holds bytes of any number and moves with them") {
    for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 1000U}) {
        CAPTURE(size);
        const auto bytes = pattern(size);
        Parcel first = parcel_of(bytes, Ending::exception);
        Parcel second{std::move(first)};
        CHECK(std::ranges::equal(second.bytes(), bytes));
        CHECK(second.phase() == Phase::done);
        CHECK(second.ending() == Ending::exception);
    }
}

TEST_CASE("a parcel keeps what is known of a failure") {
    const Parcel parcel{Phase::lost,
                        std::make_unique<const detail::client::Failure>(detail::client::Failure{
                            .ending = Ending::cancelled, .death = {.pid = 17, .status = ExitStatus::from_signal(9)}})};
    CHECK(parcel.phase() == Phase::lost);
    CHECK(parcel.ending() == Ending::cancelled);
    CHECK(parcel.failure()->ending == Ending::cancelled);
    CHECK(parcel.failure()->death.pid == 17);
    CHECK(parcel.failure()->death.status == ExitStatus::from_signal(9));
    CHECK(parcel.bytes().empty());
}

TEST_CASE("extents change their owner to a parcel which frees them once") {
    const detail::os::Mapping memory{4 * Extents::extent_size};
    std::array<std::atomic<std::uint64_t>, 4> words{};
    Extents extents{};
    Extents::Use use{};
    extents.attach(words.data(), memory.data(), 4, use);
    const auto run = extents.acquire(2 * Extents::extent_size, Extents::stamp(1, 1));
    extents.address(run)[7] = std::byte{9};
    {
        Parcel first{Phase::done, Ending::value};
        first.adopt(extents, run.first, run.count, Extents::extent_size + 5);
        ParcelStore store;
        store.add(3, std::move(first));
        CHECK(extents.was_owned() == 2);
        const auto taken = store.take(3);
        REQUIRE(taken);
        CHECK(taken.bytes().size() == Extents::extent_size + 5);
        CHECK(taken.bytes()[7] == std::byte{9});
        CHECK(extents.was_owned() == 2);
    }
    CHECK(extents.was_owned() == 0);
    {
        ParcelStore store;
        Parcel parcel{Phase::done, Ending::value};
        const Extents::Run one = extents.acquire(1, Extents::stamp(1, 1));
        parcel.adopt(extents, one.first, one.count, 1);
        store.add(1, std::move(parcel));
    }
    CHECK(extents.was_owned() == 0);  // its result was not collected
}

TEST_CASE("parcels are found by their number - once") {
    ParcelStore store;
    CHECK(store.empty());
    CHECK_FALSE(store.take(0));
    store.add(5, parcel_of(pattern(5)));
    CHECK_FALSE(store.empty());
    CHECK_FALSE(store.take(4));
    CHECK_FALSE(store.take(5 + 256));
    CHECK(std::ranges::equal(store.take(5).bytes(), pattern(5)));
    CHECK_FALSE(store.take(5));
    CHECK(store.empty());
}

TEST_CASE("a store behaves as a map whatever the order") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    ParcelStore store;
    std::map<std::uint64_t, std::size_t> model;
    std::uint64_t next = (std::uint64_t{1} << 32) - 3000;
    bool equal = true;
    for (int i = 0; i < 20'000; ++i) {
        if (random() % 5 < 3) {
            next += 1 + (random() % 100 == 0 ? random() % 2000 : random() % 3);
            const std::size_t size = random() % 40;
            store.add(next, parcel_of(pattern(size)));
            model.emplace(next, size);
        } else {
            const bool known = !model.empty() && random() % 4 != 0;
            const auto it =
                known ? std::next(model.begin(),
                                  static_cast<std::ptrdiff_t>(random() % std::min<std::size_t>(model.size(), 50)))
                      : model.end();
            const std::uint64_t serial = known ? it->first : next + 1 + random() % 1000;
            const auto taken = store.take(serial);
            equal = equal && static_cast<bool>(taken) == known;
            if (known) {
                equal = equal && taken && std::ranges::equal(taken.bytes(), pattern(it->second));
                model.erase(it);
            }
        }
        equal = equal && store.empty() == model.empty();
    }
    for (const auto& [serial, size] : model) { equal = equal && static_cast<bool>(store.take(serial)); }
    CHECK(equal);
    CHECK(store.empty());
}
