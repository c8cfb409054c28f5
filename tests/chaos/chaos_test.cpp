// SPDX-License-Identifier: BSL-1.0
// Random deaths in the middle of mixed work. PROCPOOL_CHAOS_SECONDS says for how long each case runs, 3 s if it is not
// set.
#include "chaos/mixed_work.hpp"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <thread>

#include <sys/syscall.h>
#include <unistd.h>

using namespace procpool_test;

namespace {

[[nodiscard]] pid_t parent_of(pid_t pid) {
    const std::string stat = text_of_file("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name_end = stat.rfind(')');
    return name_end == std::string::npos ? 0 : std::atoi(stat.c_str() + name_end + 4);
}

/// Signals a process if it is a child of `parent`, and never one that got its number meanwhile.
bool signal_child_of(pid_t parent, pid_t pid, int signal) {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) { return false; }
    const bool mine = parent_of(pid) == parent && ::syscall(SYS_pidfd_send_signal, descriptor, signal, nullptr, 0) == 0;
    ::close(descriptor);
    return mine;
}

[[nodiscard]] pid_t supervisor_of(const Pool& pool) {
    pid_t found = 0;
    wait_until(
        [&] {
            for (const WorkerInfo& info : pool.workers()) {
                if (is_alive(info.pid)) { found = parent_of(info.pid); }
            }
            return found > 1;
        },
        "a worker");
    return found;
}

/// Kills and stops workers until it goes.
class Killer {
public:
    Killer(Pool& pool, unsigned seed, unsigned pause)
        : pool_(pool),
          supervisor_(supervisor_of(pool)),
          random_(seed),
          pause_(pause),
          thread_([this] { run(); }) {}
    ~Killer() {
        stopping_ = true;
        thread_.join();
    }
    [[nodiscard]] std::size_t kills() const { return kills_; }

private:
    void run() {
        bool last_was_starting = false;
        while (!stopping_) {
            std::this_thread::sleep_for(std::chrono::microseconds{random_() % pause_});
            const auto seats = board_of(pool_).seats();
            const detail::task::Seat& seat = seats[random_() % seats.size()];
            const detail::task::SeatState state = seat.state.load();
            const bool starting = state == detail::task::SeatState::starting;
            // Many deaths in a row before a worker is ready are a broken initializer to the pool.
            if (state == detail::task::SeatState::vacant || (starting && last_was_starting)) { continue; }
            const pid_t victim = seat.pid.load();
            constexpr int deadly[] = {SIGKILL, SIGKILL, SIGKILL, SIGTERM, SIGSEGV};
            const int signal = starting ? SIGKILL : deadly[random_() % std::size(deadly)];
            // One that has not run an instruction yet, and so not asked to die with its supervisor, is not stopped: if
            // the supervisor is killed before it has stopped, the kernel finds no process to wake in the orphaned
            // group, and the worker stays.
            if (!starting && random_() % 8 == 0) {
                if (!signal_child_of(supervisor_, victim, SIGSTOP)) { continue; }
                std::this_thread::sleep_for(std::chrono::microseconds{random_() % (4 * pause_)});
                if (random_() % 2 == 0) {
                    signal_child_of(supervisor_, victim, SIGCONT);
                    continue;
                }
                signal_child_of(supervisor_, victim, SIGKILL);
            } else if (!signal_child_of(supervisor_, victim, signal)) {
                continue;
            }
            last_was_starting = starting;
            ++kills_;
        }
    }

