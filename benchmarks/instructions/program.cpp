// SPDX-License-Identifier: BSL-1.0
/// \file
/// A fixed amount of work for instructions.py to count: `program CASE TASKS`. It prints the worker's process. On one
/// CPU no process spins; and in `apply_async` none waits while there is work, so that the counts hardly depend on the
/// time. Nor do they depend on the machine: its clock here moves every few milliseconds only, so that a block of items
/// takes next to no time, as it does without valgrind.

#include <procpool/procpool.hpp>

#include <dlfcn.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

/// In the place of the C library's, which it calls: that makes no system call but under valgrind.
extern "C" int clock_gettime(clockid_t clock, timespec* when) noexcept {
    using Function = int (*)(clockid_t, timespec*);
    static constinit std::atomic<Function> real{nullptr};
    if (real.load() == nullptr) { real.store(reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "clock_gettime"))); }
    return real.load()(clock == CLOCK_MONOTONIC ? CLOCK_MONOTONIC_COARSE : clock, when);
}

int main(int argc, char** argv) {
    if (argc != 3) { return 2; }
    const std::string_view name = argv[1];
    const auto tasks = static_cast<std::uint32_t>(std::atoi(argv[2]));
    const auto increment = [](std::uint32_t x) { return x + 1; };
    procpool::Pool pool{procpool::PoolOptions{.workers = 1, .latencies = name == "latencies"}};
    std::printf("%d\n", pool.apply([] { return static_cast<int>(procpool::this_worker::pid()); }));
    std::fflush(stdout);
    std::uint64_t sum = 0;
    if (name == "apply") {
        for (std::uint32_t i = 0; i < tasks; ++i) { sum += pool.apply(increment, i); }
    } else if (name == "apply_async" || name == "latencies") {
        const procpool::Shared<std::atomic<int>> go{0};
        auto gate = pool.apply_async([p = go.get()] {
            while (p->load() == 0) { std::this_thread::sleep_for(std::chrono::milliseconds{50}); }
        });
        std::vector<procpool::Future<std::uint32_t>> futures(tasks);
        for (std::uint32_t i = 0; i < tasks; ++i) { futures[i] = pool.apply_async(increment, i); }
        go->store(1);
        while (!futures.back().ready()) { std::this_thread::sleep_for(std::chrono::milliseconds{50}); }
        gate.get();
        for (auto& future : futures) { sum += future.get(); }
    } else if (name == "map") {
        std::vector<std::uint32_t> items(tasks);
        for (std::uint32_t i = 0; i < tasks; ++i) { items[i] = i; }
        const procpool::MapOptions by_itself{.chunk_size = 1000,
                                             .retries = 1};  // accounted for, so that the clock decides nothing
        for (const std::uint32_t one : pool.map(by_itself, increment, items)) { sum += one; }
    } else {
        return 2;
    }
    return sum == std::uint64_t{tasks} * (tasks + 1) / 2 ? 0 : 1;
}
