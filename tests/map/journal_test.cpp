// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/journaled_call.hpp>

#include "map/journaled.hpp"
#include "map/ranges.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr auto add_up = [](int x, int y) { return x + y; };

/// The error that the call ended in; empty when there was none.
template <class Error, class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (const Error& e) { return e.what(); }
    return {};
}

// ---- what is recorded is not run again

/// Makes a call without a journal, then twice with one. Returns: the runs of the second. Checks that all gave the same.
template <class Call>
std::size_t runs_again(Runs& runs, Call call) {
    const TemporaryFolder folder;
    const auto wanted = call(MapOptions{});
    static_cast<void>(runs.take());
    CHECK(call(MapOptions{.journal = folder.file()}) == wanted);
    CHECK(runs.take() == 1000);
    CHECK(call(MapOptions{.journal = folder.file()}) == wanted);
    return runs.take();
}

template <class P>
void made_again() {
    Runs runs;
    P pool{2};
    const std::vector<int> items = first_numbers(1000);
    std::vector<int> into(items.size());
    CHECK(runs_again(runs, [&](const MapOptions& options) { return pool.map(options, run_square, items); }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) { return pool.map(options, run_text, items); }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              return pool.starmap(options, run_square,
                                  items | std::views::transform([](int i) { return std::tuple(i); }));
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) { return pool.map_async(options, run_text, items).get(); }) ==
          0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              std::fill(into.begin(), into.end(), 0);
              pool.map_into(options, run_square, items, into);
              return into;
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              pool.for_each(options, run_nothing, items);
              return 0;
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              std::vector<std::string> values;
              for (auto& outcome : pool.map_outcomes(options, run_text, items)) { values.push_back(*outcome); }
              return values;
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              return pool.map_reduce(options, run_square, add_up, 5, items);
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              return pool.map_reduce_by_key(
                  options, [](int i) { return std::pair(run_text(i), i); }, add_up, items);
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              std::vector<std::string> values;
              for (std::string& text : pool.imap(options, run_text, items)) { values.push_back(text); }
              return values;
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              std::map<std::size_t, int> values;
              for (const auto& [index, value] : pool.imap_unordered(options, run_square, items)) {
                  values[index] = value;
              }
              return values;
          }) == 0);
    CHECK(runs_again(runs, [&](const MapOptions& options) {
              std::map<std::size_t, int> values;
              for (const auto& [index, value] : pool.imap_outcomes(options, run_square, items)) {
                  values[index] = *value;
              }
              return values;
          }) == 0);
}
ON_EVERY_ENGINE("journal: a call that is made again gives the same and runs nothing", made_again)

template <class P>
void changed() {
    Runs runs;
    P pool{2};
    const TemporaryFolder folder;
    std::vector<int> items = first_numbers(1000);
    const auto check = [&](const std::vector<int>& run) {
        static_cast<void>(runs.take());
        const auto wanted_square = [](const std::vector<int>& of) {
            std::vector<int> squares;
            for (const int i : of) { squares.push_back(i * i); }
            return squares;
        };
        CHECK(pool.map({.journal = folder.file("plain")}, run_square, items) == wanted_square(items));
        CHECK(runs.items() == run);
        static_cast<void>(runs.take());
        const auto texts = pool.map({.chunk_size = 7, .journal = folder.file("texts")}, run_text, items);
        CHECK(runs.items() == run);
        for (std::size_t i = 0; i < items.size(); ++i) {
            REQUIRE(texts[i] ==
                    std::string(static_cast<std::size_t>(items[i] % 100), static_cast<char>('a' + items[i] % 26)));
        }
        static_cast<void>(runs.take());
        const auto outcomes = pool.map_outcomes({.journal = folder.file("outcomes")}, run_square, items);
        CHECK(runs.items() == run);
        for (std::size_t i = 0; i < items.size(); ++i) { REQUIRE(*outcomes[i] == items[i] * items[i]); }
        static_cast<void>(runs.take());
        std::size_t at = 0;
        for (const int value :
             pool.imap({.chunk_size = 50, .window = 70, .journal = folder.file("imap")}, run_square, items)) {
            REQUIRE(value == items[at] * items[at]);
            ++at;
        }
        CHECK(at == items.size());
        CHECK(runs.items() == run);
    };
    check(items);
    items[500] = 2000;
    items[501] = 2001;
    items[999] = 2002;
    check({2000, 2001, 2002});
    items[500] = 500;  // the newest counts
    check({500});
    items.insert(items.end(), {3000, 3001});
    check({3000, 3001});
    items.resize(700);
    check({});
    items.resize(750, 4000);
    std::iota(items.begin() + 700, items.end(), 700);
    check({});
    items.clear();
    check({});
}
ON_EVERY_ENGINE("journal: items that are new or changed run again and no other does", changed)

