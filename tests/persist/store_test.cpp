// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/store.hpp>

#include "os/in_child.hpp"
#include "persist/directory.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace procpool::detail::persist;

namespace {

[[nodiscard]] EntryKey key_number(std::uint64_t number, std::uint64_t group = 1) {
    return {group, {number * 0x9E3779B97F4A7C15, number}};
}

[[nodiscard]] std::vector<std::byte> value_of(std::uint64_t number, std::size_t size) {
    std::vector<std::byte> value(size);
    for (std::size_t i = 0; i != size; ++i) { value[i] = static_cast<std::byte>(number * 31 + i); }
    return value;
}

[[nodiscard]] bool has(Store& store, std::uint64_t number, std::size_t size, const MemoOptions& options = {}) {
    FoundBytes found;
    if (!store.find(key_number(number), options, found)) { return false; }
    const std::vector<std::byte> value = value_of(number, size);
    if (found.get().size() != size || !std::equal(value.begin(), value.end(), found.get().begin())) {
        throw std::runtime_error("a wrong value");
    }
    return true;
}

/// A directory that is open in this process.
struct Opened {
    TemporaryDirectory directory;
    Store& store = Store::made(directory.memo());
    HeldStore held{store};

    Opened() { store.require_open(); }
    void put(std::uint64_t number, std::size_t size, const MemoOptions& options = {}) {
        store.put(key_number(number), value_of(number, size), 1, options);
    }
};

/// The entries themselves, with a time of the test's own.
struct RawEntries {
    Environment environment;

    explicit RawEntries(const std::filesystem::path& path) : environment(path) {}
    template <class Act>
    void write(Act act) {
        MDB_txn* const transaction = environment.begin_writing();
        act(Entries{transaction, environment.table()});
        environment.commit(transaction);
    }
    [[nodiscard]] Found find(std::uint64_t number, const MemoOptions& options, Moment now) {
        MDB_txn* transaction = nullptr;
        check(::mdb_txn_begin(environment.lmdb(), nullptr, MDB_RDONLY, &transaction));
        Entry entry;
        FoundBytes bytes;
        const Found found =
            Entries{transaction, environment.table()}.find(key_number(number), options, now, entry, bytes);
        ::mdb_txn_abort(transaction);
        return found;
    }
};

/// A file system in memory of that size, which only this process has. Returns: whether it could be mounted.
[[nodiscard]] bool mount_small(const std::filesystem::path& at, const std::string& options) {
    std::filesystem::create_directories(at);
    return ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", at.c_str(), "tmpfs", 0, options.c_str()) == 0;
}
constexpr int cannot_mount = 77;

}  // namespace

TEST_CASE("entries are found as they were put also by a process that comes later") {
    Opened opened;
    for (std::uint64_t i = 0; i != 300; ++i) { opened.put(i, i * 20); }
    for (std::uint64_t i = 0; i != 300; ++i) { CHECK(has(opened.store, i, i * 20)); }
    CHECK(!has(opened.store, 300, 0));
    CHECK(in_child([&] {
              for (std::uint64_t i = 0; i != 300; ++i) {
                  if (!has(opened.store, i, i * 20)) { return 1; }
              }
              opened.put(300, 5000);
              return 0;
          }) == 0);
    CHECK(has(opened.store, 300, 5000));
    CHECK(opened.store.stats().stores == 301);
}

TEST_CASE("a forked child reads by an environment of its own") {
    Opened opened;
    opened.put(1, 100);
    REQUIRE(has(opened.store, 1, 100));
    CHECK(in_child([&] {
              if (!has(opened.store, 1, 100)) { return 1; }
              std::string listed;
              const Environment another{opened.directory.memo()};  // its table is the same
              const auto add = [](const char* line, void* to) {
                  *static_cast<std::string*>(to) += line;
                  return 0;
              };
              ::mdb_reader_list(another.lmdb(), add, &listed);
              return listed.find(' ' + std::to_string(::getpid()) + ' ') != std::string::npos ? 0 : 2;
          }) == 0);
}

