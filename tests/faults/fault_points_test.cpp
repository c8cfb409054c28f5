// SPDX-License-Identifier: BSL-1.0
#include "faults/jobs.hpp"
#include "faults/refuser.hpp"
#include "faults/saboteur.hpp"

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

/// A point, and how many tasks end with WorkerDied when a worker is killed there.
struct Row {
    detail::FaultPoint point;
    std::size_t casualties;
    std::vector<int> nth{1};        // which worker that comes by
    std::size_t held = casualties;  // tasks that wait for a worker that is stopped there
};

enum class Then { killed_at_once, stopped_and_killed, stopped_and_continued };

constexpr std::size_t workers = 3;

[[nodiscard]] bool some_may_spin(const Pool& pool) { return board_of(pool).control.spinners > 0; }

/// One attack: returns what went wrong, empty when nothing did. `start` makes the pool's workers come by the point.
class Attack {
public:
    using Start = std::function<Jobs(Pool&)>;

    Attack(Saboteur& saboteur, Muster& muster, Row row, int nth, Then then)
        : saboteur_(saboteur),
          muster_(muster),
          row_(std::move(row)),
          nth_(nth),
          then_(then) {}

    void arm() { saboteur_.arm(row_.point, nth_, then_ == Then::killed_at_once ? SIGKILL : SIGSTOP); }

    /// The pool has been attacked when this returns, and every job is judged.
    void settle(Pool& pool, Jobs jobs, const Start& again) {
        const ReleaseVictim release{saboteur_};  // before the jobs, some of which wait for it
        step_ = "no worker came by";
        const pid_t victim = wait_for_victim(pool, jobs, again);
        Jobs more;
        if (then_ != Then::killed_at_once) {
            step_ = "the others do not complete";
            wait_until([&] { return count_ready(jobs) + row_.held >= jobs.size(); }, "the other tasks", recovery);
            if (again) {
                step_ = "a single task that comes later does not complete";
                complete_one_by_one(pool);
                step_ = "what comes later does not complete";
                more = again(pool);
                wait_until([&] { return count_ready(more) == more.size(); }, "tasks submitted later", recovery);
            }
            ::kill(victim, then_ == Then::stopped_and_killed ? SIGKILL : SIGCONT);
        }
        step_ = "not all complete";
        wait_until([&] { return count_ready(jobs) == jobs.size(); }, "all tasks", recovery);
        judge_all(jobs, victim, then_ == Then::stopped_and_continued ? 0 : row_.casualties);
        judge_all(more, 0, 0);
    }

    /// Only the remaining workers can run these, and no thread waits for them in a way that would wake a worker.
    void complete_one_by_one(Pool& pool) {
        for (int i = 0; i < 5; ++i) {
            const Jobs single = small_jobs(pool, 1);
            wait_until([&] { return count_ready(single) == 1; }, "a single task", recovery);
            judge_all(single, 0, 0);
        }
    }

    void require_whole_pool(Pool& pool, const Start& again) {
        step_ = "afterwards";
        Jobs jobs = again(pool);
        wait_until([&] { return count_ready(jobs) == jobs.size(); }, "all tasks", recovery);
        judge_all(jobs, 0, 0);
        jobs.clear();
        require_whole(pool, muster_);
    }

    [[nodiscard]] std::string name() const {
        static const char* const what[] = {"killed", "stopped, then killed", "stopped, then continued"};
        return std::string{what[static_cast<int>(then_)]} + " at " + name_of(row_.point) + ", visitor " +
               std::to_string(nth_) + ": " + step_;
    }

private:
    struct ReleaseVictim {
        const Saboteur& saboteur;
        ~ReleaseVictim() {
            if (saboteur.victim() != 0 && state_in("/proc/" + std::to_string(saboteur.victim())) == 'T') {
                ::kill(saboteur.victim(), SIGKILL);
            }
        }
    };

    /// Whether a worker looks for work or sleeps between two tasks is a matter of time, so there are as many tasks as
    /// it takes.
    pid_t wait_for_victim(Pool& pool, Jobs& jobs, const Start& again) {
        const bool by_chance = row_.point == detail::FaultPoint::asleep || row_.point == detail::FaultPoint::spinning ||
                               row_.point == detail::FaultPoint::level_cleared ||
                               row_.point == detail::FaultPoint::before_wake;
        const auto start = std::chrono::steady_clock::now();
        while (by_chance && saboteur_.victim() == 0 && since(start) < recovery) {
            wait_until([&] { return saboteur_.victim() != 0 || count_ready(jobs) == jobs.size(); },
                       "tasks before the attack", recovery);
            if (saboteur_.victim() == 0) {
                for (Job& one : again(pool)) { jobs.push_back(std::move(one)); }
            }
        }
        return saboteur_.wait_for_victim();
    }

