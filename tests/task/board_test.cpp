// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/board.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Phase;
using detail::task::Word;

namespace {

constexpr std::uint32_t seat = 2;

ScratchBoard small() { return ScratchBoard{{4, 4, 2}, std::size_t{16} << 20}; }

}  // namespace

TEST_CASE("a fresh board holds nothing") {
    const ScratchBoard board = small();
    CHECK(board->all_slots().size() == 4);
    CHECK(board->seats().size() == 4);
    CHECK(board->parkers().size() == 2);
    CHECK(board->claim(seat) == std::nullopt);
    CHECK(board->sleeping.was_empty());
    CHECK(board->spinning.was_empty());
    CHECK(board->control.life.load() == detail::task::Life::open);
    for (std::uint32_t i = 0; i < 4; ++i) { CHECK(board.word(i).phase() == Phase::free); }
}

TEST_CASE("the parts of a board lie detail::apart - aligned - inside its region") {
    const detail::os::Mapping region{std::size_t{64} << 20};
    constexpr std::size_t notes = 24;
    const detail::task::Board& board = detail::task::Board::create(region, {100, 70, 64, notes});
    const std::byte* const end = region.data() + region.size();
    std::vector<std::pair<const std::byte*, const std::byte*>> parts;
    const auto add = [&](const auto& span) {
        const auto bytes = std::as_bytes(span);
        parts.emplace_back(bytes.data(), bytes.data() + bytes.size());
    };
    parts.emplace_back(region.data(), region.data() + sizeof(detail::task::Board));
    add(board.seats());
    add(board.parkers());
    add(board.all_slots());
    add(std::span{board.argument_side()});
    for (std::uint32_t i = 0; i < 100; ++i) { add(board.results.window(i)); }
    for (const auto& [from, to] : parts) { CHECK((from >= region.data() && to <= end)); }
    std::sort(parts.begin(), parts.end());
    for (std::size_t i = 1; i < parts.size(); ++i) { CHECK(parts[i - 1].second <= parts[i].first); }
    CHECK(reinterpret_cast<std::uintptr_t>(board.all_slots().data()) % detail::apart == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(board.seats().data()) % detail::apart == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(board.argument_side().data()) % detail::os::page_size == 0);
    // Workers map the argument side read-only: nothing they write may lie in it.
    const auto side = board.argument_side();
    CHECK(board.notes() > side.data());
    CHECK(board.arguments.window(0).data() >= board.notes() + 100 * notes);
    CHECK(board.arguments.window(99).data() + board.arguments.window(99).size() <= side.data() + side.size());
    CHECK(board.results.window(0).data() >= side.data() + side.size());
}

TEST_CASE("a region that is too small is an exception") {
    const detail::os::Mapping region{std::size_t{1} << 20};
    CHECK_THROWS_AS(detail::task::Board::create(region, {4096, 4, 64}), SharedMemoryExhausted);
    const detail::os::Mapping tiny{detail::os::page_size};
    CHECK_THROWS_AS(detail::task::Board::create(tiny, {1, 1, 1}), SharedMemoryExhausted);
}

TEST_CASE("a board fits into a region of any size that has room for its parts") {
    constexpr std::size_t largest = std::size_t{4} << 30;
    for (const std::uint32_t slots : {1U, 100U, 4096U, 65536U}) {
        for (const std::uint32_t seats : {1U, 6U, 10U, 66U}) {
            for (std::size_t size = largest; size > (std::size_t{1} << 20) + (std::size_t{slots} << 14);
                 size -= size / 16 + 12345) {
                detail::os::Mapping part{size};
                CAPTURE(slots, seats, size);
                CHECK_NOTHROW(static_cast<void>(detail::task::Board::create(part, {slots, seats, 64, 24})));
            }
        }
    }
}

TEST_CASE("boards of one slot and of many work alike") {
    for (const std::uint32_t slots : {1U, 2U, 3U, 5U, 1000U}) {
        const ScratchBoard board{{slots, 4, 2}};
        for (std::uint64_t round = 0; round < 3; ++round) {
            for (std::uint32_t i = 0; i < slots; ++i) {
                REQUIRE_FALSE(board.ring().is_full());
                board.publish(i, round * 1000 + i);
            }
            for (std::uint32_t i = 0; i < slots; ++i) {
                const auto claim = board->claim(seat);
                REQUIRE(claim);
                REQUIRE(claim->slot == i);
                REQUIRE(board.argument(i) == round * 1000 + i);
                REQUIRE(board->finish(*claim, seat));
                REQUIRE(board.take(i) == Phase::done);
                board.free(i);
            }
            REQUIRE_FALSE(board->claim(seat));
        }
    }
}

