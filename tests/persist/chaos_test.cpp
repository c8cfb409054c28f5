// SPDX-License-Identifier: BSL-1.0
// Two programs with four workers each on one memo, and SIGKILL for any of them at any time. PROCPOOL_CHAOS_SECONDS says
// for how long, PROCPOOL_CHAOS_SEED with which choices.
#include <procpool/memo.hpp>
#include <procpool/os/file.hpp>
#include <procpool/persist/check_file.hpp>

#include "os/in_child.hpp"
#include "persist/directory.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <sys/syscall.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace {

[[nodiscard]] long number_from(const char* name, long otherwise) {
    const char* const given = std::getenv(name);
    return given != nullptr ? std::atol(given) : otherwise;
}

[[nodiscard]] std::uint64_t mix(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    return x ^ x >> 27;
}

/// Some small results, some that have pages of their own.
[[nodiscard]] std::vector<std::uint64_t> numbers(std::uint64_t seed) {
    std::vector<std::uint64_t> all(seed % 11 == 0 ? 200 + seed % 700 : seed % 60);
    for (std::size_t i = 0; i != all.size(); ++i) { all[i] = mix(seed * 1000 + i); }
    return all;
}

[[nodiscard]] pid_t parent_of(pid_t pid) {
    const std::string stat = detail::os::text_of_file(("/proc/" + std::to_string(pid) + "/stat").c_str());
    const std::size_t end = stat.rfind(')');
    return end == std::string::npos ? 0 : std::atoi(stat.c_str() + end + 4);
}

/// Kills a worker of this process's pool, and nothing that got its number meanwhile.
void kill_worker(const Pool& pool, std::mt19937& random) {
    const std::vector<WorkerInfo> workers = pool.workers();
    if (workers.empty()) { return; }
    const pid_t pid = workers[random() % workers.size()].pid;
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) { return; }
    if (parent_of(parent_of(pid)) == ::getpid()) { ::syscall(SYS_pidfd_send_signal, descriptor, SIGKILL, nullptr, 0); }
    ::close(descriptor);
}

/// Maps over the memo until the gate is open. Returns: 0, unless a result was wrong.
int run_program(const std::filesystem::path& path, unsigned seed, const Gate& stop, const Counter& rounds,
                const MemoOptions& options) {
    std::mt19937 random{seed};
    const Memo memo{path, options};
    const auto f = memo(numbers, "numbers", 1);
    Pool pool{PoolOptions{.workers = 4}};
    while (!stop.is_set()) {
        std::vector<std::uint64_t> seeds(40);
        for (std::uint64_t& one : seeds) { one = random() % 3000; }
        auto future = pool.map_async(MapOptions{.retries = 100}, f, seeds);
        while (future.wait_for(std::chrono::microseconds{random() % 3000}) != std::future_status::ready) {
            kill_worker(pool, random);
        }
        const auto results = future.get();
        for (std::size_t i = 0; i != seeds.size(); ++i) {
            if (results[i] != numbers(seeds[i])) { return 1; }
        }
        rounds.add();
    }
    return 0;
}

void attack(const MemoOptions& options) {
    const auto seed = static_cast<unsigned>(number_from("PROCPOOL_CHAOS_SEED", std::random_device{}()));
    std::printf("PROCPOOL_CHAOS_SEED=%u\n", seed);
    std::fflush(stdout);  // before forks
    std::mt19937 random{seed};
    const TemporaryDirectory directory;
    SharedPage page;
    const Gate stop{page};
    const Counter rounds{page};
    const auto start = [&] {
        const auto its_seed = static_cast<unsigned>(random());
        return start_child([&, its_seed] { return run_program(directory.memo(), its_seed, stop, rounds, options); });
    };
    std::vector<pid_t> programs{start(), start()};
    std::size_t killed = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{number_from("PROCPOOL_CHAOS_SECONDS", 3)};
    while (std::chrono::steady_clock::now() < end) {
        const std::int64_t before = rounds.value();
        const std::int64_t more = static_cast<std::int64_t>(random() % 6);
        wait_until([&] { return rounds.value() >= before + more; }, "rounds of maps");
        pid_t& victim = programs[random() % programs.size()];
        if (random() % 4 == 0) { ::usleep(static_cast<useconds_t>(random() % 20000)); }
        ::kill(victim, SIGKILL);
        REQUIRE(wait_for_child(victim) == SIGKILL);
        ++killed;
        victim = start();
    }
    stop.set();
    for (const pid_t program : programs) { CHECK(wait_for_child(program, std::chrono::seconds{30}) == 0); }
    CHECK(killed > 0);
    CHECK(rounds.value() > 0);
    CHECK(detail::persist::is_whole(detail::os::FileView{(directory.memo() / "data.mdb").c_str()}.bytes()));

    // No lock is left, and nothing is damaged.
    Calls calls;
    const Memo memo{directory.memo(), options};
    CHECK(memo(square)(5) == 25);
    CHECK(memo(square)(5) == 25);
    CHECK(calls.take() == 1);
    const auto f = memo(numbers, "numbers", 1);
    for (std::uint64_t i = 0; i != 3000; ++i) { CHECK(f(i) == numbers(i)); }
    const MemoStats stats = memo.stats();
    CHECK(stats.damaged == 0);
    CHECK(stats.hits > 0);
    std::printf("%zu programs killed, %lld rounds, %llu hits, %llu stores, %llu evictions\n", killed,
                static_cast<long long>(rounds.value()), static_cast<unsigned long long>(stats.hits),
                static_cast<unsigned long long>(stats.stores), static_cast<unsigned long long>(stats.evictions));
}

}  // namespace

TEST_CASE("chaos: two programs and eight workers on one memo", "[slow]") { attack({}); }

TEST_CASE("chaos: the same where entries have to make room", "[slow]") { attack({.most_bytes = 400'000}); }
