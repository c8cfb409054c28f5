// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// scaling: with 1 to 64 workers, how fast tasks go, and what the workers cost while there are none.

#include "../common.hpp"
#include "../executors/executor.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

namespace benchmarks::scaling {

namespace fs = std::filesystem;

/// The processes that this one has started, and those that they have.
inline std::vector<pid_t> descendants(pid_t of) {
    std::vector<pid_t> all;
    for (const fs::directory_entry& thread : fs::directory_iterator{"/proc/" + std::to_string(of) + "/task"}) {
        std::ifstream children{thread.path() / "children"};
        for (pid_t child = 0; children >> child;) {
            all.push_back(child);
            const std::vector<pid_t> theirs = descendants(child);
            all.insert(all.end(), theirs.begin(), theirs.end());
        }
    }
    return all;
}

/// Nanoseconds that all threads but the calling one have run, of this process and its descendants.
inline double cpu_time() {
    double sum = 0;
    std::vector<pid_t> processes = descendants(::getpid());
    processes.push_back(::getpid());
    for (const pid_t process : processes) {
        for (const fs::directory_entry& thread : fs::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
            if (thread.path().filename() == std::to_string(::getpid())) { continue; }
            std::ifstream file{thread.path() / "schedstat"};
            double ran = 0;
            file >> ran;
            sum += ran;
        }
    }
    return sum;
}

/// The share of the memory that is a process's (PSS), in bytes.
inline double memory_of(pid_t process) {
    std::ifstream file{"/proc/" + std::to_string(process) + "/smaps_rollup"};
    for (std::string word; file >> word;) {
        double kilobytes = 0;
        if (word == "Pss:" && file >> kilobytes) { return 1024 * kilobytes; }
    }
    return 0;
}

/// The cost of workers while they idle.
inline void measure_idle(const Arguments& arguments) {
    std::this_thread::sleep_for(std::chrono::milliseconds{50});  // they have stopped looking for work
    const std::vector<pid_t> children = descendants(::getpid());
    if (!children.empty()) {
        double memory = 0;
        for (const pid_t child : children) { memory += memory_of(child); }
        report("memory for each idle worker (PSS)", memory / static_cast<double>(arguments.workers), "B");
    }
    const bool long_look = arguments.size == Size::full && arguments.workers == 64;
    const auto time = std::chrono::milliseconds{long_look ? 10'000 : arguments.pick(20, 200, 500)};
    const double before = cpu_time();
    std::this_thread::sleep_for(time);
    const double used = cpu_time() - before;
    report("CPU time of all idle workers, for each second", used / std::chrono::duration<double>(time).count(), "ns");
}

template <Executor E>
int run(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        E executor{arguments.workers};
        const auto increment = [](std::uint32_t x) { return x + 1; };
        const std::size_t count = arguments.pick<std::size_t>(500, 100'000, 500'000) / slowness<E>();
        using Result = decltype(executor.submit(increment, std::uint32_t{}));
        std::uint64_t sum = 0;
        const auto all = [&] {
            std::vector<Result> results;
            results.reserve(count);
            for (std::uint32_t i = 0; i < count; ++i) { results.push_back(executor.submit(increment, i)); }
            sum = 0;
            for (Result& result : results) { sum += result.get(); }
        };
        within(executor, all);
        report("tasks with results, submitted, then collected", nanoseconds_each(count, [&] { within(executor, all); }),
               "ns");
        require(sum == std::uint64_t{count} * (count + 1) / 2, "wrong sum");
        measure_idle(arguments);
    });
}

}  // namespace benchmarks::scaling
