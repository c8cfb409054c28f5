// SPDX-License-Identifier: BSL-1.0
#include <procpool/engine/fork.hpp>

#include "engine/harness.hpp"
#include "os/in_child.hpp"
#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Life;
using detail::task::Phase;

namespace {

void pid_code(detail::TaskFrame& frame) {
    const auto pid = static_cast<std::uint64_t>(::getpid());
    frame.result.write(&pid, sizeof pid);
}
void parent_pid_code(detail::TaskFrame& frame) {
    const auto pid = static_cast<std::uint64_t>(::getppid());
    frame.result.write(&pid, sizeof pid);
}

}  // namespace

TEST_CASE("tasks run in other processes") {
    const ForkBench bench{8, 2};
    CHECK(bench.submit(7).number() == answer(7));
    CHECK(bench.submit(0, pid_code).number() != static_cast<std::uint64_t>(::getpid()));
    CHECK(bench->board().control.workers_started.load() == 2);
}

TEST_CASE("a crew that cannot be had is an exception and nobody is left") {
    // The leak check of every test looks for what is left. A refusal is inherited by the supervisor, so all forks
    // count.
    const int spared = GENERATE(0, 1, 2, 3);
    const Refusal refusal{"fork", EAGAIN, spared};
    if (spared < 3) {
        try {
            const ForkBench bench{4, 3};
            FAIL("did not throw");
        } catch (const std::system_error& e) { CHECK(e.code() == std::errc::resource_unavailable_try_again); }
    } else {
        // The parent has made one call when it forks its supervisor, which has three to make.
        const Refusal later{"fork", EAGAIN, 4};
        const ForkBench bench{4, 3};
        CHECK(bench.submit(7).number() == answer(7));
    }
}

TEST_CASE("a supervisor that cannot watch its workers gives up") {
    const Refusal refusal{"signalfd", EMFILE};
    try {
        const ForkBench bench{4, 2};
        FAIL("did not throw");
    } catch (const std::system_error& e) { CHECK(e.code() == std::errc::too_many_files_open); }
}

TEST_CASE("without an event there is no crew") {
    const Refusal refusal{"eventfd", EMFILE};
    CHECK_THROWS_AS((ForkBench{4, 2}), std::system_error);
}

TEST_CASE("all works on a kernel without pidfds") {
    const Refusal refusal{"pidfd_open", ENOSYS};
    const ForkBench bench{4, 2};
    for (std::uint64_t i = 0; i < 20; ++i) { CHECK(bench.submit(i).number() == answer(i)); }
    Task dies = bench.submit(1, [](detail::TaskFrame&) { ::raise(SIGKILL); });
    CHECK(dies.failure().death.status == ExitStatus::from_signal(SIGKILL));
    CHECK(bench.submit(3).number() == answer(3));
}

TEST_CASE("a program that ignores SIGCHLD or reaps whatever ends - has a crew that works") {
    const bool ignores = GENERATE(true, false);
    CHECK(in_child([ignores] {
              if (ignores) { std::signal(SIGCHLD, SIG_IGN); }
              std::thread thief;
              std::atomic<bool> over{false};
              if (!ignores) {
                  thief = std::thread{[&] {
                      while (!over) {
                          ::waitpid(-1, nullptr, WNOHANG);
                          std::this_thread::yield();
                      }
                  }};
              }
              int failed = 0;
              for (int round = 0; round < 5; ++round) {
                  const ForkBench bench{4, 2};
                  if (bench.submit(7).number() != answer(7)) { failed = 1; }
              }
              over = true;
              if (thief.joinable()) { thief.join(); }
              return failed;
          }) == 0);
}

TEST_CASE("when the supervisor is killed every task ends and later ones are refused") {
    const ForkBench bench{8, 2};
    const auto supervisor = static_cast<pid_t>(bench.submit(0, parent_pid_code).number());
    std::vector<Task> tasks;
    for (std::uint64_t i = 0; i < 8; ++i) {
        tasks.push_back(bench.submit(i, [](detail::TaskFrame&) { ::sleep(1000); }));
    }
    std::thread waiting{[&] { static_cast<void>(tasks[5].wait()); }};
    ::kill(supervisor, SIGKILL);
    waiting.join();
    for (Task& task : tasks) { CHECK(task.failure().ending == Ending::broken); }
    CHECK_THROWS_AS(bench.submit(1), PoolBroken);
    CHECK(std::string(bench->board().from_workers.reason()) == "the supervisor process was killed");
}

TEST_CASE("many threads submit to processes and collect") {
    const std::uint32_t capacity = GENERATE(1U, 3U, 64U);
    const ForkBench bench{capacity, 2};
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint64_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            std::vector<Task> mine;
            for (std::uint64_t i = 0; i < 500; ++i) {
                mine.push_back(bench.submit(t * 1000 + i));
                if (i % 5 == 4) {
                    for (std::uint64_t k = 0; k < 5; ++k) {
                        wrong += mine[k].number() == answer(t * 1000 + i - 4 + k) ? 0U : 1U;
                    }
                    mine.clear();
                }
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
}

TEST_CASE("one who waits for a task of a process is woken by it not by its own clock") {
    const ForkBench bench{4, 1};
    const detail::TaskCode wait_a_bit = [](detail::TaskFrame& frame) {
        ::usleep(10'000);  // longer than any thread spins
        answer_code(frame);
    };
    // Its own clock would wake it after 100 ms each. On a busy machine some take longer than that anyway.
    int soon = 0;
    for (std::uint64_t i = 0; i < 100 && soon < 10; ++i) {
        const auto start = detail::Clock::now();
        CHECK(bench.submit(i, wait_a_bit).number() == answer(i));
        soon += detail::Clock::now() - start < 60ms ? 1 : 0;
    }
    CHECK(soon == 10);
}

TEST_CASE("one who waits for room is woken by a process that makes some") {
    const ForkBench bench{1, 1};
    const detail::TaskCode wait_a_bit = [](detail::TaskFrame&) { ::usleep(10'000); };
    static_cast<void>(bench.submit(0, wait_a_bit));
    int soon = 0;
    for (std::uint64_t i = 1; i < 100 && soon < 10; ++i) {
        const auto start = detail::Clock::now();
        static_cast<void>(bench.submit(i, wait_a_bit));
        soon += detail::Clock::now() - start < 60ms ? 1 : 0;
    }
    CHECK(soon == 10);
}

TEST_CASE("processes that are killed at random moments cost a task each at most") {
    const ForkBench bench{16, 2};
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    int lost = 0;
    int wrong = 0;
    int kills = 0;
    std::vector<std::pair<Task, std::uint64_t>> tasks;
    for (std::uint64_t i = 0; i < 6000; ++i) {
        tasks.emplace_back(bench.submit(i), i);
        if (i % 100 == 99) {
            const auto& seat = bench->board().seats()[random() % bench->board().seats().size()];
            const bool ready = seat.state.load() == detail::task::SeatState::ready;
            const pid_t pid =
                seat.pid.load();  // 0 by now, if its seat is being given to another: that would be this process's group
            if (ready && pid > 0 && ::kill(pid, SIGKILL) == 0) { ++kills; }
        }
        if (tasks.size() == 12) {
            for (auto& [task, argument] : tasks) {
                task.take([&, expected = answer(argument)](const cli::Client::Taken& taken) {
                    if (taken.phase() == Phase::lost) {
                        ++lost;
                    } else if (number_in(taken.bytes()) != expected) {
                        ++wrong;
                    }
                });
            }
            tasks.clear();
        }
    }
    CHECK(wrong == 0);
    CHECK(lost <= kills);
    CHECK(kills > 0);
}
