// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/call.hpp>

#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <sys/types.h>
#include <cerrno>
#include <string>

using namespace procpool;
using procpool_test::Refusal;

TEST_CASE("a call that works returns what it returned") {
    CHECK(detail::os::call("three", [] { return 3; }) == 3);
    CHECK(detail::os::try_call("a long", [] { return ssize_t{1} << 40; }) == ssize_t{1} << 40);
}

TEST_CASE("a call that fails throws its error and its name") {
    const auto fail = [] {
        errno = ENOSPC;
        return -1;
    };
    CHECK(detail::os::try_call("write", fail) == -1);
    CHECK(errno == ENOSPC);
    try {
        detail::os::call("write", fail);
        FAIL("did not throw");
    } catch (const std::system_error& e) {
        CHECK(e.code() == std::errc::no_space_on_device);
        CHECK(std::string{e.what()}.find("procpool: write") != std::string::npos);
    }
}

TEST_CASE("a call that a signal interrupts is made again; no other error is") {
    int calls = 0;
    CHECK(detail::os::call("read", [&] {
              errno = EINTR;
              return ++calls < 4 ? -1 : 7;
          }) == 7);
    CHECK(calls == 4);

    calls = 0;
    CHECK(detail::os::try_call("read", [&] {
              ++calls;
              errno = EAGAIN;
              return -1;
          }) == -1);
    CHECK(calls == 1);
}

TEST_CASE("a test can make a call of some name fail without making it") {
    int calls = 0;
    const auto count = [&] { return ++calls; };
    {
        const Refusal refusal{"fork", ENOMEM, 1};
        CHECK(detail::os::try_call("fork", count) == 1);
        CHECK(detail::os::try_call("fork", count) == -1);
        CHECK(errno == ENOMEM);
        CHECK_THROWS_AS(detail::os::call("fork", count), std::system_error);
        CHECK(detail::os::call("mmap", count) == 2);
    }
    CHECK(detail::os::call("fork", count) == 3);
}
