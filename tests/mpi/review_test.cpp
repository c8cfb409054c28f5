// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <csignal>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using namespace machines;
using namespace std::chrono_literals;

namespace {

/// The agent of the machine that the caller, a worker, is on.
pid_t agent_here() { return parent_of(::getppid()); }

bool is_root() {
    const char* const rank = std::getenv("OMPI_COMM_WORLD_RANK");
    return (rank != nullptr                      ? rank
            : std::getenv("PMI_RANK") != nullptr ? std::getenv("PMI_RANK")
                                                 : "0") == std::string("0");
}

/// Returns: the machine that it runs on, and leaves a file there if it is not rank 0's.
int leave_trace(const std::string&, const std::string& file) {
    if (this_worker::node() != 0) { std::ofstream(file) << "here"; }
    return this_worker::node();
}

/// Returns: how long a process has run on processors, in all.
std::chrono::milliseconds processor_time(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/schedstat");
    std::int64_t nanoseconds = 0;
    in >> nanoseconds;
    return std::chrono::milliseconds{nanoseconds / 1'000'000};
}

}  // namespace

TEST_CASE("MPI-60 a machine that takes no part from the start leaves the mail of others alone") {
    PoolOptions options{.workers = 1};
    if (!is_root()) {
        options.initializer = [] { throw std::runtime_error("no licence here"); };
    }
    MpiPool pool{options};
    // Longer than the time in which the companion looks at the mail by itself.
    auto first = pool.apply_on_async(0, [] { std::this_thread::sleep_for(600ms); });
    auto second = pool.apply_on_async(0, [] { return 5; });
    first.get();
    CHECK(second.get() == 5);
}

TEST_CASE("MPI-61 a task that was sent ahead and is cancelled never runs") {
    MpiPool pool{{.workers = 1, .mpi = {.use_root = false, .prefetch = 4}}};
    auto first = pool.apply_async([] { ::pause(); });
    while (!first.running()) { std::this_thread::yield(); }
    auto second = pool.apply_async([] { return 1; });
    while (!second.running()) { std::this_thread::yield(); }  // on its way, or waits there
    second.cancel();
    CHECK_THROWS_AS(second.get(), TaskCancelled);
    CHECK(pool.stats().cancelled == 1);
    CHECK(pool.stats().failed == 0);
    first.kill();
    CHECK_THROWS_AS(first.get(), TaskCancelled);
    CHECK(pool.stats().cancelled == 2);
}

TEST_CASE("MPI-62 the companion rests while workers of this machine end what a closed pool has") {
    constexpr auto time = 600ms;
    MpiPool pool{1};
    pool.apply_on(1, [] {});
    auto last = pool.apply_on_async(0, [=] { std::this_thread::sleep_for(time); });
    auto more = pool.apply_on_async(0, [] {});  // the companion waits for somebody to run it
    const pid_t other = companion();
    REQUIRE(other != 0);
    pool.close();
    const auto before = processor_time(other);
    static_cast<void>(last.wait_for(time / 2));
    CHECK(processor_time(other) - before < time / 4);
    pool.join();
    last.get();
    more.get();
}

TEST_CASE("MPI-63 tasks for a worker that died over several of them all run again") {
    MpiPool pool{remote(1)};
    const pid_t other = companion();
    REQUIRE(other != 0);
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(pool.apply_on_async(TaskOptions{.retries = 1}, 0, [] {
            if (this_task::attempt() == 0) { ::raise(SIGKILL); }
            return static_cast<int>(this_task::attempt());
        }));
    }
    while (!tasks.back().running()) { std::this_thread::yield(); }
    // The answers come together, after it has slept.
    REQUIRE(::kill(other, SIGSTOP) == 0);
    std::this_thread::sleep_for(400ms);
    REQUIRE(::kill(other, SIGCONT) == 0);
    for (auto& task : tasks) { CHECK(task.get() == 1); }
    CHECK(pool.stats().retried == 4);
}

TEST_CASE("MPI-64 tasks for a worker of a machine that falls silent do not run again") {
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const pid_t agent = pool.apply_on(1, agent_here);
    const pid_t worker = pool.apply_on(1, ::getpid);
    REQUIRE(::kill(agent, SIGSTOP) == 0);
    std::vector<Future<void>> tasks;
    for (int i = 0; i < 4; ++i) {
        tasks.push_back(pool.apply_on_async(TaskOptions{.retries = 3}, 1, [] {}));
    }
    for (auto& task : tasks) { CHECK_THROWS_AS(task.get(), NodeLost); }
    CHECK(pool.stats().retried == 0);
    CHECK(pool.stats().failed == 4);
    REQUIRE(::kill(agent, SIGCONT) == 0);
    while (::kill(worker, 0) == 0) { std::this_thread::yield(); }
}

TEST_CASE("MPI-65 what was sent ahead comes back to a worker that has slept") {
    MpiPool pool{{.workers = 1, .mpi = {.prefetch = 8}}};
    auto far = pool.apply_on_async(1, [] { ::pause(); });
    while (!far.running()) { std::this_thread::yield(); }
    auto here = pool.apply_on_async(0, [] { std::this_thread::sleep_for(100ms); });
    while (!here.running()) { std::this_thread::yield(); }
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 8; ++i) {
        tasks.push_back(pool.apply_async([] {
            std::this_thread::sleep_for(5ms);
            return this_worker::node();
        }));
    }
    for (auto& task : tasks) { CHECK(task.get() == 0); }
    far.kill();
}

TEST_CASE("MPI-66 a machine that comes back does not run what it was sent with the bytes of another task") {
    constexpr std::size_t large = 4 << 20;
    const std::string name = (std::filesystem::temp_directory_path() / "procpool_mpi_66").string();
    {
        MpiPool pool{{.workers = 1, .queue_capacity = 2, .mpi = {.node_timeout = 1s}}};
        const pid_t agent = pool.apply_on(1, agent_here);
        const pid_t worker = pool.apply_on(1, ::getpid);
        auto busy = pool.apply_on_async(0, [] { std::this_thread::sleep_for(300ms); });
        while (!busy.running()) { std::this_thread::yield(); }
        REQUIRE(::kill(agent, SIGSTOP) == 0);
        CHECK(pool.apply(TaskOptions{.retries = 1}, leave_trace, std::string(large, 'a'), name) == 0);
        busy.get();
        // In both places of the queue, so also where the first one was.
        auto one = pool.apply_async(leave_trace, std::string(large, 'b'), name);
        auto other = pool.apply_async(leave_trace, std::string(large, 'b'), name);
        CHECK(one.get() == 0);
        CHECK(other.get() == 0);
        REQUIRE(::kill(agent, SIGCONT) == 0);
        while (::kill(worker, 0) == 0) { std::this_thread::yield(); }
        pool.close();
        pool.join();
        CHECK_FALSE(pool.nodes()[1].alive);
    }
    CHECK_FALSE(std::filesystem::remove(name));
}

TEST_CASE("MPI-67 only messages with the bytes of tasks leave bytes for later") {
    using namespace detail::mpi;
    constexpr std::size_t many = std::size_t{1} << 20;
    CHECK(Message{.kind = Kind::task, .bytes = many}.is_large());
    CHECK(Message{.kind = Kind::done, .bytes = many}.is_large());
    CHECK_FALSE(Message{.kind = Kind::hello, .bytes = many}.is_large());  // the modules of a large program
    CHECK_FALSE(Message{.kind = Kind::done, .bytes = Message::most_inline}.is_large());
}
