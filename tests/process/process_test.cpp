// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/log_sink.hpp>
#include <procpool/process/process.hpp>

#include <procpool/os/call.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

void sleep_long() { std::this_thread::sleep_for(1h); }

template <class E>
std::string text_of(const Process& process) {
    try {
        if (process.error()) { std::rethrow_exception(process.error()); }
    } catch (const E& error) { return error.what(); }
    return "no error";
}

bool is_readable(int descriptor, int milliseconds = 0) {
    pollfd entry{descriptor, POLLIN, 0};
    return ::poll(&entry, 1, milliseconds) == 1;
}

/// No process is there to be waited for.
bool is_childless() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

TEST_CASE("PRC-01 life cycle") {
    SharedPage page;
    const Gate may_end{page};
    const Counter child_pid{page};
    Process process{ProcessOptions{.name = "one-off"}, [&] {
                        child_pid.add(::getpid());
                        may_end.wait();
                    }};
    CHECK(process.valid());
    CHECK(process.is_alive());
    CHECK(process.name() == "one-off");
    CHECK_FALSE(process.exit_status().exited());
    CHECK_FALSE(process.exit_status().signaled());
    CHECK(process.error() == nullptr);
    child_pid.wait_for(1);
    CHECK(process.pid() == child_pid.value());
    CHECK(text_of_file("/proc/" + std::to_string(process.pid()) + "/comm") == "one-off\n");
    may_end.set();
    process.join();
    CHECK_FALSE(process.is_alive());
    CHECK(process.exit_status() == ExitStatus::from_code(0));
    CHECK(process.pid() == child_pid.value());
    CHECK(is_childless());
}

TEST_CASE("PRC-01 any callable - any argument and everything of the parent's by reference") {
    SharedPage page;
    const Counter sum{page};
    std::vector<int> table(1000, 2);
    const std::function<int(int)> function = [&table](int i) { return table[static_cast<std::size_t>(i)]; };
    auto owned = std::make_unique<int>(40);
    Process closure{[&, owned = std::move(owned)](std::unique_ptr<int> more, const std::string& text) {
                        sum.add(function(3) + *owned + *more + static_cast<int>(text.size()));
                        table.clear();
                    },
                    std::make_unique<int>(7), "abc"};
    closure.join();
    CHECK(sum.value() == 2 + 40 + 7 + 3);
    CHECK(table.size() == 1000);
    struct Thing {
        int value;
        int get() const { return value; }
    };
    Process member{&Thing::get, Thing{9}};
    member.join();
    CHECK(member.exit_status() == ExitStatus::from_code(9));
}

TEST_CASE("PRC-02 exit codes") {
    const auto status_of = [](auto f) {
        Process process{f};
        process.join();
        return process.exit_status();
    };
    CHECK(status_of([] { return 8; }) == ExitStatus::from_code(8));
    CHECK(status_of([] { return std::string{"no int"}; }) == ExitStatus::from_code(0));
    CHECK(status_of([] { std::exit(5); }) == ExitStatus::from_code(5));
    CHECK(status_of([] { ::_exit(6); }) == ExitStatus::from_code(6));
    CHECK(status_of([] { ::pthread_exit(nullptr); }) == ExitStatus::from_code(0));
    CHECK(status_of([] { ::raise(SIGINT); }) == ExitStatus::from_signal(SIGINT));
    CHECK(status_of([] { ::raise(SIGSEGV); }) == ExitStatus::from_signal(SIGSEGV));
    CHECK(status_of([] {  // a child of the child's says nothing about the child
              if (::fork() == 0) { return 3; }
              ::wait(nullptr);
              return 4;
          }) == ExitStatus::from_code(4));
    Process terminated{sleep_long};
    terminated.terminate();
    terminated.join();
    CHECK(terminated.exit_status() == ExitStatus::from_signal(SIGTERM));
    Process killed{sleep_long};
    killed.kill();
    killed.join();
    CHECK(killed.exit_status() == ExitStatus::from_signal(SIGKILL));
    killed.kill();
    killed.terminate();
}

TEST_CASE("PRC-02 an uncaught exception arrives at the parent") {
    struct Odd {};
    Process standard{[] { throw std::out_of_range("too far"); }};
    Process odd{[] { throw Odd{}; }};
    Process huge{[] { throw std::runtime_error(std::string(3 << 20, 'x')); }};
    Process unwound{[] {
        try {
            throw std::logic_error("caught");
        } catch (const std::logic_error&) {}
    }};
    for (Process* process : {&standard, &odd, &huge, &unwound}) { process->join(); }
    CHECK(standard.exit_status() == ExitStatus::from_code(1));
    CHECK(text_of<std::out_of_range>(standard) == "too far");
    CHECK(text_of<std::out_of_range>(standard) == "too far");
    CHECK(text_of<RemoteError>(odd).find("Odd") != std::string::npos);
    CHECK(text_of<RemoteError>(huge).find("no room") != std::string::npos);
    CHECK(unwound.error() == nullptr);
}