    Pool& pool_;
    pid_t supervisor_;
    std::mt19937 random_;
    unsigned pause_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> kills_{0};
    std::thread thread_;
};

[[nodiscard]] PoolOptions random_options(std::mt19937& random) {
    PoolOptions options{.workers = 1 + random() % 4};
    constexpr std::size_t limits[] = {0, 0, 1, 5, 50};
    options.max_tasks_per_worker = limits[random() % std::size(limits)];
    constexpr std::size_t capacities[] = {4096, 64, 6};
    options.queue_capacity = capacities[random() % std::size(capacities)];
    options.terminate_grace = 100ms;
    return options;
}

/// Threads that do mixed work until it ends in an error or they are stopped.
class Workload {
public:
    Workload(Pool& pool, unsigned seed, std::size_t threads) {
        for (std::size_t i = 0; i < threads; ++i) {
            threads_.emplace_back([this, &pool, seed, i] {
                MixedWork work{pool, seed + static_cast<unsigned>(i)};
                try {
                    while (!stopping_) { work.some(); }
                } catch (const PoolBroken& error) { end(work, error); } catch (const PoolTerminated& error) {
                    end(work, error);
                } catch (const PoolClosed& error) { end(work, error); } catch (const std::exception& error) {
                    note(error);
                }
                judged_ += work.judged();
                died_ += work.died();
            });
        }
    }
    ~Workload() { join(); }
    void join() {
        stopping_ = true;
        for (std::thread& thread : threads_) {
            if (thread.joinable()) { thread.join(); }
        }
    }
    /// The failures, and the reason of the end where the pool ended first.
    [[nodiscard]] std::string wrong() const {
        const std::lock_guard guard{mutex_};
        return wrong_;
    }
    [[nodiscard]] std::string ended() const {
        const std::lock_guard guard{mutex_};
        return ended_;
    }
    [[nodiscard]] std::size_t judged() const { return judged_; }
    [[nodiscard]] std::size_t died() const { return died_; }

private:
    void end(MixedWork& work, const std::exception& error) {
        {
            const std::lock_guard guard{mutex_};
            ended_ = error.what();
        }
        try {
            work.settle(true);
        } catch (const std::exception& second) { note(second); }
    }
    void note(const std::exception& error) {
        const std::lock_guard guard{mutex_};
        wrong_ += std::string{error.what()} + "\n";
    }

    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> judged_{0};
    std::atomic<std::size_t> died_{0};
    mutable std::mutex mutex_;  // of what follows
    std::string wrong_;
    std::string ended_;
    std::vector<std::thread> threads_;
};

TEST_CASE("chaos: workers are killed and stopped at random in the middle of mixed work", "[slow]") {
    const unsigned seed = chaos_seed();
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    std::size_t judged = 0;
    std::size_t died = 0;
    std::size_t kills = 0;
    const auto end = std::chrono::steady_clock::now() + chaos_time();
    for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
        Muster muster;
        Pool pool{random_options(random)};
        Workload work{pool, static_cast<unsigned>(random()), 1 + random() % 3};
        {
            Killer killer{pool, static_cast<unsigned>(random()), random() % 3 == 0 ? 1000U : 10'000U};
            std::this_thread::sleep_for(std::chrono::milliseconds{200 + random() % 600});
            work.join();
            kills += killer.kills();
        }
        judged += work.judged();
        died += work.died();
        INFO("round " << round << ", " << pool.size() << " workers, " << fmt::format("{}", pool.stats()));
        REQUIRE(work.wrong() + work.ended() == "");
        REQUIRE_NOTHROW(wait_for_full_set(pool));
        REQUIRE_NOTHROW(muster.call(pool));
        CHECK(pool.stats().workers_started >= pool.size());
    }
    std::printf("%zu kills, %zu tasks, of which %zu died with their worker\n", kills, judged, died);
}

TEST_CASE("chaos: the supervisor is killed at random in the middle of mixed work", "[slow]") {
    const unsigned seed = chaos_seed();
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    const auto end = std::chrono::steady_clock::now() + chaos_time();
    for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
        std::vector<pid_t> workers;
        {
            Pool pool{random_options(random)};
            const pid_t supervisor = supervisor_of(pool);
            Workload work{pool, static_cast<unsigned>(random()), 1 + random() % 3};
            std::optional<Killer> killer;
            if (random() % 2 == 0) { killer.emplace(pool, static_cast<unsigned>(random()), 5000U); }
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 50'000});
            REQUIRE(signal_child_of(::getpid(), supervisor, SIGKILL));
            for (const WorkerInfo& info : pool.workers()) { workers.push_back(info.pid); }
            wait_until([&] { return work.ended() != "" || work.wrong() != ""; }, "the work to end");
            work.join();
            INFO("round " << round);
            REQUIRE(work.wrong() == "");
            REQUIRE(contains(work.ended(), "broken"));
            CHECK_THROWS_AS(pool.apply([] {}), PoolBroken);
        }
        for (const pid_t worker : workers) { wait_until_gone(worker, recovery); }
    }
}

TEST_CASE("chaos: the pool is terminated/killed or destroyed at random in the middle of mixed work", "[slow]") {
    const unsigned seed = chaos_seed();
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    const auto end = std::chrono::steady_clock::now() + chaos_time();
    for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
        Pool pool{random_options(random)};
        Workload work{pool, static_cast<unsigned>(random()), 1 + random() % 3};
        std::optional<Killer> killer;
        if (random() % 2 == 0) { killer.emplace(pool, static_cast<unsigned>(random()), 5000U); }
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 50'000});
        switch (random() % 3) {
            case 0: pool.terminate(); break;
            case 1: pool.kill(); break;
            default: pool.close(); break;
        }
        killer.reset();
        INFO("round " << round);
        REQUIRE(pool.join_for(wait_limit));
        work.join();
        REQUIRE(work.wrong() == "");
    }
}

TEST_CASE("chaos: the parent is killed at random in the middle of mixed work", "[slow]") {
    const unsigned seed = chaos_seed();
    std::printf("seed %u\n", seed);
    std::mt19937 random{seed};
    std::size_t rounds = 0;
    std::size_t in_time = 0;
    std::chrono::nanoseconds longest{0};
    const auto end = std::chrono::steady_clock::now() + chaos_time();
    for (; std::chrono::steady_clock::now() < end; ++rounds) {
        const auto child_seed = static_cast<unsigned>(random());
        Subprocess parent{[child_seed] {
            std::mt19937 mine{child_seed};
            for (;;) {
                Pool pool{random_options(mine)};
                std::printf("built\n");
                std::fflush(stdout);
                Workload work{pool, static_cast<unsigned>(mine()), 1 + mine() % 3};
                Killer killer{pool, static_cast<unsigned>(mine()), 5000};
                std::this_thread::sleep_for(std::chrono::milliseconds{mine() % 100});
                if (mine() % 2 == 0) { pool.terminate(); }
                work.join();
            }
        }};
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 150'000});
        ::kill(parent.pid(), SIGKILL);
        const auto start = std::chrono::steady_clock::now();
        // Every process it has made holds the pipe of its output, so the wait ends with the last of them.
        REQUIRE(killed_by(parent.wait(5 * recovery), SIGKILL));
        const std::chrono::nanoseconds lasted = since(start);
        longest = std::max(longest, lasted);
        in_time += lasted < 200ms + (under_sanitizer ? 5s : 800ms) ? 1U : 0U;
        CHECK_FALSE(contains(parent.output(), "exception"));
    }
    INFO("the longest took " << std::chrono::duration<double>(longest).count() << " s");
    CHECK(in_time * 10 >= rounds * 9);  // a busy machine keeps some from ending
}

}  // namespace
