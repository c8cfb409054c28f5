// SPDX-License-Identifier: BSL-1.0
/// \file
/// A program for gdb to stop in: `program CASE`.

#include <procpool/procpool.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace {

using namespace procpool;

/// The debugger stops here.
[[gnu::noinline]] void stop_here() { std::atomic_signal_fence(std::memory_order_seq_cst); }

/// The debugger stops a worker here.
[[gnu::noinline]] void leave_here() { std::_Exit(3); }

/// Two tasks run, two wait, and one has ended.
void look_at_a_pool() {
    Pool pool{PoolOptions{.workers = 2, .name = "painters"}};
    const Shared<std::atomic<int>> started{0};
    const Shared<std::atomic<int>> may_end{0};
    const auto wait = [started = started.get(), may_end = may_end.get()] {
        ++*started;
        while (may_end->load() == 0) { std::this_thread::yield(); }
    };
    Future<int> done = pool.apply_async([] { return 5; });
    done.wait();
    auto first = pool.apply_async(TaskOptions{.label = "red"}, wait);
    auto second = pool.apply_async(TaskOptions{.label = "green"}, wait);
    while (started->load() != 2) { std::this_thread::yield(); }
    auto pending = pool.apply_async(TaskOptions{.priority = 1, .label = "blue"}, [] { return 6; });
    auto unlabelled = pool.apply_async([] { return 7; });
    const SharedFuture<int> shared = std::move(done).share();
    const Future<int> empty;
    stop_here();
    may_end->store(1);
    first.get();
    second.get();
    static_cast<void>(pending.get() + unlabelled.get() + shared.get());
    pool.join();
    stop_here();
}

void run_in_a_thread() {
    ThreadPool pool{PoolOptions{.workers = 1, .name = "weavers"}};
    pool.apply([] {});
    try {
        pool.apply([] { throw 5; });
    } catch (const RemoteError&) {}
    pool.apply([] { this_worker::submit([] {}).get(); });
}

void lose_workers() {
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 1, .name = "miners"}};
    try {
        pool.apply([] { leave_here(); });
    } catch (const WorkerDied&) {}
    try {  // as long as the debugger lets the supervisor live
        while (pool.stats().workers_recycled == 0) {
            pool.apply([] {});
        }
    } catch (const PoolBroken&) {}
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc == 2 ? argv[1] : "";
    if (name == "look") {
        look_at_a_pool();
    } else if (name == "thread") {
        run_in_a_thread();
    } else if (name == "lose") {
        lose_workers();
    } else {
        return EXIT_FAILURE;
    }
}