TEST_CASE("PRC-03 join(0) - join(-1) - join twice - join from several threads") {
    Process process{sleep_long};
    CHECK_FALSE(process.join_for(0s));
    CHECK_FALSE(process.join_for(-1s));
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(process.join_for(50ms));
    CHECK(std::chrono::steady_clock::now() - start >= 50ms);
    CHECK(process.is_alive());
    std::vector<std::thread> joiners;
    for (int i = 0; i < 4; ++i) {
        joiners.emplace_back([&] { process.join(); });
    }
    process.kill();
    for (std::thread& joiner : joiners) { joiner.join(); }
    CHECK(process.join_for(0s));
    process.join();
    CHECK(process.exit_status() == ExitStatus::from_signal(SIGKILL));
}

TEST_CASE("PRC-04 misuse") {
    Process none;
    CHECK_FALSE(none.valid());
    CHECK_THROWS_AS(none.join(), std::logic_error);
    CHECK_THROWS_AS(none.pid(), std::logic_error);
    CHECK_THROWS_AS(Process(ProcessOptions{.terminate_grace = -1ms}, sleep_long), std::invalid_argument);
    Process process{sleep_long};
    Process elsewhere{[&] {
        try {
            process.kill();
        } catch (const std::logic_error&) {
            { const Process mine = std::move(process); }  // its destructor does nothing
            return 0;
        }
        return 1;
    }};
    elsewhere.join();
    CHECK(elsewhere.exit_status() == ExitStatus::from_code(0));
    CHECK(process.is_alive());
    static int calls = 0;
    detail::os::refuse_call = [](const char* name) noexcept { return std::strcmp(name, "fork") == 0 ? EAGAIN : 0; };
    CHECK_THROWS_AS(Process([] { ++calls; }), std::system_error);
    detail::os::refuse_call = nullptr;
    CHECK(calls == 0);
}