TEST_CASE("entries that are too old count as missing and are replaced") {
    const TemporaryDirectory directory;
    RawEntries raw{directory.memo()};
    const MemoOptions options{.oldest = std::chrono::hours{10}};
    const Moment made{1'000'000 * 3600L};
    const Moment within{made.seconds + 10 * 3600 - 1};
    const Moment later{made.seconds + 10 * 3600};
    raw.write([&](Entries entries) { CHECK(entries.put(key_number(1), value_of(1, 10), 1, options, made)); });
    CHECK(raw.find(1, options, within) == Found::yes);
    CHECK(raw.find(1, options, later) == Found::too_old);
    raw.write([&](Entries entries) {
        CHECK(!entries.put(key_number(1), value_of(1, 10), 1, options, within));  // the same is there
        CHECK(entries.put(key_number(1), value_of(1, 10), 1, options, later));
    });
    CHECK(raw.find(1, options, later) == Found::yes);
    raw.write([&](Entries entries) {
        CHECK(entries.evict(options, later) == 0);
        CHECK(entries.evict(options, {later.seconds + 10 * 3600}) == 1);
        CHECK(entries.bytes() == 0);
    });
}

TEST_CASE("those that were used longest ago make room and those used since stay") {
    const TemporaryDirectory directory;
    RawEntries raw{directory.memo()};
    const MemoOptions options{.most_bytes = 1 << 20};
    constexpr std::uint64_t hour = 3600;
    const auto at = [](std::uint64_t hours) { return Moment{static_cast<std::int64_t>((1'000'000 + hours) * hour)}; };
    std::size_t evicted = 0;
    for (std::uint64_t i = 0; i != 200; ++i) {
        raw.write([&](Entries entries) {
            entries.put(key_number(i), value_of(i, 10000), 1, options, at(i));
            entries.touch(key_number(0), at(i));
            entries.touch(key_number(5), at(i));
            evicted += entries.evict(options, at(i));
            CHECK(entries.bytes() <= options.most_bytes);
        });
    }
    CHECK(evicted > 100);
    CHECK(raw.find(0, options, at(200)) == Found::yes);
    CHECK(raw.find(5, options, at(200)) == Found::yes);
    CHECK(raw.find(199, options, at(200)) == Found::yes);
    CHECK(raw.find(1, options, at(200)) == Found::no);
    CHECK(raw.find(100, options, at(200)) == Found::no);
    std::size_t left = 0;
    for (std::uint64_t i = 0; i != 200; ++i) { left += raw.find(i, options, at(200)) == Found::yes ? 1u : 0u; }
    CHECK(left == 200 - evicted);
    CHECK(left > 60);  // no more were removed than had to be
}

TEST_CASE("a memo keeps to its size and a result that is larger is not kept") {
    Opened opened;
    const MemoOptions options{.most_bytes = 1 << 20};
    for (std::uint64_t i = 0; i != 500; ++i) {
        opened.put(i, 10000, options);
        CHECK(opened.store.stats().bytes <= options.most_bytes);
    }
    const MemoStats stats = opened.store.stats();
    CHECK(stats.stores == 500);
    CHECK(stats.evictions > 300);
    opened.put(1000, 2 << 20, options);
    CHECK(!has(opened.store, 1000, 2 << 20, options));
    CHECK(opened.store.stats().stores == 500);
    // Freed pages are used again.
    CHECK(std::filesystem::file_size(opened.directory.memo() / "data.mdb") < 4u << 20);
}

TEST_CASE("the map grows and other processes follow") {
    Opened opened;
    opened.put(1, 100);
    SharedPage gates;
    const Gate opened_gate{gates};
    const Gate grown{gates};
    const pid_t child = start_child([&] {
        if (!has(opened.store, 1, 100)) { return 1; }
        opened_gate.set();
        grown.wait();
        for (std::uint64_t i = 2; i != 32; ++i) {
            if (!has(opened.store, i, 8 << 20)) { return 2; }
        }
        opened.put(40, 100);
        return has(opened.store, 40, 100) ? 0 : 3;
    });
    opened_gate.wait();
    for (std::uint64_t i = 2; i != 32; ++i) { opened.put(i, 8 << 20); }  // 240 MB in a map of 64 MB
    for (std::uint64_t i = 2; i != 32; ++i) { CHECK(has(opened.store, i, 8 << 20)); }
    grown.set();
    CHECK(wait_for_child(child) == 0);
    CHECK(has(opened.store, 40, 100));
}

