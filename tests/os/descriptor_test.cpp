// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/descriptor.hpp>

#include <procpool/os/children.hpp>
#include <procpool/os/file.hpp>
#include <procpool/os/process.hpp>

#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

using namespace procpool;
using namespace procpool_test;

namespace {

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

bool is_readable(const detail::os::Event& event) {
    pollfd entry{event.number(), POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a descriptor closes its file - once") {
    const int number = open_null();
    {
        detail::os::Descriptor first{number};
        CHECK(first);
        CHECK(first.number() == number);
        detail::os::Descriptor second{std::move(first)};
        CHECK_FALSE(first);  // NOLINT(bugprone-use-after-move): it is empty
        CHECK(second.number() == number);
        CHECK(is_open(number));
        second.close();
        CHECK_FALSE(is_open(number));
        CHECK_FALSE(second);
        REQUIRE(open_null() == number);  // another file's number now: the destructors leave it alone
    }
    CHECK(is_open(number));
    ::close(number);
}

TEST_CASE("an assigned descriptor closes neither file too early") {
    const int one = open_null();
    const int two = open_null();
    detail::os::Descriptor first{one};
    {
        detail::os::Descriptor second{two};
        first = std::move(second);
        CHECK(first.number() == two);
        CHECK(is_open(two));
    }
    CHECK(is_open(two));
    CHECK_FALSE(is_open(one));
}

TEST_CASE("no descriptor is none") {
    const detail::os::Descriptor none;
    CHECK_FALSE(none);
    CHECK(none.number() == -1);
}

TEST_CASE("an event is readable from raise to lower") {
    const detail::os::Event event;
    CHECK_FALSE(is_readable(event));
    event.lower();  // does not block
    event.raise();
    event.raise();
    CHECK(is_readable(event));
    event.lower();
    CHECK_FALSE(is_readable(event));
}

TEST_CASE("an event that is full is raised and raising it does not block") {
    const detail::os::Event event;
    const std::uint64_t full = ~std::uint64_t{0} - 1;
    REQUIRE(::write(event.number(), &full, sizeof full) == sizeof full);
    event.raise();
    CHECK(is_readable(event));
}

TEST_CASE("a child raises its parent's event; a program that is executed does not inherit it") {
    const detail::os::Event event;
    CHECK(in_child([&] {
              event.raise();
              return 0;
          }) == 0);
    CHECK(is_readable(event));
    CHECK((::fcntl(event.number(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("an event that cannot be had is an exception") {
    const Refusal refusal{"eventfd", EMFILE};
    CHECK_THROWS_AS(detail::os::Event{}, std::system_error);
}

TEST_CASE("no descriptor has the number of a standard stream that is closed") {
    CHECK(in_child([] {
              for (const int stream : {0, 1, 2}) { ::close(stream); }
              const detail::os::Event event;
              const detail::os::Pipe pipe;
              const detail::os::Descriptor null{open_null()};
              const detail::os::Descriptor process = detail::os::open_pidfd(::getpid());
              const detail::os::Descriptor signals = detail::os::watch_children();
              const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{detail::os::create_file("/dev/null"),
                                                                         std::fclose};
              for (const int stream : {0, 1, 2}) {
                  if (is_open(stream)) { return 1 + stream; }
              }
              for (const int number : {event.number(), pipe.reading.number(), pipe.writing.number(), null.number(),
                                       signals.number(), ::fileno(file.get())}) {
                  if (!is_open(number) || (::fcntl(number, F_GETFD) & FD_CLOEXEC) == 0) { return 4; }
              }
              if (process && !is_open(process.number())) { return 5; }
              return detail::os::text_of_file("/proc/self/stat").empty() ? 6 : 0;
          }) == 0);
}

TEST_CASE("a descriptor that cannot have another number is an error and closed") {
    CHECK(in_child([] {
              for (const int stream : {0, 1, 2}) { ::close(stream); }
              const Refusal refusal{"fcntl", EMFILE};
              const detail::os::Descriptor null{open_null()};
              if (null || errno != EMFILE || is_open(0)) { return 1; }
              int refused = 0;
              try {
                  const detail::os::Event event;
              } catch (const std::system_error& error) { refused += error.code().value() == EMFILE ? 1 : 0; }
              try {
                  const detail::os::Pipe pipe;
              } catch (const std::system_error& error) { refused += error.code().value() == EMFILE ? 1 : 0; }
              return refused == 2 && !is_open(0) && !is_open(1) && !is_open(2) ? 0 : 2;
          }) == 0);
}

TEST_CASE("a descriptor that the program has closed is left alone whatever has its number now") {
    const auto opened = GENERATE(
        +[] { return open_null(); }, +[] { return ::open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600); },
        +[] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }, +[] { return ::epoll_create1(EPOLL_CLOEXEC); });
    int number = -1;
    {
        const detail::os::Event event;
        number = event.number();
        REQUIRE(event.raise());
        REQUIRE(::close(number) == 0);
        CHECK_FALSE(event.raise());
        REQUIRE(opened() == number);
        CHECK_FALSE(event.raise());
        event.lower();
        struct stat now {};
        CHECK((::fstat(number, &now) == 0 && now.st_size == 0));
        std::uint64_t count = 0;
        CHECK(::read(number, &count, sizeof count) <= 0);  // also if it is an eventfd: no process has raised it
    }
    CHECK(is_open(number));
    ::close(number);
}

TEST_CASE("a descriptor is intact as long as nobody else closes it") {
    detail::os::Pipe one;
    detail::os::Pipe other;
    CHECK((one.reading.is_intact() && one.writing.is_intact()));
    detail::os::Descriptor moved{std::move(one.reading)};
    CHECK(moved.is_intact());
    CHECK_FALSE(one.reading.is_intact());  // NOLINT(bugprone-use-after-move): it is empty
    REQUIRE(::dup2(other.reading.number(), moved.number()) == moved.number());
    CHECK_FALSE(moved.is_intact());
    const int number = moved.number();
    moved.close();
    CHECK(is_open(number));
    CHECK(::close(number) == 0);
    const int given = other.writing.release();
    CHECK(is_open(given));
    CHECK(::close(given) == 0);
}
