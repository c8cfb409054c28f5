// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/journal_file.hpp>

#include "map/journaled.hpp"
#include "support/catch.hpp"

#include <procpool/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace procpool_test;
using namespace procpool::detail::persist;

namespace {

const JournalIdentity identity{"call", "results", "items", "code", std::string("function\0too", 12)};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }
std::string text_of(const JournalFile::Body& body) {
    return {reinterpret_cast<const char*>(body.results().data()), body.results().size()};
}

/// Writes four records. Returns: where each of them begins, and the end.
std::vector<std::size_t> write_some(const std::string& path) {
    std::vector<std::size_t> ends;
    JournalFile file{path, identity};
    const auto add = [&](RecordKind kind, std::uint64_t first, const std::vector<std::uint64_t>& items,
                         std::string_view results) {
        ends.push_back(bytes_of(path).size());
        CHECK(file.append(kind, first, items, bytes(results)) == 0);
    };
    add(RecordKind::values, 3, {11, 12, 13}, "three");
    add(RecordKind::failures, 6, {14}, "");
    add(RecordKind::sums, 256, {1, 2}, "sum");
    add(RecordKind::values, 0, {15, 16}, "two");
    ends.push_back(bytes_of(path).size());
    return ends;
}

TEST_CASE("journal file: records are as they were written") {
    const TemporaryFolder folder;
    static_cast<void>(write_some(folder.file()));
    JournalFile file{folder.file(), identity};
    const auto records = file.take_records();
    REQUIRE(records.size() == 4);
    CHECK(records[0].kind == RecordKind::values);
    CHECK(records[0].first == 3);
    CHECK(records[0].end() == 6);
    CHECK(records[1].kind == RecordKind::failures);
    CHECK(records[3].age == 3);
    JournalFile::Body body;
    REQUIRE(file.read(records[0], body));
    CHECK(text_of(body) == "three");
    CHECK(body.checksum_of_item(2) == 13);
    REQUIRE(file.read(records[1], body));
    CHECK(text_of(body).empty());
    REQUIRE(file.read(records[2], body));
    CHECK(text_of(body) == "sum");
}

TEST_CASE("journal file: it is of one call and open once") {
    const TemporaryFolder folder;
    JournalFile file{folder.file(), identity};
    CHECK_THROWS_AS((JournalFile{folder.file(), identity}), procpool::JournalBusy);
    for (std::string JournalIdentity::*const part :
         {&JournalIdentity::call, &JournalIdentity::results, &JournalIdentity::items, &JournalIdentity::code,
          &JournalIdentity::function}) {
        const TemporaryFolder other;
        { const JournalFile made{other.file(), identity}; }
        JournalIdentity changed = identity;
        (changed.*part)[0] = 'X';
        CHECK_THROWS_AS((JournalFile{other.file(), changed}), procpool::JournalMismatch);
        changed = identity;
        changed.*part += "more";
        CHECK_THROWS_AS((JournalFile{other.file(), changed}), procpool::JournalMismatch);
        CHECK_NOTHROW(JournalFile{other.file(), identity});
    }
    CHECK_THROWS_AS((JournalFile{folder.file("."), identity}), std::invalid_argument);
}

/// The number of records that can be read, and that are as they were written.
std::size_t good_records(const std::string& path, std::size_t& wrong) {
    JournalFile file{path, identity};
    std::size_t good = 0;
    JournalFile::Body body;
    for (const JournalRecord& record : file.take_records()) {
        if (!file.read(record, body)) { continue; }
        const std::string text = text_of(body);
        const bool is_one =
            (record.kind == RecordKind::values && record.first == 3 && record.count == 3 && text == "three" &&
             body.checksum_of_item(0) == 11) ||
            (record.kind == RecordKind::failures && record.first == 6 && record.count == 1 && text.empty()) ||
            (record.kind == RecordKind::sums && record.first == 256 && record.count == 2 && text == "sum") ||
            (record.kind == RecordKind::values && record.first == 0 && record.count == 2 && text == "two");
        (is_one ? good : wrong) += 1;
    }
    return good;
}