TEST_CASE("a task goes from free to pending - started - done - taken - free") {
    const ScratchBoard board = small();
    const std::uint64_t position = board.publish(1, 42);
    CHECK(board.word(1).phase() == Phase::pending);
    CHECK(board.word(1).generation() == position);

    const auto claim = board->claim(seat);
    REQUIRE(claim);
    CHECK(claim->slot == 1);
    CHECK(claim->generation == position);
    CHECK(board.word(1).phase() == Phase::started);
    CHECK(board.word(1).seat() == seat);
    CHECK(board.argument(1) == 42);
    CHECK_FALSE(board->claim(3));  // no other seat gets it
    CHECK_FALSE(board.take(1));
    CHECK_FALSE(board->withdraw(1, claim->generation));

    board.write_result(1, 43);
    CHECK(board->finish(*claim, seat));
    CHECK(board.word(1).phase() == Phase::done);
    CHECK(board.result(1) == 43);
    CHECK_FALSE(board->finish(*claim, seat));
    CHECK_FALSE(board->lose(1, claim->generation, Ending::died));
    CHECK(board.take(1) == Phase::done);
    CHECK_FALSE(board.take(1));
    board.free(1);
}

TEST_CASE("tasks are claimed in the order they were published") {
    const ScratchBoard board = small();
    for (const std::uint32_t slot : {3U, 0U, 2U, 1U}) { board.publish(slot, slot); }
    for (const std::uint32_t slot : {3U, 0U, 2U, 1U}) {
        const auto claim = board->claim(seat);
        REQUIRE(claim);
        CHECK(claim->slot == slot);
    }
}

TEST_CASE("a withdrawn task does not start and the next one does") {
    const ScratchBoard board = small();
    const auto first = static_cast<std::uint32_t>(board.publish(0, 1));
    board.publish(1, 2);
    CHECK_FALSE(board->withdraw(0, first + 1));  // the generation of another task
    CHECK(board->withdraw(0, first));
    CHECK_FALSE(board->withdraw(0, first));
    CHECK(board.word(0).phase() == Phase::cancelled);
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    CHECK(claim->slot == 1);
    CHECK(board.take(0) == Phase::cancelled);
}

TEST_CASE("an entry whose slot has a new task is passed over") {
    const ScratchBoard board = small();
    const auto old = static_cast<std::uint32_t>(board.publish(0, 1));
    CHECK(board->withdraw(0, old));
    CHECK(board.take(0));
    board.free(0);
    const std::uint64_t position = board.publish(0, 2);  // the ring now holds the slot twice
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    CHECK(claim->generation == position);
    CHECK(board.argument(0) == 2);
    CHECK(board.ring().head() == 2);
    CHECK_FALSE(board->claim(seat));
}

TEST_CASE("a claim whose worker died before it helped head forward is passed over") {
    const ScratchBoard board = small();
    const auto generation = static_cast<std::uint32_t>(board.publish(0, 1));
    board.publish(1, 2);
    board.slot(0).word.store(Word::pending(generation, false).started_by(3).bits());  // and head still shows slot 0
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    CHECK(claim->slot == 1);
    CHECK(board.ring().head() == 2);
}

TEST_CASE("a lost task tells why and a late result does not count") {
    const ScratchBoard board = small();
    board.publish(0, 1);
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    CHECK_FALSE(board->lose_pending(0, claim->generation, Ending::broken));
    CHECK_FALSE(board->lose(0, claim->generation + 1, Ending::died));
    CHECK(board->lose(0, claim->generation, Ending::died));
    CHECK(board.word(0).phase() == Phase::lost);
    CHECK(board.slot(0).loss.load() == Ending::died);
    CHECK_FALSE(board->finish(*claim, seat));
    CHECK(board.word(0).phase() == Phase::lost);
    CHECK(board.take(0) == Phase::lost);
}

TEST_CASE("a condemned task publishes nothing; its verdict is read after the death") {
    const ScratchBoard board = small();
    board.publish(0, 1);
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    board.slot(0).word.store(board.word(0).condemned(Ending::timed_out).bits());
    CHECK_FALSE(board->finish(*claim, seat));
    CHECK(board.word(0).phase() == Phase::started);
    CHECK(board.word(0).verdict() == Ending::timed_out);
    CHECK(board->lose(0, claim->generation, Ending::timed_out));
}

