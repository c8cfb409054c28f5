// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/file.hpp>

#include "support/catch.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

using namespace procpool;

TEST_CASE("a file that was created is read as it was written") {
    std::string path = "/tmp/procpool-file-XXXXXX";
    const int made = ::mkstemp(path.data());
    REQUIRE(made >= 0);
    ::close(made);
    const std::string text(10000, 'x');
    std::FILE* const file = detail::os::create_file(path.c_str());
    REQUIRE(file != nullptr);
    CHECK((::fcntl(::fileno(file), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(std::fwrite(text.data(), 1, text.size(), file) == text.size());
    CHECK(std::fclose(file) == 0);
    CHECK(detail::os::text_of_file(path.c_str()) == text);
    std::FILE* const again = detail::os::create_file(path.c_str());
    REQUIRE(again != nullptr);
    CHECK(std::fclose(again) == 0);
    CHECK(detail::os::text_of_file(path.c_str()).empty());
    ::unlink(path.c_str());
}

TEST_CASE("a file that cannot be had is none") {
    CHECK(detail::os::text_of_file("/nonexistent/file").empty());
    CHECK(detail::os::text_of_file("/tmp").empty());  // a folder
    errno = 0;
    CHECK(detail::os::create_file("/nonexistent/file") == nullptr);
    CHECK(errno == ENOENT);
}
