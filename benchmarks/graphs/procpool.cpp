// SPDX-License-Identifier: BSL-1.0
/// \file
/// graphs: procpool's futures as arguments. Also what a submission costs while no worker can run it, and graphs that
/// are far larger than the queue.

#include "config.hpp"

#include <procpool/procpool.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace benchmarks;
using namespace benchmarks::graphs;

int run_chain(procpool::Pool& pool, int steps) {
    procpool::Future<int> last = pool.apply_async(increment, 0);
    for (int i = 1; i < steps; ++i) { last = pool.apply_async(increment, std::move(last)); }
    return last.get();
}

int run_tree(procpool::Pool& pool) {
    std::vector<procpool::Future<int>> first;
    for (std::size_t i = 0; i < leaves; ++i) { first.push_back(pool.apply_async(increment, 0)); }
    return join_all(std::move(first),
                    [&](auto left, auto right) { return pool.apply_async(add, std::move(left), std::move(right)); })
        .get();
}

int run_fan(procpool::Pool& pool, int wide) {
    const procpool::SharedFuture<int> one = pool.apply_async(increment, 0).share();
    std::vector<procpool::Future<int>> all;
    for (int i = 0; i < wide; ++i) { all.push_back(pool.apply_async(increment, one)); }
    return pool.apply_async(sum, when_all(all)).get();
}

int run_independent(procpool::Pool& pool, int count) {
    std::vector<procpool::Future<int>> all(static_cast<std::size_t>(count));
    for (auto& one : all) { one = pool.apply_async(increment, 0); }
    int result = 0;
    for (auto& one : all) { result += one.get(); }
    return result;
}

/// Keeps all workers busy while it lives, with tasks that look every now and then whether they may end.
class Gate {
public:
    explicit Gate(procpool::Pool& pool) {
        for (std::size_t i = 0; i < pool.size(); ++i) {
            held_.push_back(pool.apply_async([state = state_.get()] {
                ++state->waiting;
                while (!state->open) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }
            }));
        }
        while (state_->waiting != static_cast<int>(held_.size())) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }
    ~Gate() {
        state_->open = true;
        wait_all(held_);
    }

private:
    struct State {
        std::atomic<int> waiting{0};
        std::atomic<bool> open{false};
    };
    procpool::Shared<State> state_;
    std::vector<procpool::Future<void>> held_;
};

/// Returns: seconds of `count` submissions while no worker is free. prepare(): before them; submit(i): the i-th.
template <class Prepare, class Submit>
double submissions(procpool::Pool& pool, std::size_t count, Prepare prepare, Submit submit) {
    std::vector<procpool::Future<int>> all(count);
    double took = 0;
    {
        const Gate gate{pool};
        prepare();
        took = seconds([&] {
            for (std::size_t i = 0; i < count; ++i) { all[i] = submit(i); }
        });
    }
    for (auto& one : all) { one.get(); }
    return took;
}

void measure_submissions(const Arguments& arguments) {
    procpool::Pool pool{{.workers = arguments.workers, .queue_capacity = 8192}};
    const std::size_t count = arguments.pick<std::size_t>(200, 4000, 4000);
    constexpr auto add_eight = [](int a, int b, int c, int d, int e, int f, int g, int h) {
        return a + b + c + d + e + f + g + h;
    };
    std::vector<procpool::SharedFuture<int>> shared(64);
    const auto submit_shared = [&] {
        for (auto& one : shared) { one = pool.apply_async(increment, 0).share(); }
    };
    const auto at = [&](std::size_t i) -> const procpool::SharedFuture<int>& { return shared[i % shared.size()]; };
    Turns turns = make_turns(arguments);
    turns.add("submission: an independent task", count, [&] {
        return submissions(
            pool, count, [] {}, [&](std::size_t) { return pool.apply_async(increment, 0); });
    });
    turns.add("submission: a task with a dependency", count, [&] {
        return submissions(pool, count, submit_shared,
                           [&](std::size_t i) { return pool.apply_async(increment, at(i)); });
    });
    turns.add("submission: a task with eight dependencies", count, [&] {
        return submissions(pool, count, submit_shared, [&](std::size_t i) {
            return pool.apply_async(add_eight, at(i), at(i + 1), at(i + 2), at(i + 3), at(i + 4), at(i + 5), at(i + 6),
                                    at(i + 7));
        });
    });
    turns.run_and_report();
}

void measure_small_queue(const Arguments& arguments) {
    procpool::Pool pool{{.workers = arguments.workers, .queue_capacity = 64}};
    const std::size_t count = arguments.pick<std::size_t>(2000, 100'000, 100'000);
    const int tasks = static_cast<int>(count);
    Turns turns{arguments.pick<std::size_t>(1, 1, 3)};
    add_graph(turns, "a queue of 64: a chain of 100,000 tasks", count, count, [&] { return run_chain(pool, tasks); });
    add_graph(turns, "a queue of 64: 100,000 tasks behind one, one behind those", count, 2 * count,
              [&] { return run_fan(pool, tasks); });
    turns.run_and_report();
}

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        {
            procpool::Pool pool{arguments.workers};
            const std::size_t count = arguments.pick<std::size_t>(2000, 50'000, 100'000);
            Turns turns = make_turns(arguments);
            add_graph(turns, "100,000 independent tasks", count, count,
                      [&] { return run_independent(pool, static_cast<int>(count)); });
            add_graphs(
                turns, arguments, 1, [&](int steps) { return run_chain(pool, steps); }, [&] { return run_tree(pool); },
                [&](int wide) { return run_fan(pool, wide); });
            turns.run_and_report();
        }
        measure_submissions(arguments);
        measure_small_queue(arguments);
    });
}
