// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/journal.hpp>

#include "map/journaled.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

using namespace procpool_test;
using namespace procpool::detail::persist;

namespace {

const JournalIdentity identity{"call", "results", "items", "code", "function"};

/// The results of n items: each is one byte.
std::string results_of(char which, std::size_t n) { return std::string(n, which); }

void add(Journal& journal, std::uint64_t first, std::uint64_t end, char which) {
    const std::vector<std::uint64_t> items(end - first, static_cast<std::uint64_t>(which));
    const std::string results = results_of(which, items.size());
    journal.append(RecordKind::values, first, items, std::as_bytes(std::span{results}));
}

/// Item by item, which record it has: '.' none.
std::string found_in(const std::string& path, std::size_t items, std::size_t step = SIZE_MAX) {
    Journal journal{path, identity};
    std::string text;
    while (text.size() < items) {
        const Journal::Stretch stretch = journal.find(text.size());
        REQUIRE(stretch.end > text.size());
        const std::size_t count =
            std::min({items - text.size(), step, static_cast<std::size_t>(stretch.end) - text.size()});
        char which = '.';
        if (stretch.record != nullptr) {
            const JournalFile::Body* const body = journal.load();
            if (body == nullptr) { continue; }
            which = static_cast<char>(body->results()[stretch.offset]);
        }
        text += std::string(count, which);
    }
    return text;
}

TEST_CASE("journal: the newest record of an item counts") {
    const TemporaryFolder folder;
    {
        Journal journal{folder.file(), identity};
        add(journal, 2, 6, 'a');
        add(journal, 8, 10, 'b');
        add(journal, 3, 4, 'c');
        add(journal, 5, 9, 'd');
        add(journal, 0, 1, 'e');
    }
    CHECK(found_in(folder.file(), 12) ==
          "e.acadddd"
          "b..");
    CHECK(found_in(folder.file(), 12, 1) ==
          "e.acadddd"
          "b..");
}

TEST_CASE("journal: whatever was written in whatever order it is as if each item had one place") {
    std::mt19937 random{7};
    for (int round = 0; round < 300; ++round) {
        const TemporaryFolder folder;
        std::string wanted(60, '.');
        {
            Journal journal{folder.file(), identity};
            for (auto many = random() % 20; many-- > 0;) {
                const std::size_t first = random() % 60;
                const std::size_t end = first + 1 + random() % (60 - first);
                const char which = static_cast<char>('a' + random() % 26);
                add(journal, first, end, which);
                std::fill(wanted.begin() + static_cast<std::ptrdiff_t>(first),
                          wanted.begin() + static_cast<std::ptrdiff_t>(end), which);
            }
        }
        REQUIRE(found_in(folder.file(), 60) == wanted);
        REQUIRE(found_in(folder.file(), 60, 1 + random() % 5) == wanted);
    }
}

TEST_CASE("journal: a damaged record uncovers what it covered") {
    const TemporaryFolder folder;
    std::size_t second = 0;
    {
        Journal journal{folder.file(), identity};
        add(journal, 0, 6, 'a');
        second = bytes_of(folder.file()).size();
        add(journal, 2, 4, 'b');
    }
    CHECK(found_in(folder.file(), 7) == "aabbaa.");
    std::string damaged = bytes_of(folder.file());
    damaged[second + 50] ^= 1;
    write_bytes(folder.file(), damaged);
    CHECK(found_in(folder.file(), 7) == "aaaaaa.");  // which the call compares with the items, as any
}

}  // namespace
