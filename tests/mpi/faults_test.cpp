// SPDX-License-Identifier: BSL-1.0
// Between any two steps of a task's way to another machine and back, one of those that carry it is killed or stopped.
#include "mpi/accounts.hpp"
#include "mpi/machines.hpp"
#include "support/events.hpp"

#include <procpool/core/fault_point.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <future>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <unistd.h>

#if !defined(PROCPOOL_FAULT_POINTS) || !defined(PROCPOOL_TEST_MACHINES)
#error "this needs the fault points, and pages that all ranks share"
#endif

using namespace machines;
using namespace procpool_test;
using namespace std::chrono_literals;
using procpool::detail::FaultPoint;

namespace {

enum class Victim { companion, agent, worker };

/// Sends a signal to a process of the job when the point is reached. Made before the pool, by all ranks.
class Striker {
public:
    Striker() : point_(page_.word()), left_(page_.word()), signal_(page_.word()), victim_(page_.word()), hit_(page_) {
        for (Word*& pid : pids_) { pid = page_.word(); }
        current_ = this;
        procpool::detail::fault_hook = [](FaultPoint point) { current_->reached(point); };
    }
    Striker(const Striker&) = delete;
    Striker& operator=(const Striker&) = delete;
    ~Striker() { procpool::detail::fault_hook = nullptr; }

    void arm(FaultPoint point, int nth, Victim victim, int signal) const {
        victim_->store(static_cast<int>(victim));
        signal_->store(signal);
        left_->store(nth);
        point_->store(static_cast<int>(point));
    }
    void wait_until_hit() const { hit_.wait(); }
    [[nodiscard]] Word& pid_of(Victim victim) const { return *pids_[static_cast<std::size_t>(victim)]; }

private:
    void reached(FaultPoint point) const {
        switch (point) {
            case FaultPoint::task_claimed_for_node:
            case FaultPoint::shared_sent:
            case FaultPoint::answer_received: pid_of(Victim::companion).store(::getpid()); break;
            case FaultPoint::task_received:
            case FaultPoint::shared_received:
            case FaultPoint::answer_ready: pid_of(Victim::agent).store(::getpid()); break;
            default: return;
        }
        if (point_->load() != static_cast<int>(point) || left_->fetch_sub(1) != 1) { return; }
        const auto victim = static_cast<pid_t>(pid_of(static_cast<Victim>(victim_->load())).load());
        hit_.set();
        ::kill(victim, static_cast<int>(signal_->load()));
    }

    static inline const Striker* current_ = nullptr;

