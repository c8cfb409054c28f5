// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/call.hpp>
#include <procpool/worker/supervisor.hpp>
#include <procpool/worker/this_worker.hpp>

#include "engine/harness.hpp"
#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Life;
using detail::task::Phase;

namespace {

/// A board lies at one address in all processes of its pool.
std::uint64_t address_of(const ForkBench& bench) { return reinterpret_cast<std::uintptr_t>(&bench->board()); }
detail::task::Board& board_of(const detail::TaskFrame& frame) {
    return *reinterpret_cast<detail::task::Board*>(number_in(frame.arguments));
}

void pid_code(detail::TaskFrame& frame) {
    const auto pid = static_cast<std::uint64_t>(this_worker::pid());
    frame.result.write(&pid, sizeof pid);
}
void exit_code(detail::TaskFrame& frame) { std::exit(static_cast<int>(number_in(frame.arguments))); }
void raise_code(detail::TaskFrame& frame) {
    ::raise(static_cast<int>(number_in(frame.arguments)));
    for (;;) { ::pause(); }
}

std::uint32_t ready_workers(const ForkBench& bench) {
    std::uint32_t count = 0;
    for (const detail::task::Seat& seat : bench->board().seats()) {
        count += seat.state.load() == detail::task::SeatState::ready ? 1U : 0U;
    }
    return count;
}

std::string broken_text(const ForkBench& bench) {
    const auto end = detail::Clock::now() + 20s;
    while (detail::Clock::now() < end) {
        try {
            static_cast<void>(bench.submit(1).phase());
        } catch (const PoolBroken& e) { return e.what(); }
    }
    return "not broken";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("how a worker ended is known and another takes its place") {
    const ForkBench bench{4, 2};
    for (const int code : {0, 3, 255}) {
        const cli::Failure failure = bench.submit(static_cast<std::uint64_t>(code), exit_code).failure();
        CHECK(failure.ending == Ending::died);
        CHECK(failure.death.status == ExitStatus::from_code(code));
        CHECK(failure.death.pid > 0);
    }
    for (const int signal : {SIGKILL, SIGSEGV, SIGTERM}) {
        const cli::Failure failure = bench.submit(static_cast<std::uint64_t>(signal), raise_code).failure();
        CHECK(failure.death.status == ExitStatus::from_signal(signal));
    }
    CHECK(bench.submit(5).number() == answer(5));
    wait_until([&] { return ready_workers(bench) == 2; }, "replacements");
    CHECK(bench->board().control.workers_died.load() == 6);
    wait_until([&] { return bench->board().control.workers_started.load() == 8; },
               "the last start to be counted");  // after the fork
    CHECK(bench->board().control.casualties.load() == 6);
    std::set<std::uint32_t> indices;
    for (const detail::task::Seat& seat : bench->board().seats()) {
        if (seat.state.load() == detail::task::SeatState::ready) { indices.insert(seat.index.load()); }
    }
    CHECK(indices == std::set<std::uint32_t>{0, 1});
}

TEST_CASE("idle workers that are killed are replaced and cost nothing") {
    const ForkBench bench{4, 2};
    wait_until([&] { return ready_workers(bench) == 2; }, "workers");
    for (int round = 0; round < 10; ++round) {
        const auto pid = static_cast<pid_t>(bench.submit(0, pid_code).number());
        ::kill(pid, SIGKILL);
        wait_until([&] { return bench->board().control.deaths.load() == static_cast<std::uint32_t>(round) + 1; },
                   "a death");
        CHECK(bench.submit(3).number() == answer(3));
    }
    CHECK(bench->board().control.casualties.load() == 0);
}

TEST_CASE("a worker that dies after it took a sleeper off the list does not leave it asleep for ever") {
    SharedPage page;
    static Word* met;
    met = page.word();
    const ForkBench bench{4, 3};
    bench->board().control.spinners = 0;
    wait_until([&] { return ready_workers(bench) == 3 && bench->board().sleeping.was_size() == 3; }, "sleepers");
    // The first step of wake_one(), and a death before it notifies.
    Task task = bench.submit(address_of(bench), [](detail::TaskFrame& frame) {
        if (board_of(frame).sleeping.take_one() == detail::task::SeatSet::nobody) { std::exit(1); }
        ::raise(SIGKILL);
    });
    CHECK(task.failure().death.status == ExitStatus::from_signal(SIGKILL));
    wait_until([&] { return ready_workers(bench) == 3; }, "a replacement");
    // Three tasks that wait for each other need three workers.
    std::vector<Task> tasks;
    for (int i = 0; i < 3; ++i) {
        tasks.push_back(bench.submit(0, [](detail::TaskFrame& frame) {
            met->fetch_add(1);
            const auto end = detail::Clock::now() + 10s;
            while (met->load() < 3 && detail::Clock::now() < end) { ::usleep(100); }
            const auto seen = static_cast<std::uint64_t>(met->load());
            frame.result.write(&seen, sizeof seen);
        }));
    }
    for (Task& one : tasks) { CHECK(one.number() == 3); }
    // And the end of the pool, which waits for all of them, comes.
    bench->stop(Life::closing);
    CHECK(bench->join(detail::Deadline::after(10s)));
}

TEST_CASE("a worker that dies while others rely on it to look for work wakes one") {
    const ForkBench bench{8, 2};
    wait_until([&] { return ready_workers(bench) == 2; }, "workers");
    for (int round = 0; round < 5; ++round) {
        wait_until([&] { return bench->board().sleeping.was_size() == 2; }, "sleepers");
        // A worker says that it spins, and dies; a submitter that publishes meanwhile wakes no worker.
        Task dies = bench.submit(address_of(bench), [](detail::TaskFrame& frame) {
            detail::task::Board& board = board_of(frame);
            for (std::uint32_t seat = 0; seat < 6; ++seat) {
                if (board.seats()[seat].pid.load() == ::getpid()) { board.spinning.add(seat); }
            }
            ::usleep(5000);
            ::raise(SIGKILL);
        });
        Task next = bench.submit(5);
        CHECK(next.number() == answer(5));
        CHECK(dies.failure().death.status == ExitStatus::from_signal(SIGKILL));
    }
}

TEST_CASE("a worker dies with what it started") {
    SharedPage page;
    static Word* started;
    started = page.word();
    const ForkBench bench{4, 1};
    Task task = bench.submit(0, [](detail::TaskFrame&) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (;;) { ::pause(); }
        }
        started->store(child);
        for (;;) { ::pause(); }
    });
    wait_until([&] { return started->load() != 0; }, "a grandchild");
    const auto grandchild = static_cast<pid_t>(started->load());
    const auto worker = static_cast<pid_t>([&] {
        for (const detail::task::Seat& seat : bench->board().seats()) {
            if (seat.state.load() == detail::task::SeatState::ready) { return seat.pid.load(); }
        }
        return 0;
    }());
    REQUIRE(worker > 0);
    ::kill(worker, SIGKILL);
    CHECK(task.phase() == Phase::lost);
    wait_until([&] { return ::kill(grandchild, 0) != 0; }, "the grandchild's end");  // its new parent reaps it
}

