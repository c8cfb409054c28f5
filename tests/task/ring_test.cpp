// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/ring.hpp>

#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <new>
#include <optional>

using procpool::detail::task::Ring;

namespace {

template <std::uint32_t capacity>
struct Holder {
    Holder() { ring.attach(entries.data(), head, capacity); }
    std::array<std::atomic<std::uint64_t>, capacity> entries{};
    std::atomic<std::uint64_t> head{0};
    Ring ring{};
};

void push(Ring& ring, std::uint32_t slot) { ring.push({slot, static_cast<std::uint32_t>(ring.tail())}); }

/// The slot at a position, and a check of its generation.
std::optional<std::uint32_t> slot_at(const Ring& ring, std::uint64_t position) {
    const std::optional<procpool::detail::task::Offer> offer = ring.at(position);
    if (!offer) { return std::nullopt; }
    CHECK(offer->generation == static_cast<std::uint32_t>(position));
    return offer->slot;
}

}  // namespace

TEST_CASE("a fresh ring is empty") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    CHECK(ring.was_empty());
    CHECK_FALSE(ring.is_full());
    CHECK(ring.head() == 0);
    CHECK(ring.tail() == 0);
    CHECK(slot_at(ring, 0) == std::nullopt);
}

TEST_CASE("entries come out as they went in - slot 0 too") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    push(ring, 0);
    push(ring, 3);
    push(ring, 0);
    CHECK(slot_at(ring, 0) == 0);
    CHECK(slot_at(ring, 1) == 3);
    CHECK(slot_at(ring, 2) == 0);
    CHECK(slot_at(ring, 3) == std::nullopt);
    CHECK_FALSE(ring.was_empty());
    push(ring, 2);
    CHECK(ring.is_full());
    ring.advance_past(0);
    CHECK_FALSE(ring.is_full());
    CHECK(ring.head() == 1);
}

TEST_CASE("head moves one position at a time and never back") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    push(ring, 1);
    push(ring, 2);
    ring.advance_past(1);  // no consumer may skip position 0
    CHECK(ring.head() == 0);
    ring.advance_past(0);
    ring.advance_past(0);
    CHECK(ring.head() == 1);
    ring.advance_past(1);
    CHECK(ring.head() == 2);
    CHECK(ring.was_empty());
}

TEST_CASE("an entry of an earlier lap is none of this one") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    for (std::uint64_t position = 0; position < 100; ++position) {
        REQUIRE(slot_at(ring, position) == std::nullopt);
        push(ring, static_cast<std::uint32_t>(position % 7));
        REQUIRE(slot_at(ring, position) == position % 7);
        if (position >= 4) { REQUIRE(slot_at(ring, position - 4) == std::nullopt); }
        ring.advance_past(position);
        REQUIRE(ring.head() == position + 1);
        REQUIRE(ring.tail() == position + 1);
    }
}

TEST_CASE("positions go on beyond 32 bits") {
    // The state of a ring after 2^32 - 9 tasks; the tail lies after the entries' address and mask.
    Holder<4> holder;
    Ring& ring = holder.ring;
    constexpr std::uint64_t start =
        (std::uint64_t{1} << 32) - 9;  // every entry is written before the lap that zeroed ones would be of
    auto* const bytes = reinterpret_cast<std::byte*>(&ring);
    auto* const tail = reinterpret_cast<std::atomic<std::uint64_t>*>(bytes + procpool::detail::apart);
    holder.head.store(start);
    tail->store(start);
    REQUIRE(ring.head() == start);
    REQUIRE(ring.tail() == start);
    for (std::uint64_t position = start; position < start + 15; ++position) {
        REQUIRE(ring.was_empty());
        push(ring, 3);
        REQUIRE(slot_at(ring, position) == 3);
        REQUIRE(slot_at(ring, position + 4) == std::nullopt);
        ring.advance_past(position);
    }
    CHECK(ring.head() == start + 15);
}

TEST_CASE("a head that a task has overwritten is mended and no offer that is good is behind it") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    for (std::uint32_t i = 0; i < 10; ++i) {
        push(ring, i % 4);
        if (i < 7) { ring.advance_past(ring.head()); }
    }
    CHECK(ring.head() == 7);
    for (const std::uint64_t wrong :
         {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{11}, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
        holder.head = wrong;
        CHECK(ring.mend() == 6);  // the oldest entry there is
        CHECK(ring.head() == 6);
    }
    for (const std::uint64_t possible : {6U, 8U, 10U}) {
        holder.head = possible;
        CHECK(ring.mend() == possible);
    }
    CHECK(slot_at(ring, 7) == 3);
}

TEST_CASE("a ring whose head is overwritten is full and empty again in time") {
    Holder<4> holder;
    Ring& ring = holder.ring;
    for (std::uint32_t i = 0; i < 4; ++i) { push(ring, i); }
    holder.head = 1'000'000;
    CHECK(ring.is_full());
    for (std::uint64_t position = ring.head(); position < ring.tail(); ++position) { ring.advance_past(position); }
    CHECK_FALSE(ring.is_full());
    CHECK(ring.was_empty());
}
