// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/process_memory.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"

#include <csignal>
#include <cstddef>
#include <cstring>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using detail::os::own_memory;
using detail::os::own_peak;

namespace {

constexpr std::size_t mega = std::size_t{1} << 20;
constexpr std::size_t some = 64 * mega;
constexpr std::size_t little = 16 * mega;  // what else a test may use meanwhile

/// Memory that is touched.
class Touched {
public:
    explicit Touched(int flags) : begin_(::mmap(nullptr, some, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)) {
        REQUIRE(begin_ != MAP_FAILED);
        std::memset(begin_, 1, some);
    }
    Touched(const Touched&) = delete;
    Touched& operator=(const Touched&) = delete;
    ~Touched() { ::munmap(begin_, some); }

private:
    void* begin_;
};

}  // namespace

TEST_CASE("memory of its own is what a process has touched and shares with no other") {
    const pid_t self = ::getpid();
    const std::uint64_t before = own_memory(self).value();
    CHECK(before > 0);
    {
        const Touched shared{MAP_SHARED};
        CHECK(own_memory(self).value() < before + little);
    }
    const Touched own{MAP_PRIVATE};
    CHECK(own_memory(self).value() >= before + some - mega);
    CHECK(own_memory(self).value() < before + some + little);
}

TEST_CASE("a peak is kept until it is forgotten") {
    const pid_t self = ::getpid();
    const std::uint64_t before = own_memory(self).value();
    { const Touched own{MAP_PRIVATE}; }
    CHECK(own_memory(self).value() < before + little);
    CHECK(own_peak(self).value() >= before + some - little);
    detail::os::forget_peak(self);
    const std::uint64_t after = own_peak(self).value();
    if (after >= before + some - little) { return; }  // the system does not let it be forgotten
    { const Touched own{MAP_PRIVATE}; }
    CHECK(own_peak(self).value() >= after + some - little);
}

TEST_CASE("there is no memory of a process that there is not") {
    const pid_t child = ::fork();
    if (child == 0) { ::_exit(0); }
    ::waitpid(child, nullptr, 0);
    CHECK_FALSE(own_memory(child));
    CHECK_FALSE(own_peak(child));
    CHECK_FALSE(detail::os::is_stopped(child));
    detail::os::forget_peak(child);
}

TEST_CASE("a process is stopped from SIGSTOP until SIGCONT") {
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) { ::pause(); }
    }
    CHECK_FALSE(detail::os::is_stopped(child));
    ::kill(child, SIGSTOP);
    wait_until([&] { return detail::os::is_stopped(child); }, "a process to stop");
    ::kill(child, SIGCONT);
    wait_until([&] { return !detail::os::is_stopped(child); }, "a process to go on");
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}
