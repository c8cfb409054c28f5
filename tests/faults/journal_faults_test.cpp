// SPDX-License-Identifier: BSL-1.0
// Programs that make a call with a journal and are killed: at every step of the journal, and anywhere.
#include "map/journaled.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include "faults/refuser.hpp"

#include <procpool/core/fault_point.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <numeric>
#include <random>
#include <ranges>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

constexpr int many = 4000;

std::vector<int> numbers(int n = many) {
    std::vector<int> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Kills its process when the point is reached for the nth time.
struct Killer {
    static inline detail::FaultPoint point = detail::FaultPoint::none;
    static inline int left = 0;
    static void arm(detail::FaultPoint at, int nth) {
        point = at;
        left = nth;
        detail::fault_hook = [](detail::FaultPoint reached) {
            if (reached == point && --left == 0) { ::kill(::getpid(), SIGKILL); }
        };
    }
};

/// How long an item takes.
std::chrono::microseconds item_time{0};

int square_slowly(int i) {
    const auto end = std::chrono::steady_clock::now() + item_time;
    while (std::chrono::steady_clock::now() < end) {}
    return run_square(i);
}
std::string write_slowly(int i) {
    square_slowly(i);
    return std::string(static_cast<std::size_t>(i % 100), static_cast<char>('a' + i % 26));
}

/// A program that makes one call.
struct Program {
    const char* name;
    /// Returns: whether the result is right.
    std::function<bool(Pool& pool, const std::string& journal)> run;
};

const std::vector<Program>& programs() {
    static const std::vector<Program> all = {
        {"map",
         [](Pool& pool, const std::string& journal) {
             const auto squares = pool.map({.chunk_size = 10, .journal = journal}, square_slowly, numbers());
             for (int i = 0; i < many; ++i) {
                 if (squares[static_cast<std::size_t>(i)] != i * i) { return false; }
             }
             return squares.size() == many;
         }},
        {"map_outcomes",
         [](Pool& pool, const std::string& journal) {
             const auto texts = pool.map_outcomes({.chunk_size = 5, .journal = journal}, write_slowly, numbers());
             for (int i = 0; i < many; ++i) {
                 const std::string wanted(static_cast<std::size_t>(i % 100), static_cast<char>('a' + i % 26));
                 if (*texts[static_cast<std::size_t>(i)] != wanted) { return false; }
             }
             return texts.size() == many;
         }},
        {"map_reduce",
         [](Pool& pool, const std::string& journal) {
             return pool.map_reduce(
                        {.chunk_size = 20, .journal = journal}, [](int i) { return std::int64_t{square_slowly(i)}; },
                        [](std::int64_t x, std::int64_t y) { return x + y; }, std::int64_t{1},
                        numbers()) == std::int64_t{many} * (many - 1) * (2 * many - 1) / 6 + 1;
         }},
        {"imap",
         [](Pool& pool, const std::string& journal) {
             int at = 0;
             for (const int value : pool.imap({.chunk_size = 5, .window = 100, .journal = journal}, square_slowly,
                                              std::views::iota(0, many))) {
                 if (value != at * at) { return false; }
                 ++at;
             }
             return at == many;
         }},
    };
    return all;
}

/// The items of which the journal has results, by their number. Reads the file as it is, without the identity, which
/// tells its checksums: the records begin behind a head whose size is in it.
std::vector<bool> recorded_in(const std::string& journal) {
    std::vector<bool> recorded(many);
    const std::string bytes = bytes_of(journal);
    const auto number_at = [&bytes](std::size_t at) {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data() + at, sizeof number);
        return number;
    };
    constexpr std::size_t line = 19;
    if (bytes.size() < line + 8) { return recorded; }
    for (std::size_t at = number_at(line); at + 48 <= bytes.size();) {
        const std::uint64_t first = number_at(at + 8);
        const std::uint64_t count = number_at(at + 16);
        at += 48 + count * 8 + number_at(at + 24);
        if (at > bytes.size()) { break; }
        for (std::uint64_t i = first; i < first + count; ++i) { recorded[i] = true; }
    }
    return recorded;
}