TEST_CASE("threads of one process look and keep at a time while the map grows") {
    Opened opened;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t != 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint64_t i = 0; i != 100; ++i) {
                const std::uint64_t number = t * 1000 + i;
                opened.put(number, 300'000);
                for (const std::uint64_t k : {number, t * 1000, ((t + 1) % 4) * 1000 + i}) {
                    const bool there = has(opened.store, k, 300'000);
                    if (k / 1000 == t && !there) { ++wrong; }
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    CHECK(opened.store.stats().stores == 400);
}

TEST_CASE("a use is noted in the end") {
    const TemporaryDirectory directory;
    const auto used_at = [&] {
        RawEntries raw{directory.memo()};
        MDB_txn* transaction = nullptr;
        check(::mdb_txn_begin(raw.environment.lmdb(), nullptr, MDB_RDONLY, &transaction));
        Entry entry;
        FoundBytes bytes;
        const Found found =
            Entries{transaction, raw.environment.table()}.find(key_number(1), {}, Moment::now(), entry, bytes);
        ::mdb_txn_abort(transaction);
        return found == Found::yes ? entry.used : 0;
    };
    const Moment before{Moment::now().seconds - 50 * 3600};
    {
        RawEntries raw{directory.memo()};
        raw.write([&](Entries entries) { entries.put(key_number(1), value_of(1, 10), 1, {}, before); });
    }
    CHECK(used_at() == before.hour());
    {
        Store& store = Store::made(directory.memo());
        const HeldStore held{store};
        CHECK(has(store, 1, 10));
    }
    CHECK(used_at() > before.hour());
}

TEST_CASE("a directory is opened once by a process whatever path leads there") {
    const TemporaryDirectory directory;
    std::filesystem::create_directory(directory.memo());
    std::filesystem::create_symlink(directory.memo(), directory.path() / "link");
    Store& store = Store::made(directory.memo());
    CHECK(&Store::made(directory.path() / "link") == &store);
    CHECK(&Store::made(directory.path() / "." / "memo") == &store);
    CHECK(&Store::of(directory.memo().string()) == &store);
    const Memo first{directory.memo()};
    const Memo second{directory.path() / "link"};
    CHECK(first(square)(3) == 9);
    CHECK(second(square)(3) == 9);
    CHECK(second.stats().hits == 1);
}

TEST_CASE("a directory that was removed meanwhile is made anew") {
    const TemporaryDirectory directory;
    Calls calls;
    const Memo memo{directory.memo()};
    CHECK(memo(square)(3) == 9);
    std::filesystem::remove_all(directory.memo());
    const Memo again{directory.memo()};
    CHECK(again.stats().bytes == 0);
    CHECK(again(square)(3) == 9);
    CHECK(calls.take() == 2);
    CHECK(Memo{directory.memo()}(square)(3) == 9);
    CHECK(calls.take() == 0);
}

TEST_CASE("a child that is forked while a thread of its parent opens or looks is not kept waiting") {
    Opened opened;
    opened.put(1, 100);
    std::atomic<bool> stop{false};
    std::thread looks([&] {
        while (!stop) {
            static_cast<void>(has(opened.store, 1, 100));
            opened.put(2, 5000);
        }
    });
    const TemporaryDirectory reopened;
    Store& other = Store::made(reopened.memo());
    {
        const Memo open{reopened.memo()};  // and closes it again
        other.put(key_number(1), value_of(1, 100), 1, {});
    }
    std::thread opens([&] {
        while (!stop) {
            const Memo memo{reopened.memo()};
            static_cast<void>(memo.stats());
        }
    });
    for (int i = 0; i != 50; ++i) {
        CHECK(in_child([&] { return has(opened.store, 1, 100) && has(other, 1, 100) ? 0 : 1; }) == 0);
    }
    stop = true;
    looks.join();
    opens.join();
}

TEST_CASE("a writer that is stopped with the lock makes others pass it by") {
    Opened opened;
    opened.put(1, 100);
    SharedPage page;
    const Gate holds{page};
    const pid_t child = start_child([&] {
        const Environment own{opened.directory.memo()};
        static_cast<void>(own.state().writing.lock_healed());
        holds.set();
        for (;;) { ::pause(); }
        return 0;
    });
    holds.wait();
    for (std::uint64_t i = 10; i != 200; ++i) { opened.put(i, 10); }  // only the first waits: the test has a limit
    CHECK(!has(opened.store, 10, 10));
    CHECK(has(opened.store, 1, 100));
    ::kill(child, SIGKILL);
    static_cast<void>(wait_for_child(child));
    opened.put(10, 10);
    CHECK(has(opened.store, 10, 10));
}

TEST_CASE("a directory of another layout or of something else is refused with a clear error") {
    const TemporaryDirectory directory;
    { const Memo memo{directory.memo()}; }
    const std::filesystem::path state = directory.memo() / "procpool_memo";
    std::vector<char> bytes = read_file(state);
    const std::vector<char> whole = bytes;
    bytes[offsetof(State, layout)] = 99;
    write_file(state, bytes);
    CHECK_THROWS_WITH(Memo{directory.memo()}, Catch::ContainsSubstring("has layout 99, this program knows layout 1"));
    bytes = whole;
    bytes[0] ^= 1;
    write_file(state, bytes);
    CHECK_THROWS_WITH(Memo{directory.memo()}, Catch::ContainsSubstring("is not a memo's directory"));
    write_file(state, whole);
    { const Memo memo{directory.memo()}; }
    std::filesystem::remove(state);
    CHECK_THROWS_WITH(Memo{directory.memo()}, Catch::ContainsSubstring("an LMDB database that is not a memo's"));
    CHECK(!std::filesystem::exists(state));
    write_file(directory.path() / "file", {'x'});
    CHECK_THROWS_AS(Memo{directory.path() / "file"}, std::system_error);
    CHECK_THROWS_AS(Memo{directory.path() / "file" / "memo"}, std::system_error);
}

TEST_CASE("a full disk makes calls pass the memo by") {
    const TemporaryDirectory directory;
    Calls calls;
    const int code = in_child([&] {
        if (!mount_small(directory.path() / "small", "size=2m")) { return cannot_mount; }
        const std::filesystem::path at = directory.path() / "small" / "memo";
        const std::filesystem::path filler = directory.path() / "small" / "filler";
        write_file(filler, std::vector<char>(500'000, 'x'));
        std::atomic<bool> is_told{false};
        set_log_sink([&](const LogRecord& record) { is_told = record.text.ends_with("No space left on device"); },
                     LogLevel::warning);
        const Memo memo{at};
        const auto f = memo([](int x, std::size_t size) {
            Calls::add();
            return std::string(size, static_cast<char>('a' + x % 26));
        });
        for (int round = 0; round != 2; ++round) {
            for (int i = 0; i != 200; ++i) {
                if (f(i, 20'000u) != std::string(20'000, static_cast<char>('a' + i % 26))) { return 1; }
            }
        }
        const MemoStats stats = memo.stats();
        if (stats.stores == 0 || stats.hits < stats.stores || stats.stores > 100 || stats.damaged != 0) { return 2; }
        if (calls.take() != static_cast<std::int64_t>(stats.misses)) { return 3; }
        set_log_sink(nullptr);
        if (!is_told) { return 5; }
        std::filesystem::remove(filler);  // there is room again
        static_cast<void>(f(300, 20'000u));
        return memo.stats().stores == stats.stores + 1 ? 0 : 4;
    });
    if (code == cannot_mount) {
        WARN("skipped: a file system cannot be mounted here");
        return;
    }
    CHECK(code == 0);
}

TEST_CASE("a directory is refused with a clear error when it is made on a full disk or may not be written") {
    const TemporaryDirectory directory;
    const int code = in_child([&] {
        const std::filesystem::path small = directory.path() / "small";
        if (!mount_small(small, "size=128k")) { return cannot_mount; }
        try {
            const Memo memo{small / "memo"};
            return 1;
        } catch (const std::system_error& error) {
            if (error.code().value() != ENOSPC) { return 2; }
        }
        if (::mount(nullptr, small.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) { return 3; }
        try {
            const Memo memo{small / "memo"};
            return 4;
        } catch (const std::system_error& error) {
            if (error.code().value() != EROFS) { return 5; }
        }
        return 0;
    });
    if (code == cannot_mount) {
        WARN("skipped: a file system cannot be mounted here");
        return;
    }
    CHECK(code == 0);
}

TEST_CASE("a worker that cannot open the directory calls the function and warns once") {
    const TemporaryDirectory directory;
    Calls calls;
    std::atomic<int> warnings{0};
    set_log_sink(
        [&](const LogRecord& record) {
            if (record.text.find("passed by") != std::string::npos) { ++warnings; }
        },
        LogLevel::warning);
    {
        const Memo memo{directory.memo()};
        const auto f = memo(square);
        Pool pool{1};
        CHECK(pool.apply([] {
            const rlimit none{3, 3};
            return ::setrlimit(RLIMIT_NOFILE, &none);
        }) == 0);
        CHECK(pool.map(f, std::vector{1, 2, 3}) == std::vector{1, 4, 9});
        CHECK(pool.map(f, std::vector{1, 2, 3}) == std::vector{1, 4, 9});
        CHECK(calls.take() == 6);
        pool.close();
        pool.join();
    }
    set_log_sink(nullptr);
    CHECK(warnings == 1);
}