TEST_CASE("an initializer that throws breaks the pool and says why") {
    detail::worker::Setup setup = setup_for(2);
    setup.initializer = [] { throw std::runtime_error("no licence"); };
    const ForkBench bench{4, std::move(setup)};
    const std::string text = broken_text(bench);
    CHECK(contains(text, "the initializer of worker "));
    CHECK(contains(text, "threw std::runtime_error: no licence"));
}

TEST_CASE("an initializer that does not end in time breaks the pool") {
    detail::worker::Setup setup = setup_for(2);
    setup.start_timeout = 50ms;
    setup.initializer = [] { ::sleep(1000); };
    const ForkBench bench{4, std::move(setup)};
    const std::string text = broken_text(bench);
    CHECK(contains(text, "did not finish its initializer within 50 ms"));
}

TEST_CASE("a start timeout may be as long as can be") {
    detail::worker::Setup setup = setup_for(2);
    setup.start_timeout = std::chrono::milliseconds::max();
    setup.terminate_grace = std::chrono::milliseconds::max();
    const ForkBench bench{4, std::move(setup)};
    for (std::uint64_t i = 0; i < 5; ++i) { CHECK(bench.submit(i).number() == answer(i)); }
    CHECK(bench.submit(0, exit_code).phase() == Phase::lost);
    CHECK(bench.submit(7).number() == answer(7));
}

