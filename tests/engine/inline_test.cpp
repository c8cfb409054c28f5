// SPDX-License-Identifier: BSL-1.0
#include <procpool/engine/inline.hpp>
#include <procpool/worker/this_worker.hpp>

#include "engine/harness.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::task::Phase;

TEST_CASE("a task runs while it is submitted in the thread that submits it") {
    static std::thread::id ran_in;
    const InlineBench bench{2, 1};
    Task task = bench.submit(
        0, [](detail::TaskFrame&) { ran_in = in_worker() ? std::this_thread::get_id() : std::thread::id{}; });
    CHECK(ran_in == std::this_thread::get_id());
    CHECK(task.is_decided());
    CHECK_FALSE(in_worker());
    CHECK(task.phase() == Phase::done);
    CHECK(bench.submit(5).number() == answer(5));
}

TEST_CASE("a task may submit another which runs within it") {
    static const InlineBench* within;
    const InlineBench bench{4, 1};
    within = &bench;
    CHECK(bench
              .submit(5,
                      [](detail::TaskFrame& frame) {
                          const std::uint64_t inner = within->submit(number_in(frame.arguments)).number();
                          frame.result.write(&inner, sizeof inner);
                      })
              .number() == answer(5));
}

TEST_CASE("results that nobody reads make room") {
    const InlineBench bench{1, 1};
    std::vector<Task> tasks;
    for (std::uint64_t i = 0; i < 100; ++i) { tasks.push_back(bench.submit(i)); }
    for (std::uint64_t i = 0; i < 100; ++i) { CHECK(tasks[i].number() == answer(i)); }
}

TEST_CASE("an initializer that throws leaves no crew; a finalizer runs once") {
    detail::worker::Setup broken = setup_for(1);
    broken.initializer = [] { throw std::runtime_error("no"); };
    CHECK_THROWS_AS((InlineBench{1, std::move(broken)}), PoolBroken);

    int ended = 0;
    {
        detail::worker::Setup setup = setup_for(1);
        setup.finalizer = [&] { ended += in_worker() ? 1 : 100; };
        const InlineBench bench{1, std::move(setup)};
        bench->stop(detail::task::Life::closing);
        CHECK(bench->join(detail::Deadline::never()));
        CHECK(bench->join(detail::Deadline::never()));
    }
    CHECK(ended == 1);
}

TEST_CASE("threads take turns", "[thread]") {
    static int unprotected;
    unprotected = 0;
    const InlineBench bench{8, 1};
    std::atomic<std::uint64_t> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            for (std::uint64_t i = 0; i < 300; ++i) {
                wrong += bench.submit(
                                  i,
                                  [](detail::TaskFrame& frame) {
                                      ++unprotected;
                                      answer_code(frame);
                                  }).number() == answer(i)
                             ? 0U
                             : 1U;
            }
        });
    }
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(wrong == 0);
    CHECK(unprotected == 900);
}