    void judge_all(const Jobs& jobs, pid_t victim, std::size_t casualties) {
        std::size_t died = 0;
        for (const Job& one : jobs) {
            const JobEnd ending = one.end();
            if (ending.died != 0 && ending.died == victim) {
                ++died;
            } else if (!ending.text.empty()) {
                throw std::runtime_error("a bystander ended with: " + ending.text);
            }
        }
        if (died != casualties) {
            throw std::runtime_error(std::to_string(died) + " tasks died with the worker, not " +
                                     std::to_string(casualties));
        }
    }

    Saboteur& saboteur_;
    Muster& muster_;
    Row row_;
    int nth_;
    Then then_;
    const char* step_ = "";
};

const std::vector<Then> kills{Then::killed_at_once};
const std::vector<Then> stops{Then::stopped_and_killed, Then::stopped_and_continued};

template <class F>
void for_each_attack(const std::vector<Row>& rows, const std::vector<Then>& thens, F attack_once) {
    Saboteur saboteur;
    Muster muster;
    std::string wrong;
    for (const Row& row : rows) {
        for (const int nth : row.nth) {
            for (const Then then : thens) {
                Attack attack{saboteur, muster, row, nth, then};
                try {
                    attack_once(attack, row);
                } catch (const std::exception& error) { wrong += "\n" + attack.name() + ": " + error.what(); }
                saboteur.disarm();
            }
        }
    }
    INFO(wrong);
    CHECK(wrong.empty());
}

[[nodiscard]] PoolOptions options_of(std::size_t items = 0) {
    PoolOptions options{.workers = workers};
    options.max_tasks_per_worker = items;
    return options;
}

/// Returns when no worker is on its way to a point: one that is killed by `start` must not be the victim too, or it
/// stays unknown.
void wait_until_idle(const Pool& pool) {
    const auto all_sleep = [&] {
        for (const WorkerInfo& worker : pool.workers()) {
            if (state_in("/proc/" + std::to_string(worker.pid)) != 'S') { return false; }
        }
        return board_of(pool).sleeping.was_size() == workers;
    };
    wait_until(all_sleep, "all workers to sleep");
}

/// A pool that is attacked at every point while it does `start`.
void attack_running(const std::vector<Row>& rows, const std::vector<Then>& thens, const PoolOptions& options,
                    const Attack::Start& start, const Attack::Start& again) {
    std::unique_ptr<Pool> pool;
    for_each_attack(rows, thens, [&](Attack& attack, const Row& row) {
        if (!pool) { pool = std::make_unique<Pool>(options); }
        if (row.point == detail::FaultPoint::spinning && !some_may_spin(*pool)) { return; }
        try {
            wait_until_idle(*pool);
            attack.arm();
            attack.settle(*pool, start(*pool), again);
            attack.require_whole_pool(*pool, again);
        } catch (...) {
            pool->kill();
            pool.reset();
            throw;
        }
    });
}

[[nodiscard]] Jobs sixty_small(Pool& pool) { return small_jobs(pool, 60); }
[[nodiscard]] Jobs ten_big(Pool& pool) { return big_jobs(pool, 10); }

// ---- idle

const std::vector<Row> idle_rows{{detail::FaultPoint::after_fork, 0},
                                 {detail::FaultPoint::before_ready, 0},
                                 {detail::FaultPoint::spinning, 0},
                                 {detail::FaultPoint::asleep, 0},
                                 {detail::FaultPoint::level_cleared, 0, {1, 4}}};

/// A worker is killed, and its replacement comes by.
Jobs replace_one(Pool& pool) {
    wait_for_full_set(pool);
    ::kill(pool.workers().front().pid, SIGKILL);
    return {};
}

TEST_CASE("a worker is killed at every point while the pool is idle", "[slow]") {
    attack_running(idle_rows, kills, options_of(), replace_one, sixty_small);
}
TEST_CASE("a worker is stopped at every point while the pool is idle", "[slow]") {
    attack_running(idle_rows, stops, options_of(), replace_one, sixty_small);
}

// ---- start of a pool

void attack_construction(const std::vector<Then>& thens) {
    const std::vector<Row> rows{{detail::FaultPoint::after_fork, 0, {1, 2, 3}},
                                {detail::FaultPoint::before_ready, 0, {1, 2, 3}},
                                {detail::FaultPoint::asleep, 0, {1, 2, 3}},
                                {detail::FaultPoint::after_claim, 1, {1, 2, 3}},
                                {detail::FaultPoint::after_done, 0, {1, 2}}};
    for_each_attack(rows, thens, [](Attack& attack, const Row&) {
        attack.arm();
        Pool pool{options_of()};
        try {
            attack.settle(pool, sixty_small(pool), sixty_small);
            attack.require_whole_pool(pool, sixty_small);
        } catch (...) {
            pool.kill();
            throw;
        }
    });
}