TEST_CASE("journal: sums are used where all of their block is as it was") {
    Runs runs;
    Pool pool{2};
    const TemporaryFolder folder;
    std::vector<int> items = first_numbers(3000);
    // The wide chunks make whole blocks, the narrow ones items of a block.
    for (const std::size_t chunk : {std::size_t{1024}, std::size_t{10}, std::size_t{0}}) {
        const std::string file = folder.file(std::to_string(chunk));
        const auto check = [&](std::size_t most) {
            const auto wanted =
                std::accumulate(items.begin(), items.end(), std::string{"_"},
                                [](std::string sum, int i) { return std::move(sum) + std::to_string(i % 10); });
            static_cast<void>(runs.take());
            const auto sum = pool.map_reduce(
                {.chunk_size = chunk, .journal = file},
                [](int i) {
                    Runs::add(i);
                    return std::to_string(i % 10);
                },
                [](std::string left, std::string right) { return std::move(left) + right; }, std::string{"_"}, items);
            CHECK(sum == wanted);
            CHECK(runs.take() <= most);
        };
        INFO("chunks of " << chunk);
        check(3000);
        check(0);
        items[700] = 5;
        check(256);
        check(0);
        items.resize(2900);  // the last block ends elsewhere
        check(256);
        check(0);
        items.resize(3000, 7);
        check(256);
        check(0);
        items = first_numbers(3000);
    }
}

TEST_CASE("journal: a block that has grown is folded in the same order") {
    InlinePool pool{1};
    const TemporaryFolder folder;
    const auto call = [&](std::optional<std::string> journal, std::size_t count) {
        return pool.map_reduce_by_key(
            {.chunk_size = 1024, .journal = std::move(journal)},
            [](int i) { return std::pair(i % 2, std::string(1, 'a')); },
            [](const std::string& x, const std::string& y) { return "(" + x + y + ")"; }, first_numbers(count));
    };
    for (const std::size_t count : {300U, 400U, 350U}) {
        CHECK(call(folder.file(), count) == call(std::nullopt, count));
    }
}

template <class P>
void input_read_once() {
    Runs runs;
    P pool{2};
    const TemporaryFolder folder;
    for (int round = 0; round < 2; ++round) {
        std::size_t sum = 0;
        for (const int value : pool.imap({.journal = folder.file()}, run_square, Generator{500})) {
            sum += static_cast<std::size_t>(value);
        }
        CHECK(sum == 41'541'750);
        CHECK(runs.take() == (round == 0 ? 500 : 0));
    }
    // The input is endless: the consumer goes.
    for (int round = 0; round < 2; ++round) {
        auto squares = pool.imap({.window = 8, .journal = folder.file("endless")}, run_square, std::views::iota(0));
        for (int i = 0; i < 300; ++i) { REQUIRE(**squares.next() == i * i); }
    }
    const std::vector<int> run = runs.items();
    CHECK(run.size() >= 300);
    CHECK(runs.take() <= run.size() + 16);  // what was in flight when the consumer went
}
ON_EVERY_ENGINE("journal: an input is read once and may be endless", input_read_once)