    SharedPage page_;
    Word* point_;
    Word* left_;
    Word* signal_;
    Word* victim_;
    Gate hit_;
    std::array<Word*, 3> pids_{};
};

int brief(int n) {
    std::this_thread::sleep_for(1ms);
    return n;
}

struct Outcomes {
    int right = 0;
    int lost = 0;
};

Outcomes outcomes_of(std::vector<Future<int>>& tasks) {
    Outcomes all;
    for (int i = 0; i < static_cast<int>(tasks.size()); ++i) {
        auto& task = tasks[static_cast<std::size_t>(i)];
        if (task.wait_for(wait_limit) != std::future_status::ready) { throw std::runtime_error("an undecided future"); }
        try {
            if (task.get() != i) { throw std::runtime_error("a wrong result"); }
            ++all.right;
        } catch (const WorkerDied&) { ++all.lost; }  // or NodeLost
    }
    return all;
}

/// Effects: lets a stopped worker or companion, whose tasks nobody takes, go on after longer than a machine's silence.
/// Returns: the victim.
pid_t wait_for_stopped(const Striker& striker, Victim victim, int signal) {
    const auto pid = static_cast<pid_t>(striker.pid_of(victim).load());
    if (signal == SIGSTOP && victim != Victim::agent) {
        std::this_thread::sleep_for(victim == Victim::companion ? 1500ms : 200ms);
        ::kill(pid, SIGCONT);
    }
    return pid;
}

void strike(FaultPoint point, Victim victim, int signal) {
    // A machine is lost soon where that is meant, and never where one of its workers dies.
    const bool loses_machine = victim != Victim::worker;
    const Striker striker;
    MpiPool pool{{.workers = 2, .mpi = {.node_timeout = loses_machine ? 1s : 30s}}};
    striker.pid_of(Victim::worker).store(pool.apply_on(2, [] { return ::getpid(); }));
    striker.arm(point, 5, victim, signal);

    std::vector<Future<int>> again;
    std::vector<Future<int>> once;
    std::vector<Future<int>> mailed;
    for (int i = 0; i < 60; ++i) {
        again.push_back(pool.apply_async(TaskOptions{.retries = 3}, brief, i));
        once.push_back(pool.apply_async(brief, i));
        if (i < 20) { mailed.push_back(pool.apply_on_async(2 + static_cast<std::size_t>(i) % 2, brief, i)); }
    }
    std::vector<int> items(200);
    std::iota(items.begin(), items.end(), 0);
    auto map = pool.map_async(MapOptions{.chunk_size = 3, .retries = 3}, brief, items);
    striker.wait_until_hit();
    const pid_t pid = wait_for_stopped(striker, victim, signal);
    const Outcomes repeated = outcomes_of(again);
    CHECK(repeated.right == 60);
    const Outcomes single = outcomes_of(once);
    const Outcomes there = outcomes_of(mailed);
    if (!loses_machine) { CHECK(single.lost + there.lost <= (signal == SIGKILL ? 1 : 0)); }
    REQUIRE(map.wait_for(wait_limit) == std::future_status::ready);
    CHECK(map.get() == items);
    if (loses_machine) {
        wait_until([&] { return !pool.nodes()[1].alive; }, "the machine to be lost");
        CHECK_THROWS_AS(pool.apply_on(2, brief, 1), NodeLost);
    } else {
        CHECK(pool.apply_on(2, brief, 1) == 1);
        CHECK(pool.nodes()[1].alive);
    }
    if (signal == SIGSTOP) { ::kill(pid, SIGCONT); }
    CHECK(pool.apply(brief, 7) == 7);
    pool.close();
    REQUIRE(pool.join_for(wait_limit));
    const PoolStats stats = pool.stats();
    every_task_counts(pool);
    CHECK(stats.cancelled == 0);
    CHECK(stats.timed_out == 0);
}

int brief_with(const Ref<std::vector<int>>& value, int n) {
    std::this_thread::sleep_for(1ms);
    const std::span<const int> numbers = value.span();
    return std::ranges::all_of(numbers, [&](int one) { return one == n / 5; }) ? n : -1;
}

void strike_values(FaultPoint point, Victim victim, int signal) {
    const bool loses_machine = victim != Victim::worker;
    const Striker striker;
    MpiPool pool{{.workers = 2, .mpi = {.node_timeout = loses_machine ? 1s : 30s}}};
    striker.pid_of(Victim::worker).store(pool.apply_on(2, [] { return ::getpid(); }));
    striker.arm(point, 5, victim, signal);
    std::vector<Ref<std::vector<int>>> values;
    std::vector<Future<int>> again;
    std::vector<Future<int>> mailed;
    for (int i = 0; i < 60; ++i) {
        if (i % 5 == 0) { values.push_back(pool.put(std::vector<int>(i % 2 == 0 ? 200'000 : 10, i / 5))); }
        again.push_back(pool.apply_async(TaskOptions{.retries = 3}, brief_with, values.back(), i));
        mailed.push_back(pool.apply_on_async(2 + static_cast<std::size_t>(i) % 2, brief_with, values.back(), i));
    }
    values.clear();
    striker.wait_until_hit();
    const pid_t pid = wait_for_stopped(striker, victim, signal);
    CHECK(outcomes_of(again).right == 60);
    const Outcomes there = outcomes_of(mailed);
    if (!loses_machine) { CHECK(there.lost <= (signal == SIGKILL ? 1 : 0)); }
    again.clear();
    mailed.clear();
    if (loses_machine) {
        wait_until([&] { return !pool.nodes()[1].alive; }, "the machine to be lost");
        wait_until([&] { return pool.apply(brief, 1) == 1 && taken_by(pool) == 0; }, "memory to be free");
    } else {
        wait_until_all_is_free(pool, 2);
    }
    if (signal == SIGSTOP) { ::kill(pid, SIGCONT); }
    CHECK(pool.apply(brief_with, pool.put(std::vector<int>(200'000, 1)), 7) == 7);
    pool.close();
    REQUIRE(pool.join_for(wait_limit));
    every_task_counts(pool);
}

#define STRIKE_AT(point, words)                                                                               \
    TEST_CASE("MPI-30 the companion is killed when " words) { strike(point, Victim::companion, SIGKILL); }    \
    TEST_CASE("MPI-31 the companion stands still when " words) { strike(point, Victim::companion, SIGSTOP); } \
    TEST_CASE("MPI-32 an agent is killed when " words) { strike(point, Victim::agent, SIGKILL); }             \
    TEST_CASE("MPI-33 an agent stands still when " words) { strike(point, Victim::agent, SIGSTOP); }          \
    TEST_CASE("MPI-34 a far worker is killed when " words) { strike(point, Victim::worker, SIGKILL); }        \
    TEST_CASE("MPI-35 a far worker stands still when " words) { strike(point, Victim::worker, SIGSTOP); }

STRIKE_AT(FaultPoint::task_claimed_for_node, "a task is claimed and not sent")
STRIKE_AT(FaultPoint::task_received, "a task is received and not submitted")
STRIKE_AT(FaultPoint::answer_ready, "a task is decided and not answered")
STRIKE_AT(FaultPoint::answer_received, "an answer is received and not taken")

#define STRIKE_VALUES_AT(point, words)                                                                                \
    TEST_CASE("MPI-123 the companion is killed when " words) { strike_values(point, Victim::companion, SIGKILL); }    \
    TEST_CASE("MPI-123 the companion stands still when " words) { strike_values(point, Victim::companion, SIGSTOP); } \
    TEST_CASE("MPI-123 an agent is killed when " words) { strike_values(point, Victim::agent, SIGKILL); }             \
    TEST_CASE("MPI-123 an agent stands still when " words) { strike_values(point, Victim::agent, SIGSTOP); }          \
    TEST_CASE("MPI-123 a far worker is killed when " words) { strike_values(point, Victim::worker, SIGKILL); }        \
    TEST_CASE("MPI-123 a far worker stands still when " words) { strike_values(point, Victim::worker, SIGSTOP); }

STRIKE_VALUES_AT(FaultPoint::shared_sent, "a value is sent and no task with it")
STRIKE_VALUES_AT(FaultPoint::shared_received, "a value is received and no task with it is submitted")

TEST_CASE("MPI-36 a machine that was frozen does not run tasks that were on their way to it when it was lost") {
    SharedPage page;
    const Counter ran{page};
    MpiPool pool{{.workers = 1, .mpi = {.node_timeout = 1s}}};
    const auto [worker, agent] = pool.apply_on(1, [] { return std::pair{::getpid(), parent_of(::getppid())}; });
    REQUIRE(::kill(agent, SIGSTOP) == 0);
    std::vector<Future<void>> tasks;
    for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20}) {
        tasks.push_back(pool.apply_on_async(
            1, [](Counter counter, const std::string&) { counter.add(); }, ran, std::string(size, 'x')));
    }
    for (auto& task : tasks) { CHECK_THROWS_AS(task.get(), NodeLost); }
    REQUIRE(::kill(agent, SIGCONT) == 0);
    while (::kill(worker, 0) == 0) { std::this_thread::yield(); }
    CHECK(ran.value() == 0);
}

}  // namespace
