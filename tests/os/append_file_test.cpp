// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/append_file.hpp>

#include "map/journaled.hpp"
#include "support/catch.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

using namespace procpool_test;
using procpool::detail::os::AppendFile;
using procpool::detail::os::remove_file;

namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }

TEST_CASE("append file: what is written stands behind what was there and is read anywhere") {
    const TemporaryFolder folder;
    {
        AppendFile file{folder.file()};
        CHECK(file.is_regular());
        CHECK(file.size() == 0);
        CHECK(file.write({bytes("one "), {}, bytes("two")}) == 0);
    }
    AppendFile file{folder.file()};
    CHECK(file.write({bytes(" three")}) == 0);
    CHECK(bytes_of(folder.file()) == "one two three");
    std::array<std::byte, 8> read{};
    CHECK(file.read(read, 4) == 8);
    CHECK(std::string_view{reinterpret_cast<const char*>(read.data()), 8} == "two thre");
    CHECK(file.read(read, 10) == 3);
    CHECK(file.cut(7) == 0);
    CHECK(file.sync() == 0);
    CHECK(file.size() == 7);
    CHECK(file.is_at(folder.file()));
    CHECK(remove_file(folder.file()) == 0);
    CHECK(remove_file(folder.file()) == ENOENT);
    CHECK_FALSE(file.is_at(folder.file()));
    CHECK_THROWS_AS(AppendFile{folder.file("none/there")}, std::system_error);
    CHECK_FALSE(AppendFile{"/dev/null"}.is_regular());
}

TEST_CASE("append file: one opening has the lock until it gives it up or is closed") {
    const TemporaryFolder folder;
    AppendFile first{folder.file()};
    AppendFile second{folder.file()};
    CHECK(first.try_lock());
    CHECK_FALSE(second.try_lock());
    first.unlock();
    CHECK(second.try_lock());
    CHECK_FALSE(first.try_lock());
    second = {};
    CHECK(first.try_lock());
}

TEST_CASE("append file: a file that the program has opened under its number is left alone") {
    const TemporaryFolder folder;
    AppendFile file{folder.file()};
    CHECK(file.write({bytes("mine")}) == 0);
    const AppendFile others{folder.file("others")};
    // As a daemon does, which closes all descriptors.
    for (int number = 3; number < 64; ++number) {
        const std::string link = "/proc/self/fd/" + std::to_string(number);
        std::error_code none;
        if (std::filesystem::read_symlink(link, none) == folder.file()) {
            const int other = ::dup(1);
            ::dup2(other, number);
            ::close(other);
            CHECK(file.write({bytes("not there")}) == EBADF);
            CHECK(file.cut(0) == EBADF);
            ::close(number);
            break;
        }
    }
    CHECK(bytes_of(folder.file()) == "mine");
}

}  // namespace
