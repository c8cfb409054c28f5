// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/descriptor.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <utility>

using namespace procpool;
using namespace procpool_test;

namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

bool is_readable(const os::Event& event) {
    pollfd entry{event.number(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a descriptor closes its file, once") {
    const int number = open_null();
    {
        os::Descriptor first{number};
        CHECK(first);
        CHECK(first.number() == number);
        os::Descriptor second{std::move(first)};
        CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): it is empty
        CHECK(second.number() == number);
        CHECK(is_open(number));
        second.close();
        CHECK_FALSE(is_open(number));
        CHECK_FALSE(second);
        REQUIRE(open_null() == number);  // somebody else's now: the destructors leave it alone
    }
    CHECK(is_open(number));
    ::close(number);
}

TEST_CASE("an assigned descriptor closes neither file too early") {
    const int one = open_null();
    const int two = open_null();
    os::Descriptor first{one};
    {
        os::Descriptor second{two};
        first = std::move(second);
        CHECK(first.number() == two);
        CHECK(is_open(two));
    }
    CHECK(is_open(two));
    CHECK_FALSE(is_open(one));
}

TEST_CASE("no descriptor is none") {
    const os::Descriptor none;
    CHECK_FALSE(none);
    CHECK(none.number() == -1);
}

TEST_CASE("an event is readable from raise to lower") {
    const os::Event event;
    CHECK_FALSE(is_readable(event));
    event.lower();  // does not block
    event.raise();
    event.raise();
    CHECK(is_readable(event));
    event.lower();
    CHECK_FALSE(is_readable(event));
}

TEST_CASE("an event that is full is raised, and raising it does not block") {
    const os::Event event;
    const std::uint64_t full = ~std::uint64_t{0} - 1;
    REQUIRE(::write(event.number(), &full, sizeof full) == sizeof full);
    event.raise();
    CHECK(is_readable(event));
}

TEST_CASE("a child raises its parent's event; a program that is executed does not inherit it") {
    const os::Event event;
    CHECK(in_child([&] {
              event.raise();
              return 0;
          }) == 0);
    CHECK(is_readable(event));
    CHECK((::fcntl(event.number(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an event that cannot be had is an exception") {
    const Refusal refusal{"eventfd", EMFILE};
    CHECK_THROWS_AS(os::Event{}, std::system_error);
}