TEST_CASE("journal: an error of the input or of an item is as it is without one") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    CHECK(text_of<std::domain_error>([&] {
              static_cast<void>(pool.map({.journal = folder.file()}, run_square, Generator{100, 60}));
          }) == "bad item 60");
    const std::size_t before = runs.take();
    CHECK(before > 0);
    CHECK(pool.map({.journal = folder.file()}, run_square, Generator{100}).size() == 100);
    CHECK(runs.take() == 100 - before);
}

// ---- whose file it is

template <class Call>
void mismatches(const std::string& file, const char* why, Call call) {
    const std::string before = bytes_of(file);
    const std::string text = text_of<JournalMismatch>(call);
    INFO(text);
    CHECK(text.find(why) != std::string::npos);
    CHECK(bytes_of(file) == before);
}

struct Padded {
    char first;
    double second;
};
struct Scale {
    std::vector<int> factors;
    int operator()(int i) const {
        Runs::add(i);
        return i * factors.front();
    }
};

TEST_CASE("journal: a file of another call is refused and stays as it was") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::string file = folder.file();
    const std::vector<int> items = first_numbers(20);
    static_cast<void>(pool.map({.journal = file}, run_square, items));
    mismatches(file, "of another function", [&] { static_cast<void>(pool.map({.journal = file}, run_cube, items)); });
    mismatches(file, "of results of another type (int, not std::", [&] {
        static_cast<void>(pool.map({.journal = file}, run_text, items));
    });
    mismatches(file, "of items of another type", [&] {
        static_cast<void>(pool.map({.journal = file}, run_square, std::vector<short>{1, 2}));
    });
    mismatches(file, "of a call of another kind",
               [&] { static_cast<void>(pool.map_outcomes({.journal = file}, run_square, items)); });
    mismatches(file, "of another build, version or place",
               [&] { static_cast<void>(pool.map({.journal = file, .journal_version = "1"}, run_square, items)); });
    write_bytes(file, "my only copy");
    mismatches(file, "it is another file", [&] { static_cast<void>(pool.map({.journal = file}, run_square, items)); });

    const std::string bound = folder.file("bound");
    const auto call = [&](int factor) {
        return pool.map(
            {.journal = bound}, [factor](int i) { return i * factor; }, items);
    };
    CHECK(call(3)[10] == 30);
    CHECK(call(3)[10] == 30);
    mismatches(bound, "captured or was bound to other values", [&] { static_cast<void>(call(4)); });
    const std::string members = folder.file("members");
    static_cast<void>(pool.map({.journal = members}, Scale{{2, 3}}, items));
    mismatches(members, "captured or was bound to other values", [&] {
        static_cast<void>(pool.map({.journal = members}, Scale{{2, 4}}, items));
    });
    static_cast<void>(pool.map({.journal = folder.file("large")}, Scale{first_numbers(100'000)}, items));
    CHECK(bytes_of(folder.file("large")).size() < 10'000);
    Scale large{first_numbers(100'000)};
    large.factors.back() = 0;
    mismatches(folder.file("large"), "captured or was bound to other values",
               [&] { static_cast<void>(pool.map({.journal = folder.file("large")}, large, items)); });
    const std::string repeated = folder.file("repeated");
    const auto times = [](int i, int factor) { return i * factor; };
    static_cast<void>(pool.map({.journal = repeated}, times, items, procpool::repeat(2)));
    CHECK(pool.map({.journal = repeated}, times, items, procpool::repeat(2))[4] == 8);
    mismatches(repeated, "captured or was bound to other values",
               [&] { static_cast<void>(pool.map({.journal = repeated}, times, items, procpool::repeat(5))); });
}

TEST_CASE("journal: a version stands for the build and a function keeps its name") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(20);
    const auto one = [](int i) { return run_square(i); };
    const auto other = [](int i) { return run_square(i); };  // as after a rebuild
    const auto options = [&](const char* version) {
        return MapOptions{.journal = folder.file(), .journal_version = version};
    };
    CHECK(pool.map(options("1"), one, items).size() == 20);
    CHECK(runs.take() == 20);
    CHECK(pool.map(options("1"), other, items).size() == 20);
    CHECK(runs.take() == 0);
    mismatches(folder.file(), "(version 1, not version 2)",
               [&] { static_cast<void>(pool.map(options("2"), one, items)); });
    const auto pointers = [&](int (*f)(int)) {
        return pool.map({.journal = folder.file("pointers"), .journal_version = "1"}, f, items);
    };
    CHECK(pointers(run_square)[3] == 9);
    CHECK(pointers(run_square)[3] == 9);
    CHECK(runs.take() == 20);
    CHECK(text_of<JournalMismatch>([&] { static_cast<void>(pointers(run_cube)); }) != "");
    CHECK(contains(bytes_of(folder.file("pointers")), "run_square"));
}

TEST_CASE("journal: memory that a function refers to is the same only by the user's word") {
    Runs runs;
    const TemporaryFolder folder;
    const auto table = std::make_unique<std::vector<int>>(first_numbers(100));
    Pool pool{1};
    const auto look_up = procpool::snapshot([&values = *table](int i) {
        Runs::add(i);
        return values[static_cast<std::size_t>(i)] + 1;
    });
    const std::vector<int> items = first_numbers(100);
    const std::string why =
        text_of<CodecError>([&] { static_cast<void>(pool.map({.journal = folder.file()}, look_up, items)); });
    CHECK(contains(why, "set MapOptions::journal_version"));
    for (int round = 0; round < 2; ++round) {
        CHECK(pool.map({.journal = folder.file("by_version"), .journal_version = "1"}, look_up, items)[5] == 6);
        CHECK(runs.take() == (round == 0 ? 100 : 0));
    }
}

// ---- one call at a time

TEST_CASE("journal: two calls cannot have one file") {
    Runs runs;
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(20);
    SharedPage page;
    const Counter open{page};
    const auto call = [&](Pool& pool) {
        return pool.map_outcomes({.journal = folder.file()}, run_square, items).size();
    };
    {
        Subprocess other{[&] {
            Pool pool{1};
            auto range = pool.imap_outcomes({.journal = folder.file()}, run_square, items);
            open.add();
            for (;;) { ::pause(); }
        }};
        open.wait_for(1);
        Pool pool{1};
        CHECK(contains(text_of<JournalBusy>([&] { call(pool); }), "another call has the journal"));
        send_signal(other.pid(), SIGKILL);
        CHECK(killed_by(other.wait(), SIGKILL));
        CHECK(call(pool) == 20);
    }
    Pool pool{1};
    {
        // A child that was forked meanwhile has the file too, and keeps nobody from it.
        auto range = pool.imap_outcomes({.journal = folder.file()}, run_square, items);
        Subprocess child{[&] {
            open.add();
            for (;;) { ::pause(); }
        }};
        open.wait_for(2);
        CHECK(text_of<JournalBusy>([&] { call(pool); }) != "");
        { const auto gone = std::move(range); }
        CHECK(call(pool) == 20);
    }
    auto range = pool.imap_outcomes({.journal = folder.file()}, run_square, items);
    Subprocess child{[&] {
        { const auto gone = std::move(range); }
    }};
    CHECK(exited_with(child.wait(), 0));
    CHECK(text_of<JournalBusy>([&] { call(pool); }) != "");  // it was not the child's to give up
}

// ---- damage

TEST_CASE("journal: whatever byte is flipped no result is wrong and one item runs again at most") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::string file = folder.file();
    const std::vector<int> items = first_numbers(24);
    const auto call = [&] { return pool.map({.chunk_size = 1, .journal = file}, run_text, items); };
    const auto wanted = call();
    const std::string whole = bytes_of(file);
    static_cast<void>(runs.take());
    std::size_t mismatches = 0;
    std::size_t repeated = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
        write_bytes(file, damaged);
        try {
            const auto given = call();
            REQUIRE(given == wanted);
            const std::size_t again = runs.take();
            REQUIRE(again == 1);
            repeated += again;
            REQUIRE(call() == wanted);  // and is recorded behind the others
            REQUIRE(runs.take() == 0);
        } catch (const JournalMismatch&) {
            ++mismatches;
            REQUIRE(bytes_of(file) == damaged);
        }
    }
    CHECK(mismatches > 0);
    CHECK(mismatches + repeated == whole.size());
    CHECK(repeated > 24 * 56);
}

TEST_CASE("journal: wherever it is cut what is whole is used and the rest runs again") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::string file = folder.file();
    const std::vector<int> items = first_numbers(24);
    const auto call = [&] { return pool.map({.chunk_size = 1, .journal = file}, run_text, items); };
    const auto wanted = call();
    const std::string whole = bytes_of(file);
    std::size_t last = 24;
    for (std::size_t size = whole.size(); size-- > 0;) {
        write_bytes(file, whole.substr(0, size));
        static_cast<void>(runs.take());
        REQUIRE(call() == wanted);
        const std::size_t again = runs.take();
        REQUIRE(bytes_of(file) == whole);  // one worker, so the order is the same
        REQUIRE(again >= 1);
        REQUIRE((again == 24 - last || again == 24 - last + 1));
        last = 24 - again;
    }
    CHECK(last == 0);
}

TEST_CASE("journal: records of another journal within a result are none of this one's") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(8);
    static_cast<void>(pool.map({.chunk_size = 1, .journal = folder.file()}, run_text, items));
    static std::string other;
    other = bytes_of(folder.file());
    // The result is a whole journal of the same call: its records are not taken for those of the one they are in.
    const auto give = [](int i) {
        Runs::add(i);
        return i == 0 ? other : std::to_string(i);
    };
    const auto call = [&] {
        return pool.map({.chunk_size = 1, .journal = folder.file("outer"), .journal_version = "1"}, give, items);
    };
    const auto wanted = call();
    std::string bytes = bytes_of(folder.file("outer"));
    const std::size_t at = bytes.find("procpool journal 1\n", 1);
    REQUIRE(at != std::string::npos);
    bytes[at - 8 - 8 - 40] = static_cast<char>(bytes[at - 8 - 8 - 40] ^ 1);  // in the record's head
    write_bytes(folder.file("outer"), bytes);
    static_cast<void>(runs.take());
    CHECK(call() == wanted);
    CHECK(runs.items() == std::vector<int>{0});
}

// ---- failures

bool is_broken = false;
int run_odd(int i) {
    Runs::add(i);
    if (is_broken && i % 10 == 3) { throw std::range_error("item " + std::to_string(i)); }
    return -i;
}

TEST_CASE("journal: failed items run again and nothing else does") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(40);
    const MapOptions options{.chunk_size = 8, .on_error = OnError::wait_all, .journal = folder.file()};
    is_broken = true;
    CHECK(text_of<std::range_error>([&] { static_cast<void>(pool.map(options, run_odd, items)); }) == "item 3");
    CHECK(runs.take() == 40);
    CHECK(text_of<std::range_error>([&] { static_cast<void>(pool.map(options, run_odd, items)); }) == "item 3");
    CHECK(runs.items() == std::vector{3, 13, 23, 33});
    is_broken = false;
    CHECK(pool.map(options, run_odd, items)[13] == -13);
    CHECK(runs.take() == 8);
    CHECK(pool.map(options, run_odd, items)[13] == -13);
    CHECK(runs.take() == 0);

    // Sums of what comes behind an item that failed are kept, too.
    const MapOptions reduced{.chunk_size = 8, .on_error = OnError::wait_all, .journal = folder.file("reduce")};
    is_broken = true;
    CHECK(text_of<std::range_error>([&] { static_cast<void>(pool.map_reduce(reduced, run_odd, add_up, 0, items)); }) ==
          "item 3");
    static_cast<void>(runs.take());
    is_broken = false;
    CHECK(pool.map_reduce(reduced, run_odd, add_up, 0, items) == -780);
    CHECK(runs.items() == std::vector{3, 13, 23, 33});
}

