// SPDX-License-Identifier: BSL-1.0
#include "mpi/accounts.hpp"
#include "mpi/machines.hpp"
#include "support/events.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <unistd.h>

#if !defined(PROCPOOL_TEST_MACHINES)
#error "this needs pages that all ranks share"
#endif

using namespace machines;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

/// The processes that have lately become workers, of all ranks. Made before the pool.
class Roll {
public:
    Roll() : entries_(page_) {
        for (Word*& pid : pids_) { pid = page_.word(); }
    }
    void enter() const { pids_[static_cast<std::size_t>(entries_.add() - 1) % pids_.size()]->store(::getpid()); }
    /// 0: the last one.
    [[nodiscard]] pid_t entry(std::size_t back) const {
        return static_cast<pid_t>(
            pids_[(static_cast<std::size_t>(entries_.value()) - 1 - back) % pids_.size()]->load());
    }

private:
    SharedPage page_;
    Counter entries_;
    std::array<Word*, 32> pids_{};
};

int number_from(const char* variable, int otherwise) {
    const char* const text = std::getenv(variable);
    return text != nullptr ? std::atoi(text) : otherwise;
}

std::size_t index_here() { return this_worker::index(); }
int squared(int n) { return n * n; }

struct Counts {
    std::atomic<std::uint64_t> tasks{0};
    std::atomic<std::uint64_t> lost{0};
    std::atomic<std::uint64_t> cancelled{0};
    std::atomic<std::uint64_t> timed_out{0};
    std::atomic<std::uint64_t> wrong{0};
};

/// One call whose end is known, or one of those that a kill allows.
void call(MpiPool& pool, std::mt19937& random, Counts& counts) {
    const int n = static_cast<int>(random() % 10000);
    const auto expect = [&](bool right) {
        if (!right) { ++counts.wrong; }
    };
    try {
        ++counts.tasks;
        switch (random() % 8) {
            case 0: expect(pool.apply(TaskOptions{.retries = 100}, squared, n) == n * n); break;
            case 1: expect(pool.apply_async(squared, n).get() == n * n); break;
            case 2: {
                std::vector<int> items(random() % 300);
                std::iota(items.begin(), items.end(), n);
                const auto squares = pool.map(
                    MapOptions{.chunk_size = random() % 20, .retries = 100}, [](int i) { return i + 1; }, items);
                expect(squares.size() == items.size());
                for (std::size_t i = 0; i < squares.size(); ++i) { expect(squares[i] == items[i] + 1); }
                break;
            }
            case 3: expect(pool.broadcast(index_here) == std::vector<std::size_t>{0, 1, 2, 3}); break;
            case 4: {
                auto task = pool.apply_async([] { ::pause(); });
                std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
                static_cast<void>(task.kill());
                task.get();
                ++counts.wrong;
                break;
            }
            case 5: {
                auto task = pool.apply_async([](std::stop_token stop) {
                    while (!stop.stop_requested()) { ::usleep(100); }
                    return 5;
                });
                std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
                static_cast<void>(task.cancel());
                expect(task.get() == 5);
                break;
            }
            case 6:
                pool.apply(TaskOptions{.timeout = std::chrono::milliseconds{1 + random() % 10}}, [] { ::pause(); });
                ++counts.wrong;
                break;
            default: {
                const std::string text(random() % 200000, 'x');
                expect(pool.apply(
                           TaskOptions{.retries = 100}, [](std::string all) { return all; }, text) == text);
            }
        }
    } catch (const WorkerDied&) { ++counts.lost; } catch (const TaskCancelled&) {
        ++counts.cancelled;
    } catch (const TaskTimedOut&) { ++counts.timed_out; }
}

}  // namespace

TEST_CASE("MPI-40 chaos: workers of both machines are killed at random in mixed work", "[slow]") {
    const auto seed =
        static_cast<unsigned>(number_from("PROCPOOL_CHAOS_SEED", static_cast<int>(std::random_device{}())));
    const std::chrono::seconds length{number_from("PROCPOOL_CHAOS_SECONDS", 5)};
    const Roll roll;
    MpiPool pool{{.workers = 2, .initializer = [&roll] { roll.enter(); }, .mpi = {.node_timeout = 60s}}};
    std::printf("seed %u\n", seed);
    std::fflush(stdout);
    const auto supervisors_of_all = pool.broadcast([] { return ::getppid(); });
    const std::set<pid_t> supervisors(supervisors_of_all.begin(), supervisors_of_all.end());
    REQUIRE(supervisors.size() == 2);

    Counts counts;
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (unsigned t = 1; t <= 3; ++t) {
        threads.emplace_back([&, t] {
            std::mt19937 random{seed + t};
            while (!over) { call(pool, random, counts); }
        });
    }
    std::mt19937 random{seed};
    std::uint64_t kills = 0;
    for (const auto end = std::chrono::steady_clock::now() + length; std::chrono::steady_clock::now() < end;) {
        std::this_thread::sleep_for(std::chrono::milliseconds{5 + random() % 50});
        const pid_t pid = roll.entry(random() % 4);
        if (pid != 0 && supervisors.contains(parent_of(pid)) && ::kill(pid, SIGKILL) == 0) { ++kills; }
    }
    over = true;
    for (std::thread& thread : threads) { thread.join(); }
    std::printf("%llu calls, %llu kills, %llu lost, %llu cancelled, %llu timed out\n",
                static_cast<unsigned long long>(counts.tasks), static_cast<unsigned long long>(kills),
                static_cast<unsigned long long>(counts.lost), static_cast<unsigned long long>(counts.cancelled),
                static_cast<unsigned long long>(counts.timed_out));
    CHECK(counts.wrong == 0);
    CHECK(kills > 0);
    CHECK(pool.broadcast(index_here) == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(pool.nodes()[1].alive);
    pool.close();
    REQUIRE(pool.join_for(wait_limit));
    const PoolStats stats = pool.stats();
    every_task_counts(pool);
    CHECK(stats.timed_out == counts.timed_out);
}