TEST_CASE("PRC-05 the descriptor becomes readable when it has ended with pidfds and without") {
    const bool with_pidfds = GENERATE(true, false);
    if (!with_pidfds) {
        detail::os::refuse_call = [](const char* name) noexcept {
            return std::strcmp(name, "pidfd_open") == 0 ? ENOSYS : 0;
        };
    }
    Process process{sleep_long};
    CHECK_FALSE(is_readable(process.native_handle()));
    CHECK_FALSE(process.join_for(5ms));
    process.kill();
    CHECK(is_readable(process.native_handle(), 20'000));
    process.join();
    CHECK(is_readable(process.native_handle()));
    CHECK(process.exit_status() == ExitStatus::from_signal(SIGKILL));
    Process orphan{[] {
        Process inner{sleep_long};
        ::kill(::getpid(), SIGKILL);
    }};
    CHECK(is_readable(orphan.native_handle(), 20'000));
    detail::os::refuse_call = nullptr;
}

TEST_CASE("PRC-07 parent and child; a grandchild goes with its parent") {
    SharedPage page;
    const Counter grandchild_pid{page};
    const pid_t parent = ::getpid();
    Process middle{[&] {
        if (::getppid() != parent || ::getpgrp() != ::getpgid(parent)) { return 1; }
        Process inner{[&] {
            grandchild_pid.add(::getpid());
            sleep_long();
        }};
        inner.join();
        return 0;
    }};
    grandchild_pid.wait_for(1);
    CHECK(middle.is_alive());
    middle.kill();
    wait_until_gone(static_cast<pid_t>(grandchild_pid.value()), 2s);
}

TEST_CASE("PRC-08 a child goes with the program however that ends but not with the thread that made it") {
    SharedPage page;
    const bool on_thread = GENERATE(false, true);
    const Counter child_pid{page};
    const Gate has_ended{page};
    Subprocess program{[&] {
        Process process;
        const auto launch = [&] {
            process = Process{[&] {
                child_pid.add(::getpid());
                sleep_long();
            }};
        };
        if (on_thread) {
            std::thread{launch}.join();
        } else {
            launch();
        }
        child_pid.wait_for(1);
        std::this_thread::sleep_for(50ms);
        if (!process.is_alive()) { throw std::runtime_error("it went with its thread"); }
        ::raise(SIGKILL);
    }};
    CHECK(killed_by(program.wait(), SIGKILL));
    wait_until_gone(static_cast<pid_t>(child_pid.value()), 2s);
}

TEST_CASE(
    "PRC-08 a child goes with a program that returns from main() - calls exit() or has no thread left - its Process "
    "static or leaked") {
    const std::string way = GENERATE(as<std::string>{}, "return static", "return leaked", "exit static", "exit leaked",
                                     "main leaves nobody");
    CAPTURE(way);
    Subprocess program{[&] { ::execl(PROCPOOL_TEST_PROGRAM, PROCPOOL_TEST_PROGRAM, way.c_str(), nullptr); }};
    CHECK(exited_with(program.wait(), 0));
    REQUIRE_FALSE(program.output().empty());
    wait_until_gone(static_cast<pid_t>(std::stol(program.output())), 2s);
}

TEST_CASE("PRC-08 a child goes on when main() leaves the program to other threads") {
    Subprocess program{[] { ::execl(PROCPOOL_TEST_PROGRAM, PROCPOOL_TEST_PROGRAM, "main leaves", nullptr); }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output() == "exited with code 7\n");
}

TEST_CASE("a child that ends by an exception or a signal is reported once and one that its owner ends is not") {
    std::vector<std::string> records;
    std::mutex mutex;
    set_log_sink([&](const LogRecord& record) {
        const std::lock_guard guard{mutex};
        records.push_back(std::string{to_string(record.level)} + " " + std::to_string(record.pid) + ": " +
                          std::string{record.text});
    });
    std::vector<std::string> expected;
    const auto expect = [&](const Process& process, const std::string& text) {
        expected.push_back("error " + std::to_string(process.pid()) + ": " + text);
    };
    {
        Process throws{ProcessOptions{.name = "thrower"}, [] { throw std::runtime_error("no licence"); }};
        throws.join();
        throws.join();
        CHECK_FALSE(throws.is_alive());
        expect(throws, "process 'thrower' ended by an exception that nobody caught: std::runtime_error: no licence");
        Process raises{ProcessOptions{.name = "raiser"}, [] { ::raise(SIGABRT); }};
        raises.join();
        expect(raises, "process 'raiser' was killed by signal 6 (SIGABRT)");
        Process killed{ProcessOptions{.name = "victim"}, [] { ::raise(SIGKILL); }};
        wait_until([&] { return !killed.is_alive(); }, "it to end");
        expect(killed, "process 'victim' was killed by signal 9 (SIGKILL)");
        Process returns{[] { return 3; }};
        returns.join();
        Process terminated{sleep_long};
        terminated.terminate();
        terminated.join();
        Process stopped{sleep_long};
        stopped.kill();
        stopped.join();
        const Process destroyed{sleep_long};
    }
    set_log_sink({});
    CHECK(records == expected);
}

TEST_CASE("PRC-09 atexit functions of the child run in it - those of the parent do not") {
    Subprocess program{[] {
        std::atexit([] { std::printf("parent's\n"); });
        const auto with_its_own = [] {
            std::atexit([] { std::printf("child's\n"); });
            std::printf("in the child\n");
        };
        Process{with_its_own}.join();
        Process{[&] {
            with_its_own();
            std::exit(0);
        }}.join();
    }};
    CHECK(exited_with(program.wait(), 0));
    // The parent ends by _exit().
    CHECK(program.output() == "in the child\nchild's\nin the child\nchild's\n");
}

TEST_CASE("PRC-10 output is flushed - once and broken streams cost nothing") {
    Subprocess program{[] {
        std::ios::sync_with_stdio(false);
        std::printf("buffered by the parent\n");
        std::cout << "and so\n";
        Process both{[] {
            std::printf("from the child\n");
            std::cout << "both of it\n";
            throw std::runtime_error("never printed");
        }};
        both.join();
        if (both.exit_status() != ExitStatus::from_code(1)) { std::printf("not 1\n"); }
        Process closed{[] {
            std::printf("into nothing");
            ::close(STDOUT_FILENO);
            ::close(STDERR_FILENO);
            return std::getchar() == EOF ? 7 : 8;
        }};
        closed.join();
        if (closed.exit_status() != ExitStatus::from_code(7)) { std::printf("not 7\n"); }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(count_of(program.output(), "buffered by the parent\n") == 1);
    CHECK(count_of(program.output(), "and so\n") == 1);
    CHECK(count_of(program.output(), "from the child\n") == 1);
    CHECK(count_of(program.output(), "both of it\n") == 1);
    CHECK(program.output().size() ==
          std::string{"buffered by the parent\nand so\nfrom the child\nboth of it\n"}.size());
}

TEST_CASE("PRC-11 the parent keeps neither callable nor arguments") {
    const auto counted = std::make_shared<int>(1);
    Process process{[held = counted](const std::shared_ptr<int>&) { sleep_long(); }, std::shared_ptr<int>{counted}};
    CHECK(counted.use_count() == 1);
}

TEST_CASE("PRC-12 a child that talks over pipes") {
    std::array<std::array<int, 2>, 2> pipes{};
    for (auto& pipe : pipes) { REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0); }
    Process upper_caser{[&] {
        ::close(pipes[0][1]);
        for (char c = 0; ::read(pipes[0][0], &c, 1) == 1;) {
            if (c >= 'a' && c <= 'z') { c = static_cast<char>(c - 'a' + 'A'); }
            if (::write(pipes[1][1], &c, 1) != 1) { return 1; }
        }
        return 0;
    }};
    char answer[12] = {};
    REQUIRE(::write(pipes[0][1], "hello world", 11) == 11);
    for (std::size_t got = 0; got < 11;) {
        const ssize_t more = ::read(pipes[1][0], answer + got, 11 - got);
        REQUIRE(more > 0);
        got += static_cast<std::size_t>(more);
    }
    CHECK(std::string{answer} == "HELLO WORLD");
    ::close(pipes[0][1]);
    upper_caser.join();
    CHECK(upper_caser.exit_status() == ExitStatus::from_code(0));
    ::close(pipes[0][0]);
    ::close(pipes[1][0]);
    ::close(pipes[1][1]);
}

TEST_CASE("PRC-13 the destructor asks - then kills") {
    SharedPage page;
    const Gate is_ready{page};
    const Gate was_asked{page};
    {
        const Process gentle{[&] {
            static const Gate* asked = nullptr;
            asked = &was_asked;
            ::signal(SIGTERM, [](int) {
                asked->set();
                ::_exit(0);
            });
            is_ready.set();
            sleep_long();
        }};
        is_ready.wait();
    }
    CHECK(was_asked.is_set());
    const auto start = std::chrono::steady_clock::now();
    const Gate is_deaf{page};
    {
        const Process deaf{ProcessOptions{.terminate_grace = 100ms}, [&] {
                               ::signal(SIGTERM, SIG_IGN);
                               is_deaf.set();
                               sleep_long();
                           }};
        is_deaf.wait();
    }
    CHECK(std::chrono::steady_clock::now() - start >= 100ms);
    CHECK(is_childless());
}

TEST_CASE("PRC-13 moves") {
    Process first{sleep_long};
    Process second = std::move(first);
    CHECK_FALSE(first.valid());
    CHECK(second.is_alive());
    const pid_t pid = second.pid();
    second = Process{[] { return 2; }};
    CHECK_FALSE(is_alive(pid));
    second.join();
    CHECK(second.exit_status() == ExitStatus::from_code(2));
    second = Process{};
    CHECK_FALSE(second.valid());
}

TEST_CASE("PRC-13 others' children are left alone and others may reap ours") {
    const pid_t stranger = ::fork();
    if (stranger == 0) { ::_exit(77); }
    {
        Process process{[] { return 1; }};
        process.join();
    }
    int status = 0;
    CHECK(::waitpid(stranger, &status, 0) == stranger);
    CHECK(exited_with(status, 77));
    Subprocess program{[] {
        ::signal(SIGCHLD, SIG_IGN);
        Process returned{[] { return 3; }};
        returned.join();
        if (returned.exit_status() != ExitStatus::from_code(3)) { throw std::runtime_error("the code was lost"); }
        Process killed{sleep_long};
        killed.kill();
        killed.join();
        if (killed.is_alive() || killed.exit_status() != ExitStatus{}) {
            throw std::runtime_error("who knows how it ended");
        }
    }};
    CHECK(exited_with(program.wait(), 0));
    CHECK(program.output().empty());
}

TEST_CASE("PRC-13 many at a time - from many threads") {
    std::vector<std::thread> threads;
    std::atomic<int> right = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&right, t] {
            std::vector<Process> processes;
            for (int i = 0; i < 10; ++i) {
                processes.emplace_back([i, t] { return 10 * t + i; });
            }
            for (int i = 0; i < 10; ++i) {
                processes[static_cast<std::size_t>(i)].join();
                if (processes[static_cast<std::size_t>(i)].exit_status() == ExitStatus::from_code(10 * t + i)) {
                    ++right;
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(right == 40);
    CHECK(is_childless());
}

}  // namespace
