// SPDX-License-Identifier: BSL-1.0
#include <procpool/worker/process.hpp>
#include <procpool/worker/this_worker.hpp>

#include "engine/harness.hpp"
#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <sys/prctl.h>
#include <unistd.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Phase;

namespace {

std::string own_name() {
    std::array<char, 17> name{};
    ::prctl(PR_GET_NAME, name.data());
    return name.data();
}

/// The answer of a task about its process: the result of `ask` there.
template <class Ask>
std::uint64_t asked(const ForkBench& bench, Ask) {
    static_assert(std::is_empty_v<Ask>);
    return bench
        .submit(0,
                [](detail::TaskFrame& frame) {
                    const std::uint64_t value = Ask{}();
                    frame.result.write(&value, sizeof value);
                })
        .number();
}

}  // namespace

TEST_CASE("a process is named after its pool and its index which is never cut") {
    const auto [name, index, expected] = GENERATE(table<std::string, std::uint32_t, std::string>({
        {"pool", 0, "pool:0"},
        {"procpool", 7, "procpool:7"},
        {"a very long name of a pool", 3, "a very long n:3"},
        {"a very long name of a pool", 1999, "a very lon:1999"},
        {"", 12, ":12"},
        {"exactly-13-ch", 5, "exactly-13-ch:5"},
        {"100%s", 1, "100%s:1"},
    }));
    const int status = in_child([&, &name = name, &index = index, &expected = expected] {
        detail::worker::name_process(name, index);
        return own_name() == expected ? 0 : 1;
    });
    CAPTURE(name, index);
    CHECK(status == 0);
}

TEST_CASE("a worker is set up as promised") {
    detail::worker::Setup setup = setup_for(1);
    setup.name = "named";
    const ForkBench bench{4, std::move(setup)};
    CHECK(asked(bench, [] { return own_name() == "named:0" ? 1U : 0U; }) == 1);
    CHECK(asked(bench, [] { return std::getchar() == EOF ? 1U : 0U; }) == 1);
    CHECK(asked(bench, [] { return ::getpgid(0) == ::getpid() ? 1U : 0U; }) == 1);
    CHECK(asked(bench, [] {
              return in_worker() && this_worker::index() == 0 && this_worker::pid() == ::getpid() ? 1U : 0U;
          }) == 1);
    CHECK(asked(bench, [] {
              struct sigaction interrupt {};
              struct sigaction terminate {};
              ::sigaction(SIGINT, nullptr, &interrupt);
              ::sigaction(SIGTERM, nullptr, &terminate);
              sigset_t blocked;
              ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
              return interrupt.sa_handler == SIG_IGN && terminate.sa_handler == SIG_DFL &&
                             sigismember(&blocked, SIGTERM) == 0
                         ? 1U
                         : 0U;
          }) == 1);
}

TEST_CASE("a worker cannot write where arguments lie") {
    const ForkBench bench{4, 1};
    const auto ticket = bench->submit(
        {.code = [](detail::TaskFrame& frame) { const_cast<std::byte&>(frame.arguments[500]) = std::byte{1}; }},
        [](Writer& out) { static_cast<void>(out.claim(1000)); });
    CHECK(Task{*bench, *ticket}.failure().death.status == ExitStatus::from_signal(SIGSEGV));
    CHECK(bench.submit(3).number() == answer(3));
}

TEST_CASE("a task that calls exit flushes its output and runs its own functions not its parent's") {
    std::FILE* const file = std::tmpfile();
    std::fflush(stdout);  // Catch's own
    CHECK(in_child([&] {
              ::dup2(::fileno(file), STDOUT_FILENO);
              std::atexit([] { std::printf("parent "); });
              {
                  const ForkBench bench{4, 1};
                  Task task = bench.submit(0, [](detail::TaskFrame&) {
                      std::atexit([] { std::printf("task "); });
                      std::printf("printed ");
                      std::exit(3);
                  });
                  if (task.failure().death.status != ExitStatus::from_code(3)) { return 1; }
              }
              std::fflush(stdout);
              return 0;
          }) == 0);
    std::rewind(file);
    std::array<char, 100> text{};
    static_cast<void>(std::fread(text.data(), 1, 99, file));
    std::fclose(file);
    CHECK(std::string{text.data()} == "printed task ");
}

TEST_CASE("what a task prints is there before its result") {
    std::FILE* const file = std::tmpfile();
    std::fflush(stdout);  // Catch's own
    CHECK(in_child([&] {
              ::dup2(::fileno(file), STDOUT_FILENO);
              const ForkBench bench{4, 1};
              for (int i = 0; i < 20; ++i) {
                  static_cast<void>(bench.submit(0, [](detail::TaskFrame&) { std::printf("x"); }).phase());
                  if (::lseek(STDOUT_FILENO, 0, SEEK_END) != i + 1) { return 1; }
              }
              return 0;
          }) == 0);
    std::fclose(file);
}

TEST_CASE("a task that forks and returns twice answers once") {
    const ForkBench bench{4, 1};
    for (std::uint64_t i = 0; i < 5; ++i) {
        CHECK(bench
                  .submit(i,
                          [](detail::TaskFrame& frame) {
                              static_cast<void>(::fork());
                              answer_code(frame);
                          })
                  .number() == answer(i));
    }
    CHECK(bench.submit(9).number() == answer(9));
}

TEST_CASE("a task that ends its thread ends its worker and the next one works") {
    const ForkBench bench{4, 1};
    const cli::Failure failure = bench.submit(0, [](detail::TaskFrame&) { ::pthread_exit(nullptr); }).failure();
    CHECK(failure.ending == Ending::died);
    CHECK(failure.death.status == ExitStatus::from_code(0));
    CHECK(bench.submit(9).number() == answer(9));
}

TEST_CASE("a finalizer runs in every worker that leaves and in none that is killed") {
    SharedPage page;
    static Word* finalized;
    finalized = page.word();
    for (const detail::task::Life end : {detail::task::Life::closing, detail::task::Life::killed}) {
        finalized->store(0);
        {
            detail::worker::Setup setup = setup_for(3);
            setup.finalizer = [] {
                finalized->fetch_add(1);
                throw 1;  // no caller gets it
            };
            const ForkBench bench{4, std::move(setup)};
            wait_until([&] { return bench->board().from_workers.ready_count.load() == 3; }, "workers");
            bench->stop(end);
            CHECK(bench->join(detail::Deadline::after(20s)));
        }
        if (end == detail::task::Life::closing) { CHECK(finalized->load() == 3); }
    }
}
