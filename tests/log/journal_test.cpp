// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/journal.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool::detail::log;

namespace {

std::unique_ptr<Journal> make() {
    auto journal = std::make_unique<Journal>();  // value-initialised: zero
    journal->reader.reset();
    return journal;
}
void say(Journal& journal, std::uint64_t number, std::int32_t pid = 1) {
    journal.write(pid, [&](JournalEntry& entry) {
        entry.task = number;
        entry.text.assign(std::to_string(number));
    });
}
bool nobody_is_gone(std::int32_t) { return false; }

std::vector<std::uint64_t> drained(Journal& journal) {
    std::vector<std::uint64_t> numbers;
    journal.drain(nobody_is_gone, [&](const JournalEntry& entry) {
        CHECK(entry.text.view() == std::to_string(entry.task));
        numbers.push_back(entry.task);
    });
    return numbers;
}

TEST_CASE("all-zero memory is a journal that wants nothing") {
    auto journal = make();
    for (const LogLevel level : {LogLevel::debug, LogLevel::error, LogLevel::off}) {
        CHECK_FALSE(journal->wants(level));
    }
    CHECK(journal->level() == LogLevel::off);
    CHECK(drained(*journal).empty());
    journal->set_level(LogLevel::info);
    CHECK(journal->level() == LogLevel::info);
    CHECK_FALSE(journal->wants(LogLevel::debug));
    CHECK(journal->wants(LogLevel::info));
    CHECK(journal->wants(LogLevel::error));
    CHECK_FALSE(journal->wants(LogLevel::off));
}

TEST_CASE("records come once in their order and a full journal loses the oldest and counts them") {
    auto journal = make();
    std::uint64_t next = 0;
    for (const std::uint64_t count :
         {std::uint64_t{1}, std::uint64_t{100}, Journal::cells, Journal::cells + 7, 3 * Journal::cells}) {
        const std::uint64_t dropped = journal->dropped();
        for (std::uint64_t i = 0; i < count; ++i) { say(*journal, next++); }
        const std::vector<std::uint64_t> numbers = drained(*journal);
        const std::uint64_t kept = std::min(count, Journal::cells);
        REQUIRE(numbers.size() == kept);
        for (std::size_t i = 0; i < kept; ++i) { CHECK(numbers[i] == next - kept + i); }
        CHECK(journal->dropped() - dropped == count - kept);
        CHECK(drained(*journal).empty());
    }
}

TEST_CASE("a writer that is stopped or dies in the middle of a record holds nobody up") {
    auto journal = make();
    // A writer that writes more in the middle of its record is one that has been stopped there.
    bool gone = false;
    std::vector<std::uint64_t> numbers;
    const auto drain = [&] {
        return journal->drain([&](std::int32_t pid) { return gone && pid == 77; },
                              [&](const JournalEntry& entry) { numbers.push_back(entry.task); });
    };
    journal->write(77, [&](JournalEntry& entry) {
        say(*journal, 2);
        CHECK_FALSE(drain());
        CHECK(numbers == std::vector<std::uint64_t>{2});
        for (std::uint64_t i = 0; i < 2 * Journal::cells; ++i) { say(*journal, 100 + i); }  // past it, twice
        numbers.clear();
        drain();
        CHECK(numbers.size() == Journal::cells - 1);
        CHECK(numbers.back() == 99 + 2 * Journal::cells);
        entry.task = 3;
    });
    numbers.clear();
    drain();
    CHECK(numbers == std::vector<std::uint64_t>{3});  // late, but not lost
    CHECK(drained(*journal).empty());
    // A writer that dies: the record it had begun is lost, and its cell is free again.
    const std::uint64_t dropped = journal->dropped();
    journal->write(77, [&](JournalEntry&) {
        gone = true;
        numbers.clear();
        CHECK(drain());
    });
    CHECK(numbers.empty());
    CHECK(journal->dropped() == dropped + 1);
}

TEST_CASE("many threads write while one reads: every record is whole and comes once or is counted as lost",
          "[thread]") {
    auto journal = make();
    constexpr std::uint64_t writers = 3;
    constexpr std::uint64_t each = 20'000;
    std::atomic<std::uint64_t> ended{0};
    std::vector<std::thread> threads;
    for (std::uint64_t writer = 0; writer < writers; ++writer) {
        threads.emplace_back([&, writer] {
            for (std::uint64_t i = 0; i < each; ++i) { say(*journal, writer * each + i); }
            ended.fetch_add(1);
        });
    }
    std::vector<int> seen(writers * each);
    std::uint64_t count = 0;
    std::uint64_t torn = 0;
    for (bool last = false;;) {
        journal->drain(nobody_is_gone, [&](const JournalEntry& entry) {
            torn += entry.text.view() == std::to_string(entry.task) ? 0U : 1U;
            ++seen.at(entry.task);
            ++count;
        });
        if (last) { break; }
        last = ended.load() == writers;
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(torn == 0);
    CHECK(std::all_of(seen.begin(), seen.end(), [](int times) { return times <= 1; }));
    CHECK(count + journal->dropped() == writers * each);
}

/// Overwrites 8 bytes of a journal, as a task may.
void overwrite(Journal& journal, std::size_t offset, std::uint64_t value) {
    std::memcpy(reinterpret_cast<std::byte*>(&journal) + offset, &value, sizeof value);
}

TEST_CASE("a journal that a task has overwritten holds nobody up and has room for later records") {
    // Its words but those of the cells lie before them; of the cells, those at the start.
    const std::size_t cells_begin = sizeof(Journal) - Journal::cells * 1024;
    std::vector<std::size_t> places;
    for (std::size_t offset = 0; offset < cells_begin; offset += 8) { places.push_back(offset); }
    for (std::size_t cell = 0; cell < 25; ++cell) { places.push_back(cells_begin + cell * 1024); }
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0},
                                      std::uint64_t{0x4141414141414141}, std::uint64_t{5000} << 24 | 1}) {
        for (const std::size_t place : places) {
            CAPTURE(value, place);
            auto journal = make();
            for (std::uint64_t i = 0; i < 20; ++i) { say(*journal, i); }
            journal->drain(nobody_is_gone, [](const JournalEntry&) {});
            overwrite(*journal, place, value);
            for (std::uint64_t i = 0; i < 2 * Journal::cells; ++i) { say(*journal, i); }
            journal->drain(nobody_is_gone, [](const JournalEntry&) {});
            std::uint64_t later = 0;
            for (std::uint64_t i = 0; i < 100; ++i) { say(*journal, i); }
            journal->drain([](std::int32_t) { return true; }, [&](const JournalEntry&) { ++later; });
            CHECK(later >= 90);
        }
    }
}

}  // namespace