TEST_CASE("losing all that is pending leaves what runs") {
    const ScratchBoard board = small();
    for (std::uint32_t i = 0; i < 3; ++i) { board.publish(i, i); }
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    board->lose_all_pending(Ending::terminated);
    CHECK(board.word(0).phase() == Phase::started);
    CHECK(board.word(1).phase() == Phase::lost);
    CHECK(board.word(2).phase() == Phase::lost);
    CHECK(board.word(3).phase() == Phase::free);
    CHECK(board->finish(*claim, seat));
    CHECK_FALSE(board->claim(seat));

    board.publish(3, 3);
    REQUIRE(board->claim(seat));
    board->lose_all(Ending::broken);
    CHECK(board.word(0).phase() == Phase::done);
    CHECK(board.word(3).phase() == Phase::lost);
    CHECK(board.slot(3).loss.load() == Ending::broken);
    CHECK(board.slot(1).loss.load() == Ending::terminated);
}

TEST_CASE("whoever waits for a task is notified however it ends") {
    const ScratchBoard board = small();
    detail::sync::Parker& parker = board->parkers()[1];
    const auto was_notified = [&] { return parker.park(detail::Deadline::immediately()); };
    enum class End { done, cancelled, lost, lost_while_running };
    for (const bool before : {true, false}) {  // whether it waits from the start, or later
        for (const End end : {End::done, End::cancelled, End::lost, End::lost_while_running}) {
            CAPTURE(before, static_cast<int>(end));
            board->waiters.assign(board.slot(0).waiters, 1);
            const auto generation = static_cast<std::uint32_t>(board.publish(0, 1, before));
            if (!before) { board.slot(0).word.fetch_or(Word::waited_bit); }
            std::optional<detail::task::Claim> claim;
            if (end == End::done || end == End::lost_while_running) {
                claim = board->claim(seat);
                REQUIRE(claim);
                CHECK(board.word(0).waited());
            }
            CHECK_FALSE(was_notified());
            switch (end) {
                case End::done: CHECK(board->finish(*claim, seat)); break;
                case End::cancelled: CHECK(board->withdraw(0, generation)); break;
                case End::lost: CHECK(board->lose_pending(0, generation, Ending::broken)); break;
                case End::lost_while_running: CHECK(board->lose(0, generation, Ending::died)); break;
            }
            CHECK(was_notified());
            CHECK(board.take(0));
            board.free(0);
        }
    }
    CHECK_FALSE(board->claim(seat));
    board.publish(0, 1);
    const auto claim = board->claim(seat);
    board.slot(0).word.fetch_or(Word::waited_bit);  // after the start
    CHECK(board->finish(*claim, seat));
    CHECK(was_notified());
    CHECK(board.take(0));
    board.free(0);
    board.publish(0, 1);
    CHECK(board->finish(*board->claim(seat), seat));
    CHECK_FALSE(was_notified());  // no thread waits
}

TEST_CASE("one who waits for capacity is notified once by whatever ends") {
    const ScratchBoard board = small();
    detail::sync::Parker& parker = board->parkers()[0];
    for (const bool withdraws : {true, false}) {
        const auto generation = static_cast<std::uint32_t>(board.publish(0, 1));
        board->from_workers.capacity_waiter.store(1);
        if (withdraws) {
            CHECK(board->withdraw(0, generation));
        } else {
            CHECK(board->finish(*board->claim(seat), seat));
        }
        CHECK(board->from_workers.capacity_waiter.load() == 0);
        CHECK(parker.park(detail::Deadline::immediately()));
        CHECK(board.take(0));
        board.free(0);
    }
    CHECK_FALSE(parker.park(detail::Deadline::immediately()));
}

TEST_CASE("a sleeper is woken when nobody spins and only one") {
    const ScratchBoard board = small();
    const auto woken = [&] {
        std::set<std::uint32_t> all;
        for (std::uint32_t i = 0; i < 4; ++i) {
            if (board->seats()[i].parker.park(detail::Deadline::immediately())) { all.insert(i); }
        }
        return all;
    };
    board->wake_for_new_task();
    CHECK(woken().empty());
    board->sleeping.add(1);
    board->sleeping.add(3);
    board->spinning.add(0);
    board->wake_for_new_task();
    CHECK(woken().empty());
    CHECK(board->spinning.remove(0));
    board->wake_for_new_task();
    CHECK(woken() == std::set<std::uint32_t>{1});
    CHECK(board->sleeping.was_size() == 1);
    board->sleeping.add(0);
    board->wake_all();
    CHECK(woken() == std::set<std::uint32_t>{0, 3});
    CHECK(board->sleeping.was_empty());
}

