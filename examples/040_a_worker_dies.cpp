// SPDX-License-Identifier: BSL-1.0
// A task that takes its process down with it ends in WorkerDied. Nothing else is lost: another worker takes the place.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <csignal>
#include <cstdlib>
#include <vector>

void follow_a_null_pointer() {
    volatile int* nowhere = nullptr;
    *nowhere = 1;
}
void call_exit() { std::exit(3); }
void be_killed() { std::raise(SIGKILL); }  // as the kernel does when memory runs out

int mostly_harmless(int n) {
    if (n == 42) { std::abort(); }
    return n;
}

int main() {
    procpool::ProcessPool pool{2};

    for (void (*const deadly)() : {follow_a_null_pointer, call_exit, be_killed}) {
        try {
            pool.apply(deadly);
        } catch (const procpool::WorkerDied& death) { fmt::print("The worker {}.\n", to_string(death.exit_status())); }
    }

    // A hundred tasks at once, one of them deadly: there are 99 answers and one error.
    std::vector<procpool::Future<int>> futures;
    for (int n = 0; n < 100; ++n) { futures.push_back(pool.apply_async(mostly_harmless, n)); }
    int answers = 0;
    for (int n = 0; n < 100; ++n) {
        try {
            answers += futures[static_cast<std::size_t>(n)].get() == n ? 1 : 0;
        } catch (const procpool::WorkerDied& death) {
            fmt::print("Task {}: the worker {}.\n", n, to_string(death.exit_status()));
        }
    }
    fmt::print("{} tasks answered.\n", answers);
}
