// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/check_file.hpp>

#include <procpool/os/shared_file.hpp>
#include <procpool/persist/store.hpp>

#include "os/in_child.hpp"
#include "persist/directory.hpp"
#include "support/catch.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>

using namespace procpool;
using namespace procpool_test;
using namespace procpool::detail::persist;

namespace {

[[nodiscard]] unsigned seed_of_this_run() {
    const char* const given = std::getenv("PROCPOOL_CHAOS_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::atol(given)) : std::random_device{}();
    std::printf("PROCPOOL_CHAOS_SEED=%u\n", seed);
    std::fflush(stdout);  // before forks
    return seed;
}

[[nodiscard]] bool whole_bytes(const std::vector<char>& bytes) {
    return is_whole(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

[[nodiscard]] std::string expected(int i) {
    return std::string(static_cast<std::size_t>(i % 7 == 0 ? 3000 + i : i % 300), static_cast<char>('a' + i % 26)) +
           std::to_string(i);
}
constexpr int entry_count = 400;

/// Effects: fills the memo; some pages of the file are free, some values have pages of their own.
void fill(const std::filesystem::path& path) {
    Memo memo{path};
    const auto f = memo(expected, "f", 1);
    const auto gone = memo(expected, "gone", 1);
    for (int i = 0; i != entry_count; ++i) {
        static_cast<void>(f(i));
        static_cast<void>(gone(i));
    }
    memo.erase("gone");
}

/// Returns: 0 when every call returned what it should; for a child.
[[nodiscard]] int use(const std::filesystem::path& path) {
    try {
        Memo memo{path};
        const auto f = memo(expected, "f", 1);
        for (int i = 0; i != entry_count; ++i) {
            if (f(i) != expected(i)) { return 1; }
        }
        for (int i = entry_count; i != 2 * entry_count; ++i) {
            if (f(i) != expected(i)) { return 1; }
        }
        memo.erase("f");
        if (f(1) != expected(1)) { return 1; }
        memo.clear();
        return f(1) == expected(1) ? 0 : 1;
    } catch (const procpool::Error& error) { return std::strstr(error.what(), "procpool: ") == error.what() ? 0 : 2; }
}

}  // namespace

TEST_CASE("a file is whole after any number of changes and not when it is something else") {
    const TemporaryDirectory directory;
    const auto data = directory.memo() / "data.mdb";
    fill(directory.memo());
    std::vector<char> bytes = read_file(data);
    CHECK(whole_bytes(bytes));
    {
        Memo memo{directory.memo()};
        memo.clear();
        CHECK(whole_bytes(read_file(data)));
        static_cast<void>(memo(expected)(1));
        CHECK(whole_bytes(read_file(data)));
    }
    CHECK(!whole_bytes({}));
    CHECK(!whole_bytes(std::vector<char>(100, 'x')));
    CHECK(!whole_bytes(std::vector<char>(20000, '\0')));
    bytes.resize(bytes.size() / 2);
    CHECK(!whole_bytes(bytes));
    bytes.resize(8192);
    CHECK(!whole_bytes(bytes));
}

TEST_CASE("a change of any length or page number is seen") {
    const TemporaryDirectory directory;
    fill(directory.memo());
    const std::vector<char> whole = read_file(directory.memo() / "data.mdb");
    REQUIRE(whole_bytes(whole));
    std::mt19937 random{seed_of_this_run()};
    const std::size_t pages = whole.size() / 4096;
    // The heads of pages that hold keys, and the lists of their nodes: whatever changes there, the file is not whole,
    // or the page is none that anything refers to.
    std::size_t seen = 0;
    std::size_t in_use = 0;
    for (std::size_t page = 2; page != pages; ++page) {
        std::vector<char> bytes = whole;
        const auto flags = static_cast<unsigned char>(bytes[page * 4096 + 10]);
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page * 4096), 4096, '\xff');
        if (whole_bytes(bytes) || flags == 4) { continue; }  // free, or a value
        ++in_use;
        bytes = whole;
        const std::size_t at = page * 4096 + random() % 16;
        if (at % 4096 == 8 || at % 4096 == 9) { continue; }  // not used
        if (at % 4096 == 10) { continue; }                   // one of its bits is not looked at
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        CHECK(!whole_bytes(bytes));
        ++seen;
    }
    CHECK(in_use > 5);
    CHECK(seen > 2);
}

TEST_CASE("a damaged memo gives no wrong value and no crash", "[slow]") {
    const TemporaryDirectory directory;
    const std::filesystem::path whole = directory.path() / "whole";
    fill(whole);
    const std::vector<char> data = read_file(whole / "data.mdb");
    const std::vector<char> state = read_file(whole / "procpool_memo");
    const std::vector<char> lock = read_file(whole / "lock.mdb");
    const unsigned seed = seed_of_this_run();
    std::mt19937 random{seed};
    int started_empty = 0;
    int kept_some = 0;
    for (int round = 0; round != 150; ++round) {
        std::filesystem::create_directories(directory.memo());
        std::vector<char> bytes = data;
        std::vector<char> its_state = state;
        std::vector<char> its_lock = lock;
        const auto flip = [&](std::vector<char>& some, std::size_t count) {
            for (std::size_t i = 0; i != count; ++i) {
                some[random() % some.size()] ^= static_cast<char>(1 << random() % 8);
            }
        };
        switch (round % 6) {
            case 0: flip(bytes, 1); break;
            case 1: flip(bytes, 1 + random() % 100); break;
            case 2: bytes.resize(random() % bytes.size()); break;
            case 3: {  // a piece of something else
                const std::size_t size = random() % 5000;
                const std::size_t at = random() % (bytes.size() - size);
                for (std::size_t i = 0; i != size; ++i) { bytes[at + i] = static_cast<char>(random()); }
                break;
            }
            case 4: {  // a page that was not written
                const std::size_t page = random() % (bytes.size() / 4096) * 4096;
                const std::size_t from = random() % (bytes.size() / 4096) * 4096;
                std::memcpy(bytes.data() + page, data.data() + from, 4096);
                break;
            }
            default: flip(its_state, 1 + random() % 50); flip(its_lock, 1 + random() % 50);
        }
        write_file(directory.memo() / "data.mdb", bytes);
        write_file(directory.memo() / "procpool_memo", its_state);
        write_file(directory.memo() / "lock.mdb", its_lock);
        const bool is_whole_yet = whole_bytes(bytes);
        (is_whole_yet ? kept_some : started_empty) += 1;
        const int code = in_child([&] { return use(directory.memo()); });
        INFO("round " << round << " of seed " << seed);
        CHECK(code == 0);
        std::filesystem::remove_all(directory.memo());
    }
    CHECK(started_empty > 20);
    CHECK(kept_some > 20);
}

TEST_CASE("a damaged value is counted and computed again") {
    const TemporaryDirectory directory;
    fill(directory.memo());
    const std::filesystem::path data = directory.memo() / "data.mdb";
    std::vector<char> bytes = read_file(data);
    const std::string value = expected(7 * 11);  // on pages of its own
    const auto found = std::search(bytes.begin(), bytes.end(), value.begin(), value.end());
    REQUIRE(found != bytes.end());
    found[100] ^= 4;
    write_file(data, bytes);
    REQUIRE(whole_bytes(bytes));
    const Memo memo{directory.memo()};
    const auto f = memo(expected, "f", 1);
    const MemoStats before = memo.stats();
    for (int i = 0; i != entry_count; ++i) { CHECK(f(i) == expected(i)); }
    const MemoStats after = memo.stats();
    CHECK(after.damaged - before.damaged == 1);
    CHECK(after.misses - before.misses == 1);
    CHECK(after.hits - before.hits == entry_count - 1);
    CHECK(f(7 * 11) == value);
    CHECK(memo.stats().damaged == after.damaged);
}