TEST_CASE("a worker's process wakes a thread of the parent at once") {
    const ScratchBoard board = small();
    board->waiters.assign(board.slot(0).waiters, 1);
    board.publish(0, 5, true);
    const pid_t worker = start_child([&] {
        const auto claim = board->claim(seat);
        if (!claim || board.argument(0) != 5) { return 1; }
        ::usleep(30000);  // the parent sleeps by now, most likely
        board.write_result(0, 6);
        return board->finish(*claim, seat) ? 0 : 2;
    });
    const auto start = detail::Clock::now();
    CHECK(board->parkers()[1].park(detail::Deadline::after(20s)));
    CHECK(detail::Clock::now() - start < 10s);
    CHECK(board.result(0) == 6);
    CHECK(wait_for_child(worker) == 0);
}

TEST_CASE("the parent is notified as a whole") {
    const ScratchBoard board = small();
    CHECK(in_child([&] {
              board->notify_parent();
              return 0;
          }) == 0);
    for (detail::sync::Parker& parker : board->parkers()) { CHECK(parker.park(detail::Deadline::immediately())); }
}

TEST_CASE("numbers of seats and parkers that there are not are passed by") {
    const ScratchBoard board = small();
    board->sleeping.add(50);
    board->wake_one();
    CHECK(board->sleeping.was_empty());
    for (const std::uint32_t number : {4U, 50U, 0xffffffffU}) {
        CHECK(board->seat_of(number) == nullptr);
        board->from_workers.spare.store(number + 1);
        board->from_workers.retiree.store(number + 1);
        board->wake_all();
        board->from_workers.capacity_waiter.store(number + 1);
        board->notify_capacity_waiter();
        board->request_stop(0, Word::pending(0, false).started_by(number), 1, 0);
    }
    CHECK(board->seat_of(3) == &board->seats()[3]);
}

TEST_CASE("a word is plausible as far as it can be that of the slot's task") {
    const ScratchBoard board = small();
    board->publish({1, 7}, detail::task::Queue::usual, false);
    CHECK(board->is_plausible(1, board.word(1)));
    CHECK(board->is_plausible(1, board.word(1).started_by(3)));
    CHECK_FALSE(board->is_plausible(1, board.word(1).started_by(4)));
    CHECK_FALSE(board->is_plausible(1, board.word(1).with(Phase::free)));
    CHECK_FALSE(board->is_plausible(1, board.word(1).with(static_cast<Phase>(8))));
    CHECK_FALSE(board->is_plausible(1, board.word(1).with_generation(8)));
    CHECK(board->take_from_ring({1, 7}, 8));
    CHECK(board->is_plausible(1, board.word(1)));
    CHECK(board.word(1).generation() == 8);
}

TEST_CASE("a marked task is lost unless its worker has put its word right") {
    const ScratchBoard board = small();
    board->publish({1, 7}, detail::task::Queue::usual, false);
    REQUIRE(board->claim(seat));
    const std::uint64_t right = board.word(1).bits();
    board->lose_overwritten(1);
    CHECK(board.word(1).bits() == right);  // not marked
    board.slot(1).word.store(0x41);
    board->mark_overwritten(1);
    CHECK(board->is_marked(1));
    board.slot(1).word.store(right);
    board->lose_overwritten(1);
    CHECK(board.word(1).bits() == right);
    CHECK_FALSE(board->is_marked(1));
    board.slot(1).word.store(0x41);
    board->mark_overwritten(1);
    board->lose_overwritten(1);
    CHECK(board.word(1).phase() == Phase::lost);
    CHECK(board.word(1).generation() == 7);
    CHECK(board.slot(1).loss.load() == Ending::overwritten);
    CHECK(board->control.casualties.load() == 1);
}

TEST_CASE("a worker whose task's word has been overwritten leaves it alone") {
    const ScratchBoard board = small();
    board->publish({1, 7}, detail::task::Queue::usual, false);
    const auto claim = board->claim(seat);
    REQUIRE(claim);
    board.slot(1).word.store(0x41414141'41414142);
    CHECK(board->finish(*claim, seat));
    CHECK(board.word(1).bits() == 0x41414141'41414142);
}
