// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/error.hpp>

#include "support/catch.hpp"

#include <type_traits>

using namespace procpool;
using namespace std::chrono_literals;
using Catch::Matchers::EndsWith;

TEST_CASE("all errors but exhausted memory are procpool::Error") {
    STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, Error>);
    STATIC_REQUIRE(std::is_base_of_v<Error, PoolClosed>);
    STATIC_REQUIRE(std::is_base_of_v<Error, PoolTerminated>);
    STATIC_REQUIRE(std::is_base_of_v<Error, PoolBroken>);
    STATIC_REQUIRE(std::is_base_of_v<Error, TaskCancelled>);
    STATIC_REQUIRE(std::is_base_of_v<Error, CodecError>);
    STATIC_REQUIRE(std::is_base_of_v<Error, TaskTimedOut>);
    STATIC_REQUIRE(std::is_base_of_v<Error, RemoteError>);
    STATIC_REQUIRE(std::is_base_of_v<Error, WorkerDied>);
    STATIC_REQUIRE(std::is_base_of_v<Error, PartLost>);
    STATIC_REQUIRE(std::is_base_of_v<std::bad_alloc, SharedMemoryExhausted>);
}

TEST_CASE("errors copy without throwing") {  // or throwing them could end the program
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<PoolClosed>);
    STATIC_REQUIRE(std::is_nothrow_copy_constructible_v<SharedMemoryExhausted>);
}

TEST_CASE("a death names the worker - its end and the task") {
    const WorkerDied crash{ExitStatus::from_signal(11), 4711, "resize", "at main.cpp:7"};
    CHECK(crash.what() ==
          std::string{"procpool: worker 4711 was killed by signal 11 (SIGSEGV) while it ran task 'resize'"});
    CHECK(crash.exit_status() == ExitStatus::from_signal(11));
    CHECK(crash.pid() == 4711);
    CHECK(crash.label() == "resize");
    CHECK(crash.backtrace() == "at main.cpp:7");

    const WorkerDied exit{ExitStatus::from_code(3), 4711};
    CHECK(exit.what() == std::string{"procpool: worker 4711 exited with code 3 while it ran a task"});
    CHECK(exit.label().empty());
    CHECK(exit.backtrace().empty());
    CHECK_FALSE(exit.item());
}

TEST_CASE("a death by SIGKILL hints at memory") {
    const WorkerDied died{ExitStatus::from_signal(9), 1};
    CHECK_THAT(died.what(), EndsWith("; if nobody sent the signal, the machine may have run out of memory"));
}

TEST_CASE("a timeout names its limit and the task") {
    const TaskTimedOut timed_out{1500ms, "resize"};
    CHECK(timed_out.what() == std::string{"procpool: task 'resize' exceeded its timeout of 1.5 s"});
    CHECK(timed_out.limit() == 1500ms);
    CHECK(TaskTimedOut{2s}.what() == std::string{"procpool: a task exceeded its timeout of 2 s"});
    CHECK_FALSE(TaskTimedOut{2s}.item());
}

TEST_CASE("errors of an item tell its index") {
    const WorkerDied died{ExitStatus::from_code(3), 4711, "resize", {}, 7};
    CHECK(died.what() == std::string{"procpool: worker 4711 exited with code 3 while it ran task 'resize, item 7'"});
    CHECK(died.label() == "resize");
    CHECK(died.item() == 7);

    const TaskTimedOut timed_out{2s, {}, 0};
    CHECK(timed_out.what() == std::string{"procpool: task 'item 0' exceeded its timeout of 2 s"});
    CHECK(timed_out.item() == 0);
}

TEST_CASE("a foreign exception keeps its type's name and its text") {
    const RemoteError error{"app::Oops", "it broke"};
    CHECK(error.type_name() == "app::Oops");
    CHECK(error.what() == std::string{"it broke"});
}

TEST_CASE("exhausted memory tells how much was asked for") {
    CHECK(SharedMemoryExhausted{4096}.bytes() == 4096);
    CHECK(SharedMemoryExhausted{}.bytes() == 0);
    CHECK(SharedMemoryExhausted{}.what() == std::string{"procpool: not enough shared memory"});
}

TEST_CASE("errors have a text without being given one") {
    CHECK(PoolClosed{}.what() == std::string{"procpool: the pool is closed"});
    CHECK(PoolTerminated{}.what() == std::string{"procpool: the pool was terminated before the task finished"});
    CHECK(TaskCancelled{}.what() == std::string{"procpool: the task was cancelled"});
    CHECK(PoolClosed{"why"}.what() == std::string{"why"});
}
