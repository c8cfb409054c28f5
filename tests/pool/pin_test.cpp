// SPDX-License-Identifier: BSL-1.0
#include "log/records.hpp"
#include "os/refusal.hpp"
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

using Cpus = std::vector<std::size_t>;

/// Returns: the mask of that thread, or of the caller.
Cpus cpus_of(pid_t thread = 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(thread, sizeof set, &set) != 0) { throw std::runtime_error("sched_getaffinity"); }
    Cpus all;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) { all.push_back(static_cast<std::size_t>(cpu)); }
    }
    return all;
}
Cpus cpus_here() { return cpus_of(); }

/// The calling thread is restricted while it lives.
class Restricted {
public:
    explicit Restricted(const Cpus& to) { bind(to); }
    Restricted(const Restricted&) = delete;
    Restricted& operator=(const Restricted&) = delete;
    ~Restricted() { bind(before_); }

private:
    static void bind(const Cpus& to) {
        cpu_set_t set;
        CPU_ZERO(&set);
        for (const std::size_t cpu : to) { CPU_SET(cpu, &set); }
        static_cast<void>(::sched_setaffinity(0, sizeof set, &set));
    }
    Cpus before_ = cpus_of();
};

/// The answer of a worker of that index.
Cpus expected(std::size_t index, const Cpus& allowed) { return {allowed[index % allowed.size()]}; }

template <class P>
void has_a_processor_each() {
    const Cpus allowed = cpus_of();
    const std::size_t workers = 2 * allowed.size() + 1;  // more than processors
    P pool{PoolOptions{.workers = workers, .pin = Pin::cores}};
    const std::vector<Cpus> found = pool.broadcast(cpus_here);
    REQUIRE(found.size() == workers);
    for (std::size_t index = 0; index < workers; ++index) { CHECK(found[index] == expected(index, allowed)); }
    CHECK(cpus_of() == allowed);
}
ON_ENGINES_WITH_WORKERS("PIN-01 workers have the program's processors in turns", has_a_processor_each)

template <class P>
void runs_where_the_program_may() {
    const Cpus last{cpus_of().back()};
    const Restricted here{last};
    for (const Pin pin : {Pin::cores, Pin::nodes}) {
        P pool{PoolOptions{.workers = 3, .pin = pin}};
        CHECK(pool.broadcast(cpus_here) == std::vector<Cpus>(3, last));
    }
}
ON_ENGINES_WITH_WORKERS("PIN-02 a program that is restricted itself binds its workers within that",
                        runs_where_the_program_may)

template <class P>
void is_bound_before_the_initializer() {
    SharedPage page;
    const Counter wrong{page};
    const Cpus allowed = cpus_of();
    P pool{PoolOptions{.workers = 2,
                       .initializer =
                           [wrong, allowed] {
                               if (cpus_of() != expected(this_worker::index(), allowed)) { wrong.add(); }
                           },
                       .pin = Pin::cores}};
    pool.broadcast([] {});
    pool.join();
    CHECK(wrong.value() == 0);
}
ON_ENGINES_WITH_WORKERS("PIN-03 a worker is bound before its initializer", is_bound_before_the_initializer)

TEST_CASE("PIN-04 a replacement is bound as the worker that it replaces") {
    const Cpus allowed = cpus_of();
    Pool pool{PoolOptions{.workers = 3, .pin = Pin::cores}};
    for (std::size_t index = 0; index < 3; ++index) {
        CHECK_THROWS_AS(pool.apply_on(index, [] { ::_exit(1); }), WorkerDied);
        CHECK(pool.apply_on(index, cpus_here) == expected(index, allowed));
    }
    pool.refork();
    for (std::size_t index = 0; index < 3; ++index) {
        CHECK(pool.apply_on(index, cpus_here) == expected(index, allowed));
    }
}

TEST_CASE("PIN-05 a spare worker is bound once it has its index") {
    const Cpus allowed = cpus_of();
    Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 1, .pin = Pin::cores}};
    const auto where = [](int) { return std::pair{this_worker::index(), cpus_of()}; };
    std::vector<int> items(20);
    for (const auto& [index, cpus] : pool.map(MapOptions{.chunk_size = 1}, where, items)) {
        CHECK(cpus == expected(index, allowed));
    }
    pool.join();
    CHECK(pool.stats().workers_recycled > 0);
}

TEST_CASE("PIN-06 children of a task inherit its processor; the supervisor and other threads do not") {
    const Cpus allowed = cpus_of();
    Pool pool{PoolOptions{.workers = 2, .pin = Pin::cores}};
    const auto child_is_bound = [] {
        const pid_t child = ::fork();
        if (child == 0) { ::_exit(cpus_of().size() == 1 ? 7 : 8); }
        int status = 0;
        return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    CHECK(pool.apply(child_is_bound) == 7);
    CHECK(cpus_of(pool.apply([] { return ::getppid(); })) == allowed);
    CHECK(cpus_of() == allowed);
}

template <class P>
void goes_on_unbound() {
    const Records records{LogLevel::warning};
    const Refusal refused{"sched_setaffinity", EINVAL};
    const Cpus allowed = cpus_of();
    P pool{PoolOptions{.workers = 3, .name = "loose", .pin = Pin::cores}};
    CHECK(pool.broadcast(cpus_here) == std::vector<Cpus>(3, allowed));
    if (has_processes<P>()) {
        CHECK_THROWS_AS(pool.apply_on(0, [] { ::_exit(1); }), WorkerDied);
        CHECK(pool.apply_on(0, cpus_here) == allowed);
    }
    pool.join();
    const std::vector<Record> told = records.with("could not be bound to its processors");
    REQUIRE(told.size() == 1);
    CHECK(told[0].pool == "loose");
}
ON_ENGINES_WITH_WORKERS("PIN-07 where binding is refused work goes on with one warning", goes_on_unbound)

TEST_CASE("PIN-08 where the program's processors are not told work goes on with one warning") {
    const Records records{LogLevel::warning};
    const Cpus allowed = cpus_of();
    const Refusal refused{"sched_getaffinity", EPERM};
    Pool pool{PoolOptions{.workers = 2, .pin = Pin::cores}};
    CHECK(pool.broadcast(cpus_here) == std::vector<Cpus>(2, allowed));
    pool.join();
    CHECK(records.with("workers are not bound to processors").size() == 1);
}

template <class P>
void is_bound_when_the_pool_grows() {
    const Cpus allowed = cpus_of();
    P pool{PoolOptions{.workers = 1, .grow_to = 4, .pin = Pin::cores}};
    pool.resize(4);
    const std::vector<Cpus> found = pool.broadcast(cpus_here);
    REQUIRE(found.size() == 4);
    for (std::size_t index = 0; index < 4; ++index) { CHECK(found[index] == expected(index, allowed)); }
}
ON_ENGINES_WITH_WORKERS("PIN-10 workers that a pool grows by are bound too", is_bound_when_the_pool_grows)

TEST_CASE("PIN-09 workers are bound to nothing unless it is asked; the thread of an InlinePool never") {
    const Cpus allowed = cpus_of();
    Pool pool{2};
    CHECK(pool.broadcast(cpus_here) == std::vector<Cpus>(2, allowed));
    InlinePool here{PoolOptions{.pin = Pin::cores}};
    CHECK(here.apply(cpus_here) == allowed);
    CHECK(cpus_of() == allowed);
}

}  // namespace
