// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/ending.hpp>

#include "support/catch.hpp"

#include <chrono>

namespace {

using namespace procpool;
using namespace std::chrono_literals;
using detail::core::sentence;

TEST_CASE("every ending has a word") {
    CHECK(to_string(Ending::value) == "value");
    CHECK(to_string(Ending::exception) == "exception");
    CHECK(to_string(Ending::died) == "worker died");
    CHECK(to_string(Ending::timed_out) == "timed out");
    CHECK(to_string(Ending::cancelled) == "cancelled");
    CHECK(to_string(Ending::killed) == "cancelled");
    CHECK(to_string(Ending::terminated) == "terminated");
    CHECK(to_string(Ending::broken) == "broken");
    CHECK(to_string(Ending::overwritten) == "overwritten");
    CHECK(to_string(Ending::memory_exceeded) == "memory limit exceeded");
    CHECK(to_string(Ending::node_lost) == "node lost");
}

TEST_CASE("retries follow deaths and timeouts and too much memory") {
    for (int i = 0; i <= static_cast<int>(Ending::node_lost); ++i) {
        const auto ending = static_cast<Ending>(i);
        CHECK(detail::core::may_retry(ending) == (ending == Ending::died || ending == Ending::timed_out ||
                                                  ending == Ending::memory_exceeded || ending == Ending::node_lost));
    }
}

TEST_CASE("a crash is the cause of a death by its signal in its process") {
    detail::core::Crash crash{.count = 3, .signal = 11, .pid = 7, .frames = {}};
    CHECK(crash.is_cause_of(7, ExitStatus::from_signal(11)));
    CHECK_FALSE(crash.is_cause_of(8, ExitStatus::from_signal(11)));
    CHECK_FALSE(crash.is_cause_of(7, ExitStatus::from_signal(9)));
    CHECK_FALSE(crash.is_cause_of(7, ExitStatus::from_code(11)));
    crash.count = 0;
    CHECK_FALSE(crash.is_cause_of(7, ExitStatus::from_signal(11)));
}

TEST_CASE("a sentence tells what happened to a task") {
    CHECK(sentence(Ending::timed_out, {.task = "task 'resize'", .timeout = 20ms}) ==
          "task 'resize' exceeded its timeout of 0.02 s");
    CHECK(sentence(Ending::timed_out, {.timeout = 36h}) == "a task exceeded its timeout of 129600 s");
    CHECK(sentence(Ending::timed_out, {.timeout = 1us}) == "a task exceeded its timeout of 1e-06 s");
    CHECK(sentence(Ending::memory_exceeded, {.task = "the task", .excess = {1'500'000'000, 1'000'000'000}}) ==
          "the task exceeded its memory limit of 1 GB, with 1.5 GB");
    CHECK(sentence(Ending::memory_exceeded, {.worker = "worker 3", .excess = {999, 2000}}) ==
          "worker 3 was stopped: a task exceeded its memory limit of 2 kB, with 999 bytes");
    CHECK(sentence(Ending::cancelled, {.task = "the task"}) == "the task was cancelled");
    CHECK(sentence(Ending::terminated, {.task = "the task"}) == "the pool was terminated before the task finished");
    CHECK(sentence(Ending::broken, {.reason = "no memory"}) == "the pool is broken: no memory");
    CHECK(sentence(Ending::overwritten, {}) == "a task is lost: a task has written where the pool kept it");
    CHECK(sentence(Ending::value, {}) == "a task returned");
    CHECK(sentence(Ending::exception, {}) == "a task threw");
    CHECK(sentence(Ending::died, {}) == "the worker of a task died");
}

TEST_CASE("a sentence tells what happened to the worker of a task") {
    const detail::core::EndingDetails details{
        .worker = "worker 3", .task = "task 17", .status = ExitStatus::from_signal(9), .timeout = 1s};
    CHECK(sentence(Ending::died, details) == "worker 3 was killed by signal 9 (SIGKILL) while it ran task 17");
    CHECK(sentence(Ending::broken, details) == "worker 3 was killed by signal 9 (SIGKILL) while it ran task 17");
    CHECK(sentence(Ending::timed_out, details) == "worker 3 was stopped: task 17 exceeded its timeout of 1 s");
    CHECK(sentence(Ending::cancelled, details) == "worker 3 was stopped: task 17 was cancelled");
}

TEST_CASE("a task is named by its label") {
    CHECK(detail::core::task_name("resize") == "task 'resize'");
    CHECK(detail::core::task_name("") == "a task");
}

}  // namespace
