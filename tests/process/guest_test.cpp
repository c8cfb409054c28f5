// SPDX-License-Identifier: BSL-1.0
// A program's use of its own descriptors, and of the libraries it loads, must not meet those of the pool.
#include <procpool/procpool.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }
void require(bool holds, const char* what) {
    if (!holds) { throw std::runtime_error(what); }
}
int same(int i) { return i; }
[[noreturn]] void never_end() {
    for (;;) { ::pause(); }
}

/// As a daemon manager starts programs: without standard streams.
void close_standard_streams() {
    for (const int stream : {0, 1, 2}) { ::close(stream); }
}

TEST_CASE("a program without standard streams has none because of a pool and opens its own") {
    Subprocess program{[] {
        const int output = ::fcntl(1, F_DUPFD_CLOEXEC, 50);
        close_standard_streams();
        {
            Pool pool{2};
            Process process{[] { return 3; }};
            for (const int stream : {0, 1, 2}) {
                require(!is_open(stream), "a descriptor of the library's is a standard stream");
            }
            std::fprintf(stdout, "text for nobody\n");
            std::fflush(stdout);
            const int null = ::open("/dev/null", O_RDWR);
            ::dup2(null, 1);
            ::dup2(null, 2);
            require(pool.map(same, std::vector{1, 2, 3}) == std::vector{1, 2, 3}, "a map");
            try {
                pool.apply(TaskOptions{.timeout = 50ms}, never_end);
                throw std::runtime_error("no timeout");
            } catch (const TaskTimedOut&) {}
            process.join();
            require(process.exit_status() == ExitStatus::from_code(3), "a process");
            pool.terminate();
            require(pool.join_for(20s), "terminate() was not heard");
            require(is_open(0) && is_open(1) && is_open(2), "the program's descriptors were closed");
        }
        ::dup2(output, 1);
    }};
    CHECK(exited_with(program.wait(), 0));
    CAPTURE(program.output());
    CHECK_FALSE(contains(program.output(), "text for nobody"));
}

/// Ways for a program to open a file after it has closed everything.
const auto openers = {+[] { return -1; }, +[] { return ::open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600); },
                      +[] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); },
                      +[] { return ::epoll_create1(EPOLL_CLOEXEC); }};

TEST_CASE("a program may close all descriptors but the standard streams and open others") {
    for (const auto& open : openers) {
        Subprocess program{[&] {
            log_to_stderr(LogLevel::warning);
            std::vector<int> opened;
            {
                Pool pool{PoolOptions{.workers = 2, .terminate_grace = 100ms}};
                Process process{[] { return 3; }};
                Process other{never_end};
                for (int number = 3; number < 100; ++number) { ::close(number); }
                for (int i = 0; i < 20; ++i) { opened.push_back(open()); }
                require(pool.map(same, std::vector{1, 2, 3}) == std::vector{1, 2, 3}, "a map");
                try {
                    pool.apply(TaskOptions{.timeout = 50ms}, never_end);
                    throw std::runtime_error("no timeout");
                } catch (const TaskTimedOut&) {}
                auto killed = pool.apply_async(never_end);
                wait_until([&] { return killed.running(); }, "a task to run");
                require(killed.kill(), "kill()");
                try {
                    killed.get();
                } catch (const TaskCancelled&) {}
                require(process.native_handle() == -1, "the handle of a process whose descriptor is gone");
                process.join();
                require(process.exit_status() == ExitStatus::from_code(3), "a process");
                other.kill();
                require(other.join_for(20s), "kill() of a process");
                pool.refork();
                require(pool.apply(same, 5) == 5, "a task after refork()");
                const pid_t supervisor = pool.apply([] { return ::getppid(); });
                wait_until([&] { return state_in("/proc/" + std::to_string(supervisor)) == 'S'; },
                           "the supervisor to sleep");
                pool.close();
                require(pool.join_for(20s), "close() was not heard");
            }
            for (const int number : opened) {
                if (number < 0) { continue; }
                struct stat now {};
                require(::fstat(number, &now) == 0, "a descriptor of the program's was closed");
                std::uint64_t count = 0;
                require(now.st_size == 0 && ::read(number, &count, sizeof count) <= 0,
                        "something was written into a file of the program's");
            }
            set_log_sink({});
        }};
        CHECK(exited_with(program.wait(), 0));
        CAPTURE(program.output());
        CHECK(contains(program.output(), "the program has closed descriptor "));
        CHECK_FALSE(contains(program.output(), "exception"));
    }
}

std::mt19937 generator{7};

TEST_CASE("workers have copies of one generator and generators of their own if an initializer seeds them") {
    const auto draw = [] { return generator(); };
    Pool alike{2};
    const auto same_numbers = alike.broadcast(draw);
    CHECK(same_numbers[0] == same_numbers[1]);
    Pool seeded{PoolOptions{.workers = 2, .initializer = [] {
                                std::seed_seq seed{std::size_t{7}, this_worker::index()};
                                generator.seed(seed);
                            }}};
    const auto numbers = seeded.broadcast(draw);
    CHECK(numbers[0] != numbers[1]);
}

TEST_CASE("a plugin that used the library may be unloaded and what outlives its pool still runs") {
    for (const std::string way : {"callback", "process", "log", "map"}) {
        CAPTURE(way);
        Subprocess program{[&] {
            ::execl(PROCPOOL_TEST_PROGRAM, PROCPOOL_TEST_PROGRAM, "unloads", PROCPOOL_TEST_LASTING_PLUGIN, way.c_str(),
                    nullptr);
        }};
        CHECK(exited_with(program.wait(), 0));
        CHECK(program.output().empty());
    }
}

}  // namespace