TEST_CASE("a worker is killed at every point while the pool starts", "[slow]") { attack_construction(kills); }
TEST_CASE("a worker is stopped at every point while the pool starts", "[slow]") { attack_construction(stops); }

// ---- small tasks

[[nodiscard]] std::vector<Row> small_rows(bool retried) {
    const std::size_t one = retried ? 0 : 1;
    return {{detail::FaultPoint::asleep, 0, {1, 2, 3}},          {detail::FaultPoint::spinning, 0, {1, 2}},
            {detail::FaultPoint::level_cleared, 0, {1, 5}},      {detail::FaultPoint::before_wake, one, {1, 2}},
            {detail::FaultPoint::after_claim, one, {1, 20, 59}}, {detail::FaultPoint::before_run, one, {1, 20, 59}},
            {detail::FaultPoint::before_done, one, {1, 20, 59}}, {detail::FaultPoint::after_done, 0, {1, 20, 59}}};
}

TEST_CASE("a worker is killed at every point of small tasks", "[slow]") {
    attack_running(small_rows(false), kills, options_of(), sixty_small, sixty_small);
}
TEST_CASE("a worker is stopped at every point of small tasks", "[slow]") {
    attack_running(small_rows(false), stops, options_of(), sixty_small, sixty_small);
}
TEST_CASE("a worker is killed at every point of small tasks that may run again", "[slow]") {
    const auto retried = [](Pool& pool) { return small_jobs(pool, 60, {.retries = 1}); };
    attack_running(small_rows(true), kills, options_of(), retried, retried);
}

// ---- no replacement: the remains of a dead worker must not depend on one

TEST_CASE("a worker is killed at every point of small tasks while it cannot be replaced", "[slow]") {
    Refuser refuser;
    for_each_attack(small_rows(false), kills, [&](Attack& attack, const Row& row) {
        refuser.allow();
        Pool pool{options_of()};
        if (row.point == detail::FaultPoint::spinning && !some_may_spin(pool)) { return; }
        wait_until([&] { return board_of(pool).from_workers.ready_count.load() == workers; }, "the workers to be ready",
                   recovery);
        refuser.refuse("fork", EAGAIN, 1);
        try {
            attack.arm();
            attack.settle(pool, sixty_small(pool), sixty_small);
            attack.complete_one_by_one(pool);
            refuser.allow();
            attack.require_whole_pool(pool, sixty_small);
        } catch (...) {
            refuser.allow();
            pool.kill();
            throw;
        }
    });
}

// ---- results of a few megabytes

[[nodiscard]] std::vector<Row> big_rows(bool retried) {
    const std::size_t one = retried ? 0 : 1;
    return {{detail::FaultPoint::after_claim, one},
            {detail::FaultPoint::result_half, one, {1, 2, 4, 11}},
            {detail::FaultPoint::extent_taken, one, {1, 3, 17}},
            {detail::FaultPoint::result_grown, one, {1, 2, 5}},
            {detail::FaultPoint::before_done, one, {1, 9}},
            {detail::FaultPoint::after_done, 0, {1, 9}},
            {detail::FaultPoint::asleep, 0}};
}

TEST_CASE("a worker is killed at every point of large results", "[slow]") {
    attack_running(big_rows(false), kills, options_of(), ten_big, ten_big);
}
TEST_CASE("a worker is stopped at every point of large results", "[slow]") {
    attack_running(big_rows(false), stops, options_of(), ten_big, ten_big);
}
TEST_CASE("a worker is killed at every point of large results of tasks that may run twice", "[slow]") {
    attack_running(
        big_rows(true), kills, options_of(), [](Pool& pool) { return big_jobs(pool, 10, {.retries = 1}); }, ten_big);
}

// ---- maps

[[nodiscard]] std::vector<Row> map_rows(bool retried) {
    const std::size_t one = retried ? 0 : 1;
    // Ten small tasks go before the map's nine chunks of four.
    return {{detail::FaultPoint::before_run, one, {11, 19}},   {detail::FaultPoint::item_done, one, {1, 2, 4}},
            {detail::FaultPoint::result_half, one, {1, 2, 7}}, {detail::FaultPoint::extent_taken, one, {1, 6}},
            {detail::FaultPoint::result_grown, one, {1, 6}},   {detail::FaultPoint::before_done, 0, {19}, 1},
            {detail::FaultPoint::after_done, 0, {19}}};
}
[[nodiscard]] Attack::Start map_of(unsigned retries) {
    return [retries](Pool& pool) { return map_jobs(pool, MapOptions{.chunk_size = 4, .retries = retries}); };
}