template <class Outcomes>
std::string fates(const Outcomes& outcomes) {
    std::string text;
    for (const auto& outcome : outcomes) {
        try {
            static_cast<void>(outcome.value());
            text += '.';
        } catch (const TaskCancelled&) { text += '-'; } catch (const std::range_error&) {
            text += 'x';
        }
    }
    return text;
}

TEST_CASE("journal: retry_failed runs only those that failed") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(20);
    std::vector<int> begun = items;
    begun.resize(16);
    const MapOptions all{.chunk_size = 4, .journal = folder.file()};
    MapOptions failed = all;
    failed.retry_failed = true;
    is_broken = true;
    CHECK(fates(pool.map_outcomes(all, run_odd, begun)) == "...x.........x..");
    static_cast<void>(runs.take());
    CHECK(fates(pool.map_outcomes(failed, run_odd, items)) == "...x.........x..----");
    CHECK(runs.items() == std::vector{3, 13});
    is_broken = false;
    static_cast<void>(runs.take());
    CHECK(fates(pool.map_outcomes(failed, run_odd, items)) == "................----");
    CHECK(runs.items() == std::vector{3, 13});
    static_cast<void>(runs.take());
    CHECK(fates(pool.map_outcomes(failed, run_odd, items)) == "................----");
    CHECK(runs.items().empty());
    std::size_t given = 0;
    std::size_t withheld = 0;
    for (const auto& [index, value] : pool.imap_outcomes(failed, run_odd, items)) {
        (value ? given : withheld) += 1;
        CHECK(value.has_value() == (index < 16));
    }
    CHECK(given == 16);
    CHECK(withheld == 4);
    CHECK(fates(pool.map_outcomes(all, run_odd, items)) == std::string(20, '.'));
    CHECK(runs.items() == std::vector{16, 17, 18, 19});
}

