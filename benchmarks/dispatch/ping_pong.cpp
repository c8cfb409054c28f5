// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: one cache line to another process and back, spinning: the least that any round trip between two processes can cost. It is
/// the baseline of several cases, so its figure is printed for each of them.

#include "config.hpp"

#include <atomic>
#include <new>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        require(page != MAP_FAILED, "mmap");
        auto& line = *new (page) std::atomic<int>{0};
        constexpr int over = -1;
        const pid_t child = ::fork();
        require(child >= 0, "fork");
        if (child == 0) {
            for (int expected = 1;; expected += 2) {
                for (int seen = 0; (seen = line.load(std::memory_order_acquire)) != expected;) {
                    if (seen == over) { ::_exit(0); }
                }
                line.store(expected + 1, std::memory_order_release);
            }
        }
        int last = 0;
        const auto trips = [&](int count) {
            for (int i = 0; i < count; ++i, last += 2) {
                line.store(last + 1, std::memory_order_release);
                while (line.load(std::memory_order_acquire) != last + 2) {}
            }
        };
        constexpr int lot = 100;
        trips(lot);
        int lots = 0;
        const double took = seconds([&] {
            // A trip takes as long as a time slice where the two do not have a CPU each.
            const Clock::time_point end = Clock::now() + std::chrono::milliseconds{arguments.pick(1, 30, 60)};
            for (; lots == 0 || Clock::now() < end; ++lots) { trips(lot); }
        });
        const double each = took * 1e9 / lots / lot;
        line.store(over, std::memory_order_release);
        ::waitpid(child, nullptr, 0);
        report(dispatch::round_trip, each, "ns");
        report(dispatch::tasks_with_results, each, "ns");
    });
}
