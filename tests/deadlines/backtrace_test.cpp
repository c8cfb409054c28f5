// SPDX-License-Identifier: BSL-1.0
#include "faults/whole.hpp"

#include <cstdlib>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Names that the text of a backtrace must show; not in an anonymous namespace, since a program exports only what has
// linkage.
namespace crashing {

[[gnu::noinline]] int write_to_nowhere(int value) {
    volatile std::uintptr_t nowhere = 0;
    *reinterpret_cast<volatile int*>(nowhere + 64) = value;
    return value + 1;
}
[[gnu::noinline]] int calls_writer(int value) { return write_to_nowhere(value) + 1; }
[[gnu::noinline]] int gives_up(int value) {
    std::abort();
    return value;
}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winfinite-recursion"
[[gnu::noinline]] int recurses(int depth) {
    volatile char frame[1024];
    frame[depth % 1024] = static_cast<char>(depth);
    return recurses(depth + 1) + frame[0];
}
#pragma GCC diagnostic pop
[[gnu::noinline]] int throws(int value) {
    if (value > 0) { throw value; }
    return value;
}
[[gnu::noinline]] int throws_through(int value) noexcept { return throws(value) + 1; }

}  // namespace crashing

using namespace procpool_test;

namespace {

template <class F>
std::string backtrace_of(F f) {
    try {
        f();
    } catch (const WorkerDied& died) { return died.backtrace(); }
    throw std::runtime_error("no worker died");
}

TEST_CASE("WorkerDied tells where a worker crashed") {
    Pool pool{1};
    const auto where = [&](auto task) { return backtrace_of([&] { pool.apply(task, 1); }); };
    const auto check = [&](const std::string& text, const char* function) {
        if (under_sanitizer) { return; }  // it has handlers of its own
        INFO(text);
        CHECK(contains(text, function));
        CHECK_FALSE(contains(text, "on_crash("));  // nor anything else of the reporter's
        CHECK_FALSE(contains(text, "capture_backtrace("));
        CHECK_FALSE(contains(text, "record_crashes("));
    };
    check(where(crashing::calls_writer), "write_to_nowhere");
    check(where(crashing::calls_writer), "calls_writer");
    check(where(crashing::gives_up), "gives_up");
    check(where(crashing::throws_through), "throws_through");
    check(where(crashing::recurses), "recurses");
    CHECK(pool.apply([](int i) { return i; }, 5) == 5);
}

TEST_CASE("WorkerDied has no backtrace of another crash when there was none") {
    Pool pool{1};
    static_cast<void>(backtrace_of([&] { pool.apply(crashing::calls_writer, 1); }));
    CHECK(backtrace_of([&] { pool.apply([] { ::kill(::getpid(), SIGKILL); }); }).empty());
    CHECK(backtrace_of([&] { pool.apply([] { ::_exit(3); }); }).empty());
}

/// Effects: a process that the caller forks crashes in write_to_nowhere(), and is gone.
void crash_in_helper(bool shares_memory) {
    const pid_t helper = shares_memory ? ::vfork() : ::fork();
    if (helper == 0) {
        crashing::write_to_nowhere(1);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(helper, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) { throw std::runtime_error("the helper did not crash"); }
}

TEST_CASE("the crash of a process that a task has forked is not told as the crash of a task") {
    if (under_sanitizer) { return; }
    for (const bool shares_memory : {false, true}) {
        Pool pool{1};
        pool.apply(crash_in_helper, shares_memory);
        CHECK(backtrace_of([&] { pool.apply([] { ::kill(::getpid(), SIGKILL); }); }).empty());
        CHECK(backtrace_of([&] {
                  pool.apply(
                      [](bool shares) {
                          crash_in_helper(shares);
                          ::kill(::getpid(), SIGSEGV);
                          return 0;
                      },
                      shares_memory);
              }).find("write_to_nowhere") == std::string::npos);
        const std::string own = backtrace_of([&] {
            pool.apply(
                [](bool shares) {
                    crash_in_helper(shares);
                    return crashing::gives_up(1);
                },
                shares_memory);
        });
        CHECK(contains(own, "gives_up"));
        CHECK_FALSE(contains(own, "write_to_nowhere"));
    }
}

TEST_CASE("a map that crashes tells the item and the place") {
    Pool pool{2};
    try {
        static_cast<void>(pool.map(
            MapOptions{.chunk_size = 5, .timeout = 60s},  // cheap items are counted in groups without it
            [](int i) { return i == 17 ? crashing::calls_writer(i) : i; }, std::views::iota(0, 40)));
        FAIL("no worker died");
    } catch (const WorkerDied& died) {
        CHECK(contains(died.what(), "item 17"));
        CHECK(died.exit_status().signal() == SIGSEGV);
        if (!under_sanitizer) { CHECK(contains(died.backtrace(), "write_to_nowhere")); }
    }
}

TEST_CASE("the crash of a task that may run again shows the last attempt") {
    Pool pool{1};
    const std::string text = backtrace_of([&] {
        pool.apply(
            TaskOptions{.retries = 2},
            [](int i) { return this_task::attempt() == 2 ? crashing::gives_up(i) : crashing::calls_writer(i); }, 1);
    });
    if (under_sanitizer) { return; }
    CHECK(contains(text, "gives_up"));
    CHECK_FALSE(contains(text, "calls_writer"));
}

TEST_CASE("a crash is a crash for the system too: the exit status is that of the signal") {
    if (under_sanitizer) { return; }
    Pool pool{1};
    const auto status_of = [&](auto task) {
        try {
            pool.apply(task, 1);
        } catch (const WorkerDied& died) { return died.exit_status(); }
        throw std::runtime_error("no worker died");
    };
    CHECK(status_of(crashing::calls_writer) == ExitStatus::from_signal(SIGSEGV));
    CHECK(status_of(crashing::recurses) == ExitStatus::from_signal(SIGSEGV));
    CHECK(status_of(crashing::gives_up) == ExitStatus::from_signal(SIGABRT));
    CHECK(status_of([](int) {
              ::raise(SIGFPE);
              return 0;
          }) == ExitStatus::from_signal(SIGFPE));
    CHECK(status_of([](int) {
              ::raise(SIGBUS);
              return 0;
          }) == ExitStatus::from_signal(SIGBUS));
    CHECK(status_of([](int) {
              ::raise(SIGILL);
              return 0;
          }) == ExitStatus::from_signal(SIGILL));
}

}  // namespace