TEST_CASE("journal: deaths and timeouts of items are failures and are run again") {
    Runs runs;
    const TemporaryFolder folder;
    SharedPage page;
    static Word* spares = nullptr;
    spares = page.word();
    Pool pool{2};
    const std::vector<int> items = first_numbers(200);
    const auto fragile = [](int i) {
        Runs::add(i);
        if (i == 50 && spares->load() == 0) { ::raise(SIGKILL); }
        if (i == 120 && spares->load() == 0) {
            for (;;) { ::pause(); }
        }
        return i;
    };
    const MapOptions options{.timeout = 300ms, .journal = folder.file()};
    const auto call = [&](bool only_failed) {
        MapOptions these = options;
        these.retry_failed = only_failed;
        std::string text;
        for (const auto& outcome : pool.map_outcomes(these, fragile, items)) { text += outcome ? '.' : 'x'; }
        return text;
    };
    std::string wanted(200, '.');
    wanted[50] = wanted[120] = 'x';
    CHECK(call(false) == wanted);
    static_cast<void>(runs.take());
    spares->store(1);
    CHECK(call(true) == std::string(200, '.'));
    CHECK(runs.items() == std::vector{50, 120});
}

TEST_CASE("journal: what has ended is recorded when the call does not end well") {
    Runs runs;
    const TemporaryFolder folder;
    SharedPage page;
    static Word* may_end = nullptr;
    may_end = page.word();
    Pool pool{2};
    const std::vector<int> items = first_numbers(100);
    const auto blocks = [](int i) {
        Runs::add(i);
        if (i == 99) {
            wait_until([] { return may_end->load() != 0; }, "the item to end");
        }
        return i;
    };
    CHECK_THROWS_AS(pool.map({.chunk_size = 30, .total_timeout = 500ms, .journal = folder.file()}, blocks, items),
                    TaskTimedOut);
    may_end->store(1);
    static_cast<void>(runs.take());
    CHECK(pool.map({.journal = folder.file()}, blocks, items) == items);
    CHECK(runs.items() == std::vector{99});
}

