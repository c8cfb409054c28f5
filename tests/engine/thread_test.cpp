// SPDX-License-Identifier: BSL-1.0
#include <procpool/engine/thread.hpp>
#include <procpool/worker/this_worker.hpp>

#include "engine/harness.hpp"
#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <pthread.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Life;
using detail::task::Phase;

TEST_CASE("initializer and finalizer run once in every worker", "[thread]") {
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    {
        detail::worker::Setup setup = setup_for(3);
        setup.initializer = [&] { begun += in_worker() ? 1 : 100; };
        setup.finalizer = [&] {
            ended += in_worker() ? 1 : 100;
            throw std::runtime_error("nobody hears it");
        };
        const ThreadBench bench{4, std::move(setup)};
        CHECK(bench.submit(1).number() == answer(1));
    }
    CHECK(begun == 3);
    CHECK(ended == 3);
}

TEST_CASE("an initializer that throws breaks the pool and says why", "[thread]") {
    detail::worker::Setup setup = setup_for(2);
    setup.initializer = [] { throw std::runtime_error("no licence"); };
    const ThreadBench bench{4, std::move(setup)};
    std::string text;
    try {
        while (true) { static_cast<void>(bench.submit(1).phase()); }
    } catch (const PoolBroken& e) { text = e.what(); }
    CHECK(text.find("the initializer of worker ") != std::string::npos);
    CHECK(text.find(" threw std::runtime_error: no licence") != std::string::npos);
}

TEST_CASE("a crew is joined within the deadline or not at all", "[thread]") {
    static std::atomic<bool> go;
    go = false;
    const ThreadBench bench{4, 1};
    Task task = bench.submit(0, [](detail::TaskFrame&) {
        while (!go) { std::this_thread::yield(); }
    });
    bench->stop(Life::closing);
    const auto start = detail::Clock::now();
    CHECK_FALSE(bench->join(detail::Deadline::after(20ms)));
    CHECK(detail::Clock::now() - start >= 20ms);
    go = true;
    CHECK(bench->join(detail::Deadline::after(20s)));
    CHECK(bench->join(detail::Deadline::immediately()));
    CHECK(task.phase() == Phase::done);
}

TEST_CASE("several threads may join one crew", "[thread]") {
    const ThreadBench bench{4, 2};
    bench->stop(Life::closing);
    std::atomic<int> joined{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] { joined += bench->join(detail::Deadline::never()) ? 1 : 0; });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(joined == 3);
}

TEST_CASE("a worker that joins its own crew is told so", "[thread]") {
    static cli::Client* client;
    static std::atomic<bool> refused;
    const ThreadBench bench{4, 1};
    client = &*bench;
    refused = false;
    Task task = bench.submit(0, [](detail::TaskFrame&) {
        try {
            static_cast<void>(client->join(detail::Deadline::never()));
        } catch (const std::system_error& e) { refused = e.code() == std::errc::resource_deadlock_would_occur; }
    });
    CHECK(task.phase() == Phase::done);
    CHECK(refused);
}

TEST_CASE("a task that ends its thread is lost; the other workers go on") {
    CHECK(in_child([] {
              const ThreadBench bench{4, 2};
              Task task = bench.submit(0, [](detail::TaskFrame&) { ::pthread_exit(nullptr); });
              if (task.failure().ending != Ending::died) { return 1; }
              return bench.submit(3).number() == answer(3) ? 0 : 2;
          }) == 0);
}

TEST_CASE("when every thread has been ended by a task: what is left is lost") {
    CHECK(in_child([] {
              const ThreadBench bench{4, 1};
              Task task = bench.submit(0, [](detail::TaskFrame&) { ::pthread_exit(nullptr); });
              if (task.failure().ending != Ending::died) { return 1; }
              try {
                  for (int i = 0; i < 1000; ++i) {
                      if (bench.submit(3).phase() != Phase::lost) { return 2; }
                  }
              } catch (const PoolClosed&) { return 0; }
              return 3;
          }) == 0);
}

TEST_CASE("the threads of a crew take no signals of the program", "[thread]") {
    const ThreadBench bench{4, 1};
    Task task = bench.submit(0, [](detail::TaskFrame& frame) {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        const std::uint64_t blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGALRM) == 1 ? 1 : 0;
        frame.result.write(&blocked, sizeof blocked);
    });
    CHECK(task.number() == 1);
}
