// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/slot.hpp>

#include "support/catch.hpp"

#include <vector>

using namespace procpool::detail::task;
using procpool::Ending;

namespace {

const std::vector<Phase> phases{Phase::free, Phase::pending,   Phase::started, Phase::done,
                                Phase::lost, Phase::cancelled, Phase::taken};

}  // namespace

TEST_CASE("all-zero memory is a free slot") {
    CHECK(Word{}.phase() == Phase::free);
    CHECK(Word{}.bits() == 0);
    CHECK_FALSE(Word{}.waited());
    CHECK(!Word{}.is_condemned());
}

TEST_CASE("the fields of a word do not touch each other") {
    for (const std::uint32_t generation : {0U, 1U, 0x80000000U, 0xffffffffU}) {
        for (const std::uint32_t seat : {0U, 1U, 0x800U, Word::most_seats}) {
            for (const bool waited : {false, true}) {
                for (const Ending verdict :
                     {Ending::value, Ending::timed_out, Ending::memory_exceeded, Ending::cancelled}) {
                    for (const Phase phase : phases) {
                        const Word started = Word::pending(generation, waited).started_by(seat);
                        const bool condemned = verdict != Ending::value;
                        const Word word = (condemned ? started.condemned(verdict) : started).with(phase);
                        REQUIRE(word.generation() == generation);
                        REQUIRE(word.seat() == seat);
                        REQUIRE(word.waited() == waited);
                        REQUIRE(word.is_condemned() == condemned);
                        REQUIRE((!condemned || word.verdict() == verdict));
                        REQUIRE(word.without_verdict().bits() == started.with(phase).bits());
                        REQUIRE(word.phase() == phase);
                        REQUIRE(Word{word.bits()}.bits() == word.bits());
                        REQUIRE(word.with_waited(!waited).waited() == !waited);
                        REQUIRE(word.with_waited(!waited).with_waited(waited).bits() == word.bits());
                        REQUIRE(word.started_by(5).seat() == 5);
                        REQUIRE(word.started_by(5).phase() == Phase::started);
                        REQUIRE(word.started_by(5).generation() == generation);
                    }
                }
            }
        }
    }
}

TEST_CASE("a pending word carries nothing of the task before") {
    const Word word = Word::pending(7, false);
    CHECK(word.phase() == Phase::pending);
    CHECK(word.seat() == 0);
    CHECK(!word.is_condemned());
    CHECK(Word::pending(7, true).bits() == (word.bits() | Word::waited_bit));
}

TEST_CASE("finished means decided and not taken") {
    for (const Phase phase : phases) {
        const bool decided = phase == Phase::done || phase == Phase::lost || phase == Phase::cancelled;
        CHECK(Word::pending(1, true).with(phase).finished() == decided);
    }
}

TEST_CASE("two tasks in one slot differ in every state") {
    for (const Phase phase : phases) {
        CHECK(Word::pending(1, false).with(phase).bits() != Word::pending(2, false).with(phase).bits());
    }
}