TEST_CASE("journal: an item that takes long is recorded before the others of its chunk have run") {
    const Runs runs;
    const TemporaryFolder folder;
    SharedPage page;
    static Word* opened = nullptr;
    opened = page.word();
    Pool pool{1};
    auto results = pool.map_async(
        {.chunk_size = 10, .journal = folder.file()},
        [](int i) {
            if (i == 0) { std::this_thread::sleep_for(50ms); }
            if (i == 1) {
                wait_until([] { return opened->load() != 0; }, "the look at the file");
            }
            return run_text(i + 97);
        },
        first_numbers(10));
    wait_until([&] { return contains(bytes_of(folder.file()), run_text(97)); }, "the record of the first item");
    opened->store(1);
    CHECK(results.get().size() == 10);
}

// ---- what travels

TEST_CASE("journal: results that workers could write in place are copied and recorded") {
    Runs runs;
    SharedArray<int> from(500);
    SharedArray<int> to(500);
    std::iota(from.begin(), from.end(), 0);
    Pool pool{2};
    const TemporaryFolder folder;
    for (int round = 0; round < 2; ++round) {
        std::fill(to.begin(), to.end(), -1);
        pool.map_into({.journal = folder.file()}, run_square, from, to);
        CHECK(to[22] == 484);
        CHECK(runs.take() == (round == 0 ? 500 : 0));
    }
}

