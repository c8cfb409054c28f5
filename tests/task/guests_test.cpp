// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/guests.hpp>

#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <cstdint>
#include <optional>
#include <vector>

using namespace procpool::detail;
using namespace procpool_test;
using task::Guests;
using task::Offer;
using task::Phase;
using task::Word;

namespace {

constexpr std::uint64_t id = 7;
constexpr std::uint32_t seat = 1;

class GuestsBoard : public ScratchBoard {
public:
    explicit GuestsBoard(std::uint32_t guests = 4, bool open_to_all = true)
        : ScratchBoard(
              {.slot_count = 4, .seats = 2, .parkers = 1, .guests = guests, .open_to_all = open_to_all, .id = id}) {}

    [[nodiscard]] Guests& guests() const { return (**this).guests; }
    [[nodiscard]] std::optional<std::uint32_t> take(bool is_open = true) const {
        return guests().take(Guests::own_stamp(), 0, id, [=] { return is_open; });
    }
    /// Takes a slot and makes its task pending.
    [[nodiscard]] Offer make_pending() const {
        const std::optional<std::uint32_t> slot = take();
        REQUIRE(slot);
        guests().guest(*slot).is_observed.store(false);
        return guests().publish(*slot);
    }
    [[nodiscard]] Offer submit() const {
        const Offer offer = make_pending();
        REQUIRE((**this).push_guest(offer));
        return offer;
    }
    void give_back(std::uint32_t slot) const { guests().give_back((**this).results, slot); }
    void cancel(Offer offer) const {
        REQUIRE((**this).withdraw_guest(offer));
        give_back(offer.slot);
    }
    /// Runs the next task. Returns: its slot.
    [[nodiscard]] std::optional<std::uint32_t> run(procpool::Ending ending = procpool::Ending::value) const {
        const std::optional<task::Claim> claim = (**this).claim(seat);
        if (!claim) { return std::nullopt; }
        slot(claim->slot).outcome = ending;
        REQUIRE((**this).finish(*claim, seat));
        return claim->slot;
    }
};

}  // namespace

TEST_CASE("a guest's slot is taken - filled - run and free again for another task") {
    const GuestsBoard board;
    std::uint32_t generation = 0;
    for (int i = 0; i < 10; ++i) {
        const Offer offer = board.submit();
        CHECK(offer.slot == board.guests().first());
        CHECK(offer.generation != generation);
        generation = offer.generation;
        CHECK(board.guests().was_in_use() == 1);
        CHECK(board.run() == offer.slot);
        CHECK(board.word(offer.slot).phase() == Phase::done);
        board.give_back(offer.slot);
        CHECK(board.guests().was_in_use() == 0);
        CHECK_FALSE(board.run());
    }
}

TEST_CASE("as many slots can be taken as there are - each by one") {
    const GuestsBoard board;
    std::vector<std::uint32_t> slots;
    while (const auto slot = board.take()) { slots.push_back(*slot); }
    CHECK(slots.size() == 4);
    for (std::uint32_t i = 0; i < slots.size(); ++i) { CHECK(slots[i] == board.guests().first() + i); }
    board.give_back(slots[2]);
    CHECK(board.take() == slots[2]);
}

TEST_CASE("a slot of a board that is another by now - or has ended - is given back untouched") {
    const GuestsBoard board;
    const std::uint64_t word = board.slot(board.guests().first()).word.load();
    CHECK_FALSE(board.take(false));
    CHECK_FALSE(board.guests().take(Guests::own_stamp(), 0, id + 1, [] { return true; }));
    CHECK(board.guests().was_in_use() == 0);
    CHECK(board.slot(board.guests().first()).word.load() == word);
}

TEST_CASE("guests of all boards in the same memory lie in the same place") {
    const os::Mapping region{std::size_t{64} << 20};
    const auto place_of = [&](std::uint32_t slots, std::uint32_t seats) {
        task::Board& board =
            task::Board::create(region, {.slot_count = slots, .seats = seats, .parkers = 1, .guests = 4, .id = id});
        return &board.guests.guest(board.guests.first());
    };
    task::Guest* const place = place_of(4, 2);
    REQUIRE(os::give_back(region.data(), region.size()));
    CHECK(place_of(1000, 10) == place);
}