/// Runs the program again and again, each time killed by `attack`, until it ends by itself. Checks that its result is
/// right, that each item has run, and none again that had been recorded.
void run_until_done(const Program& program, const std::function<void(int round)>& in_program,
                    const std::function<void(Subprocess&, int round)>& attack, int most) {
    INFO(program.name);
    Runs runs;
    const TemporaryFolder folder;
    int round = 0;
    for (;; ++round) {
        REQUIRE(round < most);
        const std::vector<bool> before = recorded_in(folder.file());
        std::vector<int> counts(many);
        for (int i = 0; i < many; ++i) { counts[static_cast<std::size_t>(i)] = Runs::of(static_cast<std::size_t>(i)); }
        Subprocess process{[&] {
            Pool pool{2};
            in_program(round);
            std::_Exit(program.run(pool, folder.file()) ? 17 : 18);
        }};
        attack(process, round);
        const int status = process.wait();
        for (std::size_t i = 0; i < many; ++i) {
            if (before[i]) { REQUIRE(Runs::of(i) == counts[i]); }
        }
        if (exited_with(status, 17)) { break; }
        REQUIRE(killed_by(status, SIGKILL));
    }
    std::printf("%s: done after %d kills\n", program.name, round);
    for (std::size_t i = 0; i < many; ++i) { REQUIRE(Runs::of(i) >= 1); }
    const std::size_t all = runs.take();
    std::printf("%zu runs of %d items\n", all, many);
}

constexpr auto no_attack = [](Subprocess&, int) {};

TEST_CASE("journal: a program that is killed at every 50th record goes on until it is done", "[slow]") {
    for (const Program& program : programs()) {
        run_until_done(
            program, [](int) { Killer::arm(detail::FaultPoint::journal_written, 50); }, no_attack, 1000);
    }
}

TEST_CASE("journal: a program that is killed between any two steps of a journal goes on", "[slow]") {
    using detail::FaultPoint;
    for (const Program& program : programs()) {
        const auto kill_in_turn = [](int round) {
            constexpr FaultPoint points[] = {FaultPoint::journal_opened, FaultPoint::journal_begun,
                                             FaultPoint::journal_taken, FaultPoint::journal_written};
            if (round < 12) { Killer::arm(points[round % 4], 1 + round / 4); }
        };
        run_until_done(program, kill_in_turn, no_attack, 20);
    }
}

TEST_CASE("journal: a program that is killed while it cuts or removes its journal goes on") {
    Runs runs;
    const TemporaryFolder folder;
    const Program& program = programs().front();
    const auto run = [&](detail::FaultPoint point, int nth) {
        Subprocess process{[&] {
            Pool pool{1};
            if (point != detail::FaultPoint::none) { Killer::arm(point, nth); }
            std::_Exit(program.run(pool, folder.file()) ? 17 : 18);
        }};
        return process.wait();
    };
    CHECK(killed_by(run(detail::FaultPoint::journal_written, 30), SIGKILL));
    const std::string bytes = bytes_of(folder.file());
    write_bytes(folder.file(), bytes.substr(0, bytes.size() - 5));
    CHECK(killed_by(run(detail::FaultPoint::journal_cut, 1), SIGKILL));
    CHECK(bytes_of(folder.file()).size() < bytes.size() - 5);
    CHECK(exited_with(run(detail::FaultPoint::none, 0), 17));
    static_cast<void>(runs.take());
    Subprocess removing{[&] {
        Pool pool{1};
        Killer::arm(detail::FaultPoint::journal_removed, 1);
        static_cast<void>(
            pool.map({.chunk_size = 10, .journal = folder.file(), .journal_keep = false}, square_slowly, numbers()));
    }};
    CHECK(killed_by(removing.wait(), SIGKILL));
    CHECK_FALSE(std::filesystem::exists(folder.file()));
}

