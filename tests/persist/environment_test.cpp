// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/environment.hpp>

#include "os/in_child.hpp"
#include "persist/directory.hpp"
#include "support/catch.hpp"

#include <csignal>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace procpool::detail::persist;

namespace {

/// Transactions that read, each with a place in LMDB's table of readers.
class Readers {
public:
    Readers(const Environment& environment, std::size_t count) : all_(count) {
        for (MDB_txn*& one : all_) { check(::mdb_txn_begin(environment.lmdb(), nullptr, MDB_RDONLY, &one)); }
    }
    Readers(const Readers&) = delete;
    Readers& operator=(const Readers&) = delete;
    ~Readers() {
        for (MDB_txn* const one : all_) { ::mdb_txn_abort(one); }
    }

private:
    std::vector<MDB_txn*> all_;
};

[[nodiscard]] unsigned readers_of(const Environment& environment) {
    MDB_envinfo known{};
    check(::mdb_env_info(environment.lmdb(), &known));
    return known.me_numreaders;
}

}  // namespace

TEST_CASE("the locks are not made anew after a process has read its memo's files with other means") {
    const TemporaryDirectory directory;
    const Environment mine{directory.memo()};
    const Readers readers{mine, 5};
    REQUIRE(readers_of(mine) == 5);
    for (const char* const name : {"lock.mdb", "data.mdb", "procpool_memo"}) {
        ::close(::open((directory.memo() / name).c_str(), O_RDWR | O_CLOEXEC));
    }
    // A process that took itself for the only one would make the table anew.
    CHECK(in_child([&] {
              const Environment others{directory.memo()};
              const Readers one{others, 1};
              return readers_of(others) >= 5 ? 0 : 1;
          }) == 0);
    CHECK(readers_of(mine) >= 5);
}

TEST_CASE("places of readers that died are free again") {
    const TemporaryDirectory directory;
    const Environment mine{directory.memo()};
    for (int i = 0; i != 50; ++i) {
        CHECK(in_child([&] {
                  const Environment others{directory.memo()};
                  const Readers readers{others, 100};
                  return ::kill(::getpid(), SIGKILL);
              }) == 128 + SIGKILL);
    }
    CHECK(readers_of(mine) < 300);
}

TEST_CASE("a large file is looked through when it is not as its last writer left it") {
    const TemporaryDirectory directory;
    const auto fill = [&] {
        const Memo memo{directory.memo()};
        const auto f =
            memo([](int x) { return std::string(std::size_t{9} << 20, static_cast<char>('a' + x)); }, "f", 1);
        for (int i = 0; i != 9; ++i) { CHECK(f(i).front() == 'a' + i); }
        return memo.stats();
    };
    CHECK(fill().stores == 9);
    const std::filesystem::path data = directory.memo() / "data.mdb";
    REQUIRE(std::filesystem::file_size(data) > 70u << 20);
    CHECK(fill().hits == 9);
    std::vector<char> bytes = read_file(data);
    for (std::size_t page = 2; page != bytes.size() / 4096; ++page) {
        if (bytes[page * 4096 + 10] == 2) { bytes[page * 4096 + 14] ^= 64; }  // leaves
    }
    write_file(data, bytes);
    CHECK(fill().stores == 18);  // it has started empty
}