TEST_CASE("cancelled tasks behind one that waits leave room in the ring - and the order as it was") {
    const GuestsBoard board;
    const std::uint64_t capacity = board->queue.ring(task::Queue::guests).capacity();
    const Offer first = board.submit();
    for (std::uint64_t i = 0; i < 3 * capacity; ++i) { board.cancel(board.submit()); }
    const Offer second = board.submit();
    for (std::uint64_t i = 0; i < 3 * capacity; ++i) { board.cancel(board.submit()); }
    const Offer third = board.submit();
    for (const Offer expected : {first, second, third}) { CHECK(board.run() == expected.slot); }
    CHECK_FALSE(board.run());
    for (const Offer offer : {first, second, third}) { board.give_back(offer.slot); }
}

TEST_CASE("a board of workers' tasks drops what is stale without regard to the order") {
    const GuestsBoard board{4, false};
    const Offer first = board.submit();
    for (int i = 0; i < 1000; ++i) { board.cancel(board.submit()); }
    CHECK(board.run() == first.slot);
    board.give_back(first.slot);
    CHECK_FALSE(board.run());
}

TEST_CASE("a task that nobody waits for frees its slot and is counted if it fails") {
    const GuestsBoard board;
    const auto detach = [&](Offer offer, bool observed) {
        board.guests().detach(board->results, offer.slot, observed);
    };
    SECTION("dropped before it runs") {
        detach(board.submit(), false);
        CHECK(board.run(procpool::Ending::exception));
        CHECK(board.guests().unobserved() == 1);
    }
    SECTION("dropped when it has run") {
        const Offer offer = board.submit();
        CHECK(board.run(procpool::Ending::exception));
        detach(offer, false);
        CHECK(board.guests().unobserved() == 1);
    }
    SECTION("lost") {
        const Offer offer = board.submit();
        detach(offer, false);
        CHECK(board->lose(offer.slot, offer.generation, procpool::Ending::timed_out));
        CHECK(board.guests().unobserved() == 1);
    }
    SECTION("cancelled or lost with the pool") {
        Offer offer = board.submit();
        detach(offer, false);
        CHECK(board->withdraw_guest(offer));
        offer = board.submit();
        detach(offer, false);
        CHECK(board->lose(offer.slot, offer.generation, procpool::Ending::terminated));
        CHECK(board.guests().unobserved() == 0);
    }
    SECTION("without an error or with one that was told") {
        detach(board.submit(), false);
        CHECK(board.run());
        detach(board.submit(), true);
        CHECK(board.run(procpool::Ending::exception));
        CHECK(board.guests().unobserved() == 0);
    }
    CHECK(board.guests().was_in_use() == 0);
}

TEST_CASE("a sweep leaves what is a living guest's") {
    const GuestsBoard board;
    const Offer pending = board.submit();
    const Offer done = board.submit();
    CHECK(board.run() == pending.slot);
    const Offer waits = board.submit();
    constexpr sync::Stamp other = sync::Stamp{1} << 63 | 1;  // process 1 lives
    CHECK_FALSE(board.guests().sweep(board->results, other));
    CHECK(board.word(pending.slot).phase() == Phase::done);
    CHECK(board.word(done.slot).phase() == Phase::pending);
    CHECK(board.word(waits.slot).phase() == Phase::pending);
    CHECK(Guests::is_alive(Guests::own_stamp()));
    CHECK_FALSE(Guests::is_alive(Guests::detached));
}

TEST_CASE("a word for those without room changes when a slot is freed or a task is decided") {
    const GuestsBoard board;
    const Offer offer = board.submit();
    std::uint32_t seen = board->await_room();
    CHECK(board.guests().room().load() == seen);
    CHECK(board.run() == offer.slot);
    CHECK(board.guests().room().load() != seen);
    CHECK(board->from_workers.capacity_waiter.load() == 0);
    seen = board->await_room();
    board.give_back(offer.slot);
    CHECK(board.guests().room().load() != seen);
    // The parent's submitter and guests may wait at a time.
    board->from_workers.set_capacity_waiter(1);
    CHECK(board->from_workers.capacity_waiter.load() == (task::FromWorkers::guests_wait | 1));
    seen = board->await_room();
    board->from_workers.set_capacity_waiter(0);
    board->notify_capacity_waiter();
    CHECK(board.guests().room().load() != seen);
}
