// SPDX-License-Identifier: BSL-1.0
// No child outlives its program, whatever has become of it, its supervisor and its program.
#include <procpool/process/process.hpp>
#include <procpool/procpool.hpp>

#include "pool/subprocess.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <array>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// The processes that must be gone, written by the program.
class Pids {
public:
    explicit Pids(SharedPage& page)
        : count_(page),
          words_{page.word(), page.word(), page.word(), page.word()},
          complete_(page) {}
    void add(pid_t pid) const { words_.at(static_cast<std::size_t>(count_.add() - 1))->store(pid); }
    void complete() const { complete_.set(); }
    void wait_until_complete() const { complete_.wait(); }
    void wait_until_all_gone() const {
        for (std::int64_t i = 0; i < count_.value(); ++i) {
            wait_until_gone(static_cast<pid_t>(words_.at(static_cast<std::size_t>(i))->load()));
        }
    }

private:
    Counter count_;
    std::array<Word*, 4> words_;
    Gate complete_;
};

[[nodiscard]] pid_t parent_of(pid_t pid) {
    std::string stat = text_of_file("/proc/" + std::to_string(pid) + "/stat");
    return std::atoi(stat.c_str() + stat.rfind(')') + 4);
}

void become_nobody() {
    if (::getuid() == 0 && (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0)) {
        throw std::runtime_error("setresuid");
    }
}

enum class ProgramEnd { killed, group_killed, executes };

[[noreturn]] void end_program(ProgramEnd end) {
    if (end == ProgramEnd::killed) { ::raise(SIGKILL); }
    if (end == ProgramEnd::group_killed) { ::kill(0, SIGKILL); }
    ::execlp("sh", "sh", "-c", "sleep 1", nullptr);
    ::_exit(1);
}

/// Plays a program that makes children, adds their numbers, and ends in that way.
template <class Program>
void expect_nobody_left(ProgramEnd end, Program program) {
    SharedPage page;
    const Pids pids{page};
    {
        Subprocess running{[&] {
            program(pids, [&] {
                pids.complete();
                end_program(end);
            });
        }};
        pids.wait_until_complete();
        pids.wait_until_all_gone();
    }
}

}  // namespace

TEST_CASE("no worker outlives its program") {
    const ProgramEnd end = GENERATE(ProgramEnd::killed, ProgramEnd::group_killed, ProgramEnd::executes);
    const std::string what =
        GENERATE("nothing", "initializer changes the user", "supervisor is stopped", "task closes its descriptors");
    CAPTURE(static_cast<int>(end), what);
    expect_nobody_left(end, [&](const Pids& pids, auto end_now) {
        PoolOptions options{.workers = 2};
        if (what == "initializer changes the user") { options.initializer = become_nobody; }
        Pool pool{options};
        pool.broadcast([] {});
        for (const WorkerInfo& worker : pool.workers()) { pids.add(worker.pid); }
        const pid_t supervisor = parent_of(pool.workers()[0].pid);
        pids.add(supervisor);
        if (what == "task closes its descriptors") {
            pool.broadcast([] {
                for (int number = 0; number < 256; ++number) { ::close(number); }
            });
        }
        if (what == "supervisor is stopped") {
            ::kill(supervisor, SIGSTOP);
            wait_until([=] { return state_in("/proc/" + std::to_string(supervisor)) == 'T'; },
                       "the supervisor to stop");
        }
        end_now();
    });
}

TEST_CASE("no worker that has changed its user outlives its supervisor") {
    Pool pool{PoolOptions{.workers = 2}};
    pool.broadcast(become_nobody);  // the kernel forgets then what the worker asked for
    const std::vector<WorkerInfo> workers = pool.workers();
    ::kill(parent_of(workers[0].pid), SIGKILL);
    for (const WorkerInfo& worker : workers) { wait_until_gone(worker.pid); }
}

TEST_CASE("no Process outlives its program") {
    const ProgramEnd end = GENERATE(ProgramEnd::killed, ProgramEnd::group_killed, ProgramEnd::executes);
    const bool first_thread = GENERATE(true, false);
    const std::string what = GENERATE("nothing", "changes the user", "is stopped", "executes a program");
    CAPTURE(static_cast<int>(end), first_thread, what);
    expect_nobody_left(end, [&](const Pids& pids, auto end_now) {
        SharedPage page;
        const Gate is_ready{page};
        const auto start = [&] {
            Process process{[&] {
                if (what == "changes the user") { become_nobody(); }
                is_ready.set();
                if (what == "is stopped") { ::raise(SIGSTOP); }
                if (what == "executes a program") { ::execlp("sleep", "sleep", "1000", nullptr); }
                for (;;) { ::pause(); }
            }};
            pids.add(process.pid());
            is_ready.wait();
            const std::string folder = "/proc/" + std::to_string(process.pid());
            if (what == "is stopped") {
                wait_until([&] { return state_in(folder) == 'T'; }, "a Process to stop");
            }
            if (what == "executes a program") {
                wait_until([&] { return text_of_file(folder + "/comm") == "sleep\n"; },
                           "a Process to execute a program");
            }
            end_now();
        };
        if (first_thread) { start(); }
        std::thread{start}.join();
    });
}

TEST_CASE("a program that closes its descriptors keeps its Process") {
    SharedPage page;
    const Gate may_end{page};
    Subprocess program{[&] {
        Process process{[&] { may_end.wait(); }};
        for (int number = 3; number < 256; ++number) { ::close(number); }
        ::usleep(300'000);  // three looks of a child that asks ten times a second
        may_end.set();
        process.join();
        ::_exit(process.exit_status() == ExitStatus::from_code(0) ? 0 : 1);
    }};
    CHECK(exited_with(program.wait(), 0));
}

TEST_CASE("processes and pools start and end in a PID namespace of their own") {
    Subprocess program{[] {
        if (::unshare(CLONE_NEWPID) != 0) { ::_exit(77); }
        Process process{[] { return 7; }};  // process 1 there, which ends the namespace with it
        process.join();
        if (process.exit_status() != ExitStatus::from_code(7)) { ::_exit(1); }
        ::_exit(0);
    }};
    const int status = program.wait();
    CHECK((exited_with(status, 0) || exited_with(status, 77)));
}

TEST_CASE("a Process that may not be signalled is told and not waited for") {
    if (::getuid() != 0) { return; }
    SharedPage page;
    const Gate may_end{page};
    const Gate ended{page};
    Subprocess program{[&] {
        bool refused = false;
        {
            Process process{ProcessOptions{.terminate_grace = 1ms}, [&] {
                                may_end.wait();
                                ended.set();
                            }};
            become_nobody();
            try {
                process.kill();
            } catch (const std::system_error& error) { refused = error.code() == std::errc::operation_not_permitted; }
        }
        may_end.set();
        ended.wait();
        ::_exit(refused ? 0 : 1);
    }};
    CHECK(exited_with(program.wait(), 0));
}
