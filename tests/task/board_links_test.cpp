// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/board.hpp>

#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <cstdint>
#include <set>

using namespace procpool_test;
using namespace procpool::detail::task;

TEST_CASE("a task that has not waited for others is not taken for one whatever its word says") {
    const ScratchBoard board{{4, 4, 2}, std::size_t{16} << 20};
    constexpr std::uint32_t slot = 1;
    constexpr Offer offer{slot, 7};
    board->number_of(slot).store(7);
    board->publish_to(1, offer, false);  // for one worker: its place is no priority
    board.slot(slot).word.store(Word::blocked(offer.generation, false).bits());
    CHECK_FALSE(board->is_forgotten(slot));
    board->release_forgotten(slot);
    CHECK(board.word(slot).phase() == Phase::blocked);
    CHECK(board->queue.was_ready_empty());
}

TEST_CASE("a ready set has each of its members once and follows no mark beyond them") {
    constexpr std::uint32_t slots = 130;  // three words of members, and one of groups
    ScratchBoard board{{slots, 4, 2}, std::size_t{64} << 20};
    ReadySet& set = board->queue.ready_of(Queue::usual);
    CHECK(set.was_empty());
    CHECK(set.take() == ReadySet::nothing);
    for (const std::uint32_t slot : {129U, 0U, 64U, 63U, 0U}) { set.add(slot); }
    std::set<std::uint32_t> taken;
    for (std::uint32_t slot = set.take(); slot != ReadySet::nothing; slot = set.take()) {
        CHECK(taken.insert(slot).second);
        CHECK(set.was_empty() == (taken.size() == 4));
    }
    CHECK(taken == std::set<std::uint32_t>{0, 63, 64, 129});
}

TEST_CASE("a mark that a task has set in a ready set leads to nobody's memory") {
    constexpr std::uint32_t slots = 64;  // one word of members, then one of groups
    std::atomic<std::uint64_t> words[ReadySet::words_for(slots) + 1]{};
    ReadySet set{};
    set.attach(words, slots);
    words[1].store(std::uint64_t{1} << 2);  // where the set's words end
    words[2].store(1);
    CHECK(set.take() == ReadySet::nothing);
    CHECK(words[2].load() == 1);
    CHECK(set.was_empty());
}
