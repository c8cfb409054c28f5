// SPDX-License-Identifier: BSL-1.0
// Random deaths of workers while tasks wait for tasks, as chaos_test.cpp.
#include "chaos/mixed_work.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

/// Kills workers until it goes, every 0 to 3 ms.
class WorkerKiller {
public:
    WorkerKiller(const Pool& pool, unsigned seed) : thread_([this, &pool, seed] { run(pool, seed); }) {}
    WorkerKiller(const WorkerKiller&) = delete;
    WorkerKiller& operator=(const WorkerKiller&) = delete;
    ~WorkerKiller() { stop(); }
    void stop() {
        stopping_ = true;
        if (thread_.joinable()) { thread_.join(); }
    }
    [[nodiscard]] std::size_t kills() const { return kills_; }

private:
    void run(const Pool& pool, unsigned seed) {
        std::mt19937 random{seed};
        while (!stopping_) {
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
            const std::vector<WorkerInfo> workers = pool.workers();
            if (workers.empty()) { continue; }
            const pid_t victim = workers[random() % workers.size()].pid;
            if (victim > 0 && ::kill(victim, SIGKILL) == 0) { ++kills_; }
        }
    }

    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> kills_{0};
    std::thread thread_;
};

constexpr unsigned again = 60'000;  // as often as it takes

int chaos_one_more(int n) { return n + 1; }
long chaos_sum_of_two(long a, long b) { return a + b; }
long chaos_sum(const std::vector<int>& all) {
    long sum = 0;
    for (const int n : all) { sum += n; }
    return sum;
}

bool chain_is_right(Pool& pool, int length) {
    const TaskOptions options{.retries = again};
    auto chain = pool.apply_async(options, same, 0);
    for (int n = 0; n < length; ++n) { chain = pool.apply_async(options, chaos_one_more, std::move(chain)); }
    return get_soon(chain, 4 * wait_limit) == length;
}
bool tree_is_right(Pool& pool, long leaves) {
    const TaskOptions options{.retries = again};
    std::vector<Future<long>> level;
    for (long n = 0; n < leaves; ++n) { level.push_back(pool.apply_async(options, chaos_sum_of_two, n, 0L)); }
    while (level.size() > 1) {
        std::vector<Future<long>> next;
        for (std::size_t i = 0; i < level.size(); i += 2) {
            next.push_back(pool.apply_async(options, chaos_sum_of_two, std::move(level[i]), std::move(level[i + 1])));
        }
        level = std::move(next);
    }
    return get_soon(level.front(), 4 * wait_limit) == leaves * (leaves - 1) / 2;
}
bool fan_is_right(Pool& pool, int width) {
    const TaskOptions options{.retries = again};
    const SharedFuture<int> root = pool.apply_async(options, chaos_one_more, 0).share();
    std::vector<Future<int>> all;
    for (int n = 0; n < width; ++n) { all.push_back(pool.apply_async(options, chaos_one_more, root)); }
    auto sum = pool.apply_async(options, chaos_sum, when_all(std::move(all)));
    return get_soon(sum, 4 * wait_limit) == 2L * width;
}
/// Half of it is withdrawn: each end has its value, or was cancelled with what it waits for.
bool cancelled_graph_is_right(Pool& pool, std::mt19937& random) {
    const TaskOptions options{.retries = again};
    const SharedFuture<int> root = pool.apply_async(options, same, 5).share();
    std::vector<SharedFuture<int>> middle;
    std::vector<bool> withdrawn;
    for (int n = 0; n < 30; ++n) { middle.push_back(pool.apply_async(options, chaos_one_more, root).share()); }
    std::vector<Future<int>> ends;
    for (const SharedFuture<int>& one : middle) { ends.push_back(pool.apply_async(options, chaos_one_more, one)); }
    for (const SharedFuture<int>& one : middle) { withdrawn.push_back(random() % 2 == 0 && one.cancel()); }
    bool right = true;
    for (std::size_t n = 0; n < ends.size(); ++n) {
        try {
            right = get_soon(ends[n], 4 * wait_limit) == 7 && !withdrawn[n] && right;
        } catch (const TaskCancelled&) { right = withdrawn[n] && right; }
    }
    return right;
}

void kill_under_graphs(std::size_t workers, std::size_t capacity) {
    const unsigned seed = chaos_seed();
    std::printf("PROCPOOL_CHAOS_SEED=%u\n", seed);
    std::fflush(stdout);
    std::mt19937 random{seed};
    Muster muster;
    std::size_t graphs = 0;
    std::size_t wrong = 0;
    {
        Pool pool{PoolOptions{.workers = workers, .queue_capacity = capacity}};
        WorkerKiller killer{pool, seed};
        const auto end = std::chrono::steady_clock::now() + chaos_time();
        while (std::chrono::steady_clock::now() < end || killer.kills() == 0) {
            wrong += chain_is_right(pool, 800) ? 0U : 1U;
            wrong += tree_is_right(pool, 512) ? 0U : 1U;
            wrong += fan_is_right(pool, 600) ? 0U : 1U;
            wrong += cancelled_graph_is_right(pool, random) ? 0U : 1U;
            graphs += 4;
        }
        killer.stop();
        wait_for_full_set(pool, 5 * recovery);
        muster.call(pool, 5 * recovery);
        const PoolStats stats = pool.stats();
        CHECK(stats.failed == 0);
        // A worker that is killed when it has counted a task, and not said so yet, leaves one too many.
        CHECK(stats.completed + stats.cancelled - stats.submitted <= killer.kills());
        std::printf("%zu kills, %zu graphs\n", killer.kills(), graphs);
    }
    CHECK(wrong == 0);
}

TEST_CASE("chaos: workers are killed under graphs of tasks - 2 workers", "[slow]") { kill_under_graphs(2, 4096); }
TEST_CASE("chaos: workers are killed under graphs of tasks - 4 workers", "[slow]") { kill_under_graphs(4, 4096); }
TEST_CASE("chaos: workers are killed under graphs of tasks - few slots", "[slow]") { kill_under_graphs(3, 50); }

}  // namespace