TEST_CASE("a worker is killed at every point of a map", "[slow]") {
    attack_running(map_rows(false), kills, options_of(), map_of(0), map_of(0));
}
TEST_CASE("a worker is stopped at every point of a map", "[slow]") {
    attack_running(map_rows(false), stops, options_of(), map_of(0), map_of(0));
}
TEST_CASE("a worker is killed at every point of a map whose items may run twice", "[slow]") {
    attack_running(map_rows(true), kills, options_of(), map_of(1), map_of(0));
}

// ---- recycling

const std::vector<Row> recycling_rows{
    {detail::FaultPoint::after_fork, 0, {1, 4}},  {detail::FaultPoint::before_ready, 0, {1, 4}},
    {detail::FaultPoint::asleep, 0, {1, 2}},      {detail::FaultPoint::after_claim, 1, {1, 5, 6, 31}},
    {detail::FaultPoint::before_run, 1, {5, 31}}, {detail::FaultPoint::before_done, 1, {1, 5, 15, 31}},
    {detail::FaultPoint::after_done, 0, {5, 31}}, {detail::FaultPoint::before_exit, 0, {1, 2, 3, 7}}};

TEST_CASE("a worker is killed at every point while workers are recycled", "[slow]") {
    attack_running(recycling_rows, kills, options_of(5), sixty_small, sixty_small);
}
TEST_CASE("a worker is stopped at every point while workers are recycled", "[slow]") {
    attack_running(recycling_rows, stops, options_of(5), sixty_small, sixty_small);
}

// ---- resizing

const std::vector<Row> resizing_rows{
    {detail::FaultPoint::after_fork, 0, {1, 2}},   {detail::FaultPoint::before_ready, 0, {1, 2}},
    {detail::FaultPoint::asleep, 0, {1, 2}},       {detail::FaultPoint::after_claim, 1, {1, 31, 60}},
    {detail::FaultPoint::before_done, 1, {1, 40}}, {detail::FaultPoint::before_exit, 0, {1, 2, 3}}};

[[nodiscard]] Jobs sixty_small_resized(Pool& pool) {
    Jobs jobs;
    for (const std::size_t size : {std::size_t{1}, workers, std::size_t{2}, workers}) {
        pool.resize(size);
        for (Job& one : small_jobs(pool, 15)) { jobs.push_back(std::move(one)); }
        wait_until([&] { return pool.workers().size() == size; }, "workers to come or go", recovery);
    }
    return jobs;
}

TEST_CASE("a worker is killed at every point while the pool is resized", "[slow]") {
    attack_running(resizing_rows, {Then::killed_at_once}, options_of(), sixty_small_resized, sixty_small);
}

// ---- closing

void attack_closing(std::size_t items, const std::vector<Then>& thens) {
    std::vector<Row> rows{{detail::FaultPoint::after_claim, 1, {1, 30}},
                          {detail::FaultPoint::before_run, 1, {1, 40}},
                          {detail::FaultPoint::before_done, 1, {1, 30, 43}},
                          {detail::FaultPoint::after_done, 0, {1, 43}},
                          {detail::FaultPoint::before_exit, 0, {1, 2, 3}}};
    for_each_attack(rows, thens, [&](Attack& attack, const Row& row) {
        SharedPage page;
        const Counter started{page};
        const Gate open{page};
        Pool pool{options_of(items)};
        try {
            std::vector<Future<void>> blocks;
            for (std::size_t i = 0; i < workers; ++i) {
                blocks.push_back(pool.apply_async(
                    [](Counter begun, Gate gate) {
                        begun.add();
                        gate.wait();
                    },
                    started, open));
            }
            started.wait_for(workers);
            Jobs jobs = small_jobs(pool, 40);
            attack.arm();
            pool.close();
            open.set();
            // The blocks are done first; a worker that dies before its block is done takes it along.
            for (Future<void>& block : blocks) {
                auto held = std::make_shared<Future<void>>(std::move(block));
                jobs.push_back({[held] { return held->ready(); },
                                [held] {
                                    return judge(
                                        [&] {
                                            held->get();
                                            return 0;
                                        },
                                        0);
                                }});
            }
            attack.settle(pool, std::move(jobs), {});
            if (!pool.join_for(recovery)) { throw std::runtime_error("join() does not return"); }
            static_cast<void>(row);
        } catch (...) {
            pool.kill();
            throw;
        }
    });
}

TEST_CASE("a worker is killed at every point while the pool is closed with a backlog", "[slow]") {
    attack_closing(0, kills);
}
TEST_CASE("a worker is stopped at every point while the pool is closed with a backlog", "[slow]") {
    attack_closing(0, stops);
}
TEST_CASE("a worker is killed at every point while a pool that recycles is closed with a backlog", "[slow]") {
    attack_closing(5, kills);
}

}  // namespace