TEST_CASE("journal: a program that is killed anywhere goes on until it is done", "[slow]") {
    const char* const given = std::getenv("PROCPOOL_CHAOS_SEED");
    const auto seed =
        static_cast<unsigned>(given != nullptr ? std::atoi(given) : static_cast<int>(std::random_device{}()));
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    item_time = 40us;
    for (const Program& program : programs()) {
        run_until_done(
            program, [](int) {},
            [&random](Subprocess& process, int round) {
                if (round >= 60) { return; }  // even a machine that is too slow for all this comes to an end
                std::this_thread::sleep_for(std::chrono::microseconds{random() % 30'000});
                ::kill(process.pid(), SIGKILL);
            },
            200);
    }
    item_time = 0us;
}

// ---- what the system refuses

/// Counts warnings about journals in the log.
class Warnings {
public:
    Warnings() {
        set_log_sink(
            [this](const LogRecord& record) {
                if (record.text.find("the journal ") != std::string::npos) {
                    ++count_;
                    last_ = record.text;
                }
            },
            LogLevel::warning);
    }
    Warnings(const Warnings&) = delete;
    Warnings& operator=(const Warnings&) = delete;
    ~Warnings() { set_log_sink({}); }
    [[nodiscard]] int take() {
        flush_log();
        return std::exchange(count_, 0);
    }
    [[nodiscard]] const std::string& last() const { return last_; }

private:
    int count_ = 0;
    std::string last_;
};

TEST_CASE("journal: a call whose records cannot be written goes on with one warning") {
    Runs runs;
    Refuser refuser;
    Warnings warnings;
    Pool pool{2};
    const TemporaryFolder folder;
    const auto call = [&] {
        const auto squares = pool.map({.chunk_size = 100, .journal = folder.file()}, run_square, numbers());
        return squares.size() == many && squares[70] == 4900;
    };
    refuser.refuse("writev", ENOSPC, 11, 30);  // the first one is the head
    CHECK(call());
    CHECK(refuser.calls() == 41);
    CHECK(warnings.take() == 1);
    CHECK(warnings.last().find("No space left") != std::string::npos);
    CHECK(runs.take() == many);
    refuser.allow();
    CHECK(call());
    CHECK(runs.take() == 2000);  // those of twenty records
    CHECK(warnings.take() == 0);
    CHECK(call());
    CHECK(runs.take() == 0);
}

TEST_CASE("journal: whatever call of the system fails when it is opened nothing is left and nothing has run") {
    Runs runs;
    Refuser refuser;
    InlinePool pool{1};
    const TemporaryFolder folder;
    const auto call = [&] { return pool.map({.journal = folder.file()}, run_square, numbers(50)); };
    const auto refused = [&](const char* name, std::int64_t nth) {
        refuser.refuse(name, EIO, nth, nth);
        try {
            static_cast<void>(call());
        } catch (const std::system_error& e) { return e.code().value() == EIO; }
        return false;
    };
    CHECK(refused("open", 1));
    CHECK(refused("fcntl", 1));
    CHECK(refused("pread", 1));
    CHECK(refused("ftruncate", 1));
    CHECK(refused("writev", 1));
    CHECK(runs.take() == 0);
    refuser.allow();
    CHECK(call().size() == 50);
    CHECK(runs.take() == 50);
    for (std::int64_t nth = 1; nth < 4; ++nth) { static_cast<void>(refused("pread", nth)); }
    static_cast<void>(runs.take());
    refuser.allow();
    CHECK(call().size() == 50);
    CHECK(runs.take() == 0);
}

/// A file system of its own with room for little.
class SmallDisk {
public:
    explicit SmallDisk(const std::string& path) : path_(path) {
        std::filesystem::create_directory(path);
        is_there_ = ::mount("none", path.c_str(), "tmpfs", 0, "size=64k") == 0;
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    ~SmallDisk() {
        if (is_there_) { ::umount(path_.c_str()); }
    }
    [[nodiscard]] bool is_there() const { return is_there_; }

private:
    std::string path_;
    bool is_there_;
};

TEST_CASE("journal: a disk that is full costs the records only") {
    Runs runs;
    const TemporaryFolder folder;
    const SmallDisk disk{folder.file("disk")};
    if (!disk.is_there()) {
        std::printf("skipped: no file system can be mounted here\n");
        return;
    }
    Warnings warnings;
    Pool pool{2};
    const auto call = [&] {
        const auto texts = pool.map({.chunk_size = 10, .journal = folder.file("disk/journal")}, run_text, numbers());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            if (texts[i] != std::string(i % 100, static_cast<char>('a' + i % 26))) { return false; }
        }
        return texts.size() == many;
    };
    CHECK(call());
    CHECK(warnings.take() == 1);
    CHECK(runs.take() == many);
    CHECK(call());  // what was written is there
    const std::size_t again = runs.take();
    CHECK(again < many);
    CHECK(again > many / 2);
}

TEST_CASE("journal: a file that may not grow further is as a full disk") {
    Runs runs;
    const TemporaryFolder folder;
    Subprocess limited{[&] {
        ::signal(SIGXFSZ, SIG_IGN);
        Warnings warnings;
        Pool pool{2};
        const rlimit most{20'000, 20'000};
        ::setrlimit(RLIMIT_FSIZE, &most);
        const auto squares = pool.map({.chunk_size = 10, .journal = folder.file()}, run_square, numbers());
        std::_Exit(squares[99] == 9801 && warnings.take() == 1 ? 17 : 18);
    }};
    CHECK(exited_with(limited.wait(), 17));
    CHECK(runs.take() == many);
    Pool pool{2};
    CHECK(pool.map({.chunk_size = 10, .journal = folder.file()}, run_square, numbers())[99] == 9801);
    const std::size_t again = runs.take();
    CHECK(again < many - 1000);
    CHECK(again > 1000);
}

}  // namespace