TEST_CASE("workers that die again and again before they are ready break the pool") {
    detail::worker::Setup setup = setup_for(1);
    setup.initializer = [] { ::raise(SIGKILL); };
    const ForkBench bench{4, std::move(setup)};
    const std::string text = broken_text(bench);
    CHECK(contains(text, "3 workers in a row died before they were ready"));
    CHECK(contains(text, "was killed by signal 9 (SIGKILL)"));
    CHECK(bench->board().control.workers_started.load() == 3);
}

TEST_CASE("a start that fails twice and then works does not break the pool") {
    SharedPage page;
    static Word* attempts;
    attempts = page.word();
    detail::worker::Setup setup = setup_for(1);
    setup.initializer = [] {
        if (attempts->fetch_add(1) % 3 != 2) { ::raise(SIGKILL); }
    };
    const ForkBench bench{4, std::move(setup)};
    CHECK(bench.submit(5).number() == answer(5));
    CHECK(bench.submit(3, exit_code).phase() == Phase::lost);  // and once more
    CHECK(bench.submit(6).number() == answer(6));
    CHECK(attempts->load() == 6);
}

TEST_CASE("a fork that is refused later is tried again") {
    // Inherited by the supervisor, whose first two forks work; the next three do not.
    static SharedPage* page;
    SharedPage own;
    page = &own;
    static Word* forks;
    forks = page->word();
    detail::os::refuse_call = [](const char* name) noexcept {
        if (std::string_view{name} != "fork") { return 0; }
        const auto count = forks->fetch_add(1);
        return count >= 3 && count < 6 ? EAGAIN : 0;
    };
    {
        const ForkBench bench{4, 2};
        CHECK(bench.submit(3, exit_code).phase() == Phase::lost);
        CHECK(bench.submit(3, exit_code).phase() == Phase::lost);
        CHECK(bench.submit(6).number() == answer(6));
        wait_until([&] { return ready_workers(bench) == 2; }, "replacements");
    }
    detail::os::refuse_call = nullptr;
    CHECK(forks->load() >= 8);
}

TEST_CASE("terminate asks first and kills who does not go") {
    const bool stubborn = GENERATE(true, false);
    SharedPage page;
    static Word* running;
    running = page.word();
    detail::worker::Setup setup = setup_for(2);
    setup.terminate_grace = stubborn ? 50ms : 60'000ms;
    const auto start = detail::Clock::now();
    {
        const ForkBench bench{4, std::move(setup)};
        Task task = bench.submit(stubborn ? 1 : 0, [](detail::TaskFrame& frame) {
            if (number_in(frame.arguments) == 1) { std::signal(SIGTERM, SIG_IGN); }
            running->store(1);
            for (;;) { ::pause(); }
        });
        Task waiting = bench.submit(0, raise_code);
        Task third = bench.submit(0, raise_code);
        wait_until([&] { return running->load() == 1; }, "a task");
        bench->stop(Life::terminated);
        CHECK(third.is_decided());
        CHECK(task.failure().ending == Ending::terminated);
        CHECK(third.failure().ending == Ending::terminated);
        CHECK(bench->join(detail::Deadline::after(20s)));
    }
    CHECK(detail::Clock::now() - start < 20s);
}

TEST_CASE("what was accepted is finished after a close by replacements if need be") {
    const ForkBench bench{8, 1};
    std::vector<Task> tasks;
    tasks.push_back(bench.submit(3, exit_code));
    for (std::uint64_t i = 1; i < 8; ++i) { tasks.push_back(bench.submit(i)); }
    bench->stop(Life::closing);
    CHECK(tasks[0].phase() == Phase::lost);
    for (std::uint64_t i = 1; i < 8; ++i) { CHECK(tasks[i].number() == answer(i)); }
    CHECK(bench->join(detail::Deadline::after(20s)));
}

TEST_CASE("workers end when their parent does whatever it left") {
    SharedPage page;
    static Word* pid;
    pid = page.word();
    CHECK(in_child([&] {
              const ForkBench bench{4, 2};
              Task task = bench.submit(0, [](detail::TaskFrame&) {
                  pid->store(::getpid());
                  for (;;) { ::pause(); }
              });
              wait_until([&] { return pid->load() != 0; }, "a task");
              ::_exit(7);
              return 0;
          }) == 7);
    wait_until([&] { return ::kill(static_cast<pid_t>(pid->load()), 0) != 0; }, "the worker's end");
}