TEST_CASE("journal: spans and refs are known by what they refer to") {
    Runs runs;
    SharedArray<int> all(400);
    std::iota(all.begin(), all.end(), 0);
    Pool pool{2};
    const TemporaryFolder folder;
    const auto sum = [](std::span<const int> part) {
        Runs::add(part.front());
        return std::accumulate(part.begin(), part.end(), 0);
    };
    const auto check = [&](std::vector<int> run) {
        std::vector<std::span<const int>> parts;
        for (std::size_t i = 0; i < 400; i += 100) { parts.push_back(std::as_const(all).span().subspan(i, 100)); }
        static_cast<void>(runs.take());
        CHECK(pool.map({.journal = folder.file()}, sum, parts).size() == 4);
        CHECK(runs.items() == run);
    };
    check({0, 100, 200, 300});
    check({});
    all[250] = 1;
    check({200});

    const auto look = [](const Ref<std::vector<int>>& values) {
        Runs::add(values->front());
        return values->back();
    };
    for (int round = 0; round < 2; ++round) {
        const std::vector<Ref<std::vector<int>>> refs{pool.put(std::vector{1, 2}), pool.put(std::vector{3, 4 + round})};
        static_cast<void>(runs.take());
        CHECK(pool.map({.journal = folder.file("refs")}, look, refs) == std::vector{2, 4 + round});
        CHECK(runs.items() == (round == 0 ? std::vector{1, 3} : std::vector{3}));
    }
}

int of_padded(const Padded& item) {
    Runs::add(item.first);
    return item.first;
}

TEST_CASE("journal: what is between the members of an item does not count") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    for (int round = 0; round < 2; ++round) {
        std::vector<Padded> items(10);
        for (Padded& item : items) {
            std::memset(static_cast<void*>(&item), round, sizeof item);
            item.first = static_cast<char>(&item - items.data());
            item.second = 0.5;
        }
        CHECK(pool.map({.journal = folder.file()}, of_padded, items)[7] == 7);
#if defined(__GNUC__) && !defined(__clang__)
        CHECK(runs.take() == (round == 0 ? 10 : 0));
#endif
    }
}