TEST_CASE("journal file: every bit that is flipped is found and costs one record") {
    const TemporaryFolder folder;
    const std::vector<std::size_t> ends = write_some(folder.file());
    const std::string whole = bytes_of(folder.file());
    std::size_t wrong = 0;
    for (std::size_t bit = 8 * ends[0]; bit < 8 * whole.size(); ++bit) {
        std::string damaged = whole;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        write_bytes(folder.file(), damaged);
        REQUIRE(good_records(folder.file(), wrong) == 3);
    }
    CHECK(wrong == 0);
}

TEST_CASE("journal file: what is cut off in the middle is as if it had never been written") {
    const TemporaryFolder folder;
    const std::vector<std::size_t> ends = write_some(folder.file());
    const std::string whole = bytes_of(folder.file());
    std::size_t wrong = 0;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        write_bytes(folder.file(), whole.substr(0, size));
        const auto kept = static_cast<std::size_t>(
            std::count_if(ends.begin() + 1, ends.end(), [size](std::size_t end) { return end <= size; }));
        REQUIRE(good_records(folder.file(), wrong) == kept);
        REQUIRE(bytes_of(folder.file()).size() == ends[kept]);
    }
    CHECK(wrong == 0);
}

TEST_CASE("journal file: random damage is found and the file goes on behind it") {
    const TemporaryFolder folder;
    const std::size_t begin = write_some(folder.file()).front();
    const std::string whole = bytes_of(folder.file());
    std::mt19937 random{20260101};
    std::size_t wrong = 0;
    for (int round = 0; round < 2000; ++round) {
        std::string damaged = whole;
        for (auto many = random() % 4; many-- > 0;) {  // bytes overwritten, left out, or added
            const std::size_t at = begin + random() % (damaged.size() - begin + 1);
            const std::size_t size = std::min<std::size_t>(random() % 60, damaged.size() - at);
            switch (random() % 3) {
                case 0:
                    for (std::size_t i = 0; i < size; ++i) { damaged[at + i] = static_cast<char>(random()); }
                    break;
                case 1: damaged.erase(at, size); break;
                default: damaged.insert(at, whole, begin, size); break;
            }
        }
        write_bytes(folder.file(), damaged);
        REQUIRE(good_records(folder.file(), wrong) <= 4);
        {
            JournalFile file{folder.file(), identity};
            REQUIRE(file.append(RecordKind::values, 9, std::vector<std::uint64_t>{5}, bytes("new")) == 0);
        }
        JournalFile file{folder.file(), identity};
        JournalFile::Body body;
        REQUIRE(file.read(file.take_records().back(), body));
        REQUIRE(text_of(body) == "new");
    }
    CHECK(wrong == 0);
}

TEST_CASE("journal file: what is appended behind damage is found") {
    const TemporaryFolder folder;
    const std::vector<std::size_t> ends = write_some(folder.file());
    std::string damaged = bytes_of(folder.file());
    damaged[ends[1] + 9] = '?';  // how many items the second one has
    damaged.erase(ends[2] - 3, 1);
    write_bytes(folder.file(), damaged);
    {
        JournalFile file{folder.file(), identity};
        CHECK(file.append(RecordKind::values, 9, std::vector<std::uint64_t>{5}, bytes("new")) == 0);
    }
    JournalFile file{folder.file(), identity};
    const auto records = file.take_records();
    REQUIRE_FALSE(records.empty());
    JournalFile::Body body;
    REQUIRE(file.read(records.back(), body));
    CHECK(text_of(body) == "new");
}

TEST_CASE("journal file: records larger than what is read at once are found") {
    const TemporaryFolder folder;
    const std::string large(3'000'000, 'x');
    {
        JournalFile file{folder.file(), identity};
        for (std::uint64_t i = 0; i < 3; ++i) {
            CHECK(file.append(RecordKind::values, i, std::vector<std::uint64_t>{i}, bytes(large)) == 0);
            CHECK(file.append(RecordKind::failures, 10 + i, std::vector<std::uint64_t>{i}, {}) == 0);
        }
    }
    JournalFile file{folder.file(), identity};
    const auto records = file.take_records();
    REQUIRE(records.size() == 6);
    JournalFile::Body body;
    CHECK(file.read(records[4], body));
    CHECK(text_of(body) == large);
}

}  // namespace