TEST_CASE("journal: what is an address to others is refused") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    static const int values[] = {1, 2, 3};
    CHECK(contains(text_of<CodecError>([&] {
                       static_cast<void>(pool.map(
                           {.journal = folder.file("results")}, [](int i) { return &values[i]; }, std::vector{0, 1}));
                   }),
                   "a journal cannot keep results of type int const*"));
    CHECK(
        contains(text_of<CodecError>([&] {
                     static_cast<void>(pool.map(
                         {.journal = folder.file("items")}, [](const int* i) { return *i; }, std::vector{&values[0]}));
                 }),
                 "a journal cannot tell whether such an item is the same in another run"));
}

// ---- options

TEST_CASE("journal: it stays or goes when the call has succeeded") {
    Runs runs;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(20);
    const MapOptions goes{.journal = folder.file(), .journal_keep = false};
    is_broken = true;
    CHECK_THROWS_AS(pool.map(goes, run_odd, items), std::range_error);
    CHECK(std::filesystem::exists(folder.file()));
    is_broken = false;
    CHECK(pool.map(goes, run_odd, items).size() == 20);
    CHECK_FALSE(std::filesystem::exists(folder.file()));
    is_broken = true;
    CHECK(fates(pool.map_outcomes(goes, run_odd, items)).find('x') == 3);
    CHECK(std::filesystem::exists(folder.file()));
    is_broken = false;
    for (const int value : pool.imap(goes, run_odd, items)) { CHECK(value <= 0); }
    CHECK_FALSE(std::filesystem::exists(folder.file()));
}

TEST_CASE("journal: options that cannot be are refused before anything runs") {
    Runs runs;
    Pool pool{1};
    const TemporaryFolder folder;
    const std::vector<int> items = first_numbers(20);
    const auto refused = [&](const MapOptions& options) {
        return text_of<std::invalid_argument>([&] { static_cast<void>(pool.map(options, run_square, items)); });
    };
    CHECK(contains(refused({.journal = ""}), "must be the path of a file"));
    CHECK(contains(refused({.journal = folder.file(".")}), "must be an ordinary file"));
    CHECK(contains(refused({.journal = "/dev/null"}), "must be an ordinary file"));
    CHECK(contains(refused({.retry_failed = true}), "needs MapOptions::journal"));
    CHECK(contains(refused({.journal = folder.file(), .retry_failed = true}), "where a failed item is a result"));
    CHECK_THROWS_AS(pool.map({.journal = folder.file("none/there")}, run_square, items), std::system_error);
    SharedArray<int> array(10);
    const auto change = [](int& i) { ++i; };
    CHECK_THROWS_AS(pool.for_each({.journal = folder.file()}, change, array), std::invalid_argument);
    CHECK_THROWS_AS(pool.for_each_async({.journal = folder.file()}, change, array), std::invalid_argument);
    CHECK_THROWS_AS(
        procpool::fork_map(PoolOptions{.workers = 1}, MapOptions{.journal = folder.file()}, run_square, items),
        std::invalid_argument);
    CHECK(runs.take() == 0);
    CHECK_FALSE(std::filesystem::exists(folder.file()));
    const std::filesystem::path path = folder.file();
    CHECK(pool.map({.journal = path}, run_square, items)[3] == 9);
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("journal: what workers' state makes of items needs a version") {
    struct Offset {
        int value;
    };
    const TemporaryFolder folder;
    const std::string path = folder.file("state");
    const auto results = [&](int offset, std::string version) {
        Pool pool{PoolOptions{.workers = 1, .initializer = [offset] { return Offset{offset}; }}};
        return pool.map(MapOptions{.journal = path, .journal_version = std::move(version)},
                        with_state([](Offset& kept, int x) { return kept.value + x; }), std::vector<int>{1, 2});
    };
    CHECK_THROWS_WITH(results(100, ""),
                      Catch::Matchers::Contains("Offset") && Catch::Matchers::Contains("journal_version"));
    CHECK(results(100, "a") == std::vector<int>{101, 102});
    CHECK_THROWS_AS(results(200, "b"), JournalMismatch);
}

}  // namespace
