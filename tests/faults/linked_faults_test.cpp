// SPDX-License-Identifier: BSL-1.0
#include "faults/jobs.hpp"
#include "faults/saboteur.hpp"

#include <procpool/future/shared_future.hpp>
#include <procpool/future/when_all.hpp>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace procpool_test;

// A death or a stop between any two steps by which tasks learn that what they wait for has ended.

namespace {

using detail::FaultPoint;

int count_and_add(Counter runs, int n) {
    runs.add();
    return n + 1;
}
int count_and_add_two(Counter runs, int a, int b) {
    runs.add();
    return a + b;
}
int begin_behind(Counter rounds, std::int64_t round) {
    rounds.wait_for(round);
    return 0;
}

/// Tasks that wait for each other; the first one waits for a gate, so that workers tell all the others.
struct Graph {
    Jobs jobs;
    std::int64_t runs = 0;  // of the functions that count
};
using Build = Graph (*)(Pool&, Counter, Future<int>, const TaskOptions&);

Graph chain_of(Pool& pool, Counter runs, Future<int> root, const TaskOptions& options) {
    for (int n = 0; n < 20; ++n) { root = pool.apply_async(options, count_and_add, runs, std::move(root)); }
    Graph graph{{}, 20};
    graph.jobs.push_back(job(std::move(root), 20));
    return graph;
}

Graph diamonds_of(Pool& pool, Counter runs, Future<int> root, const TaskOptions& options) {
    int expected = 0;
    for (int n = 0; n < 8; ++n) {
        const SharedFuture<int> top = std::move(root).share();
        auto left = pool.apply_async(options, count_and_add, runs, top);
        auto right = pool.apply_async(options, count_and_add, runs, top);
        root = pool.apply_async(options, count_and_add_two, runs, std::move(left), std::move(right));
        expected = 2 * (expected + 1);
    }
    Graph graph{{}, 24};
    graph.jobs.push_back(job(std::move(root), expected));
    return graph;
}

Graph fan_of(Pool& pool, Counter runs, Future<int> root, const TaskOptions& options) {
    const SharedFuture<int> top = std::move(root).share();
    std::vector<Future<int>> parts;
    Graph graph{{}, 81};
    for (int n = 0; n < 40; ++n) {
        parts.push_back(pool.apply_async(options, count_and_add, runs, top));
        graph.jobs.push_back(job(pool.apply_async(options, count_and_add_two, runs, top, n), n));
    }
    graph.jobs.push_back(job(pool.apply_async(
                                 options,
                                 [](Counter count, const std::vector<int>& all) {
                                     count.add();
                                     return std::accumulate(all.begin(), all.end(), 0);
                                 },
                                 runs, when_all(std::move(parts))),
                             40));
    return graph;
}

/// As require_whole(), which waits for slots to be free: those of tasks that others waited for are free once others are
/// submitted.
void require_whole_again(Pool& pool, Muster& muster) {
    wait_until(
        [&] {
            pool.apply(seven_times, 1);
            return slots_in_use(pool) == 0;
        },
        "slots to be free", recovery);
    require_whole(pool, muster);
}

struct Shape {
    const char* name;
    Build build;
};
const std::vector<Shape> shapes{{"chain", chain_of}, {"diamonds", diamonds_of}, {"fan", fan_of}};

enum class Fate { killed, stopped_and_killed, stopped_and_continued };

/// A worker comes by these after its task is decided and before it claims the next one, so nothing runs twice.
struct Step {
    FaultPoint point;
    bool others_go_on;              // with the same tasks, while a worker is stopped there
    std::string_view only_in = {};  // the shape where workers come by often
};
const std::vector<Step> steps{{FaultPoint::after_done, false},         {FaultPoint::list_closed, false},
                              {FaultPoint::bit_cleared, false},        {FaultPoint::ready_not_offered, true},
                              {FaultPoint::ready_kept, true, "chain"}, {FaultPoint::ready_taken, true, "fan"}};

void wait_for_jobs(const Jobs& jobs, const char* what) {
    wait_until([&] { return count_ready(jobs) == jobs.size(); }, what, recovery);
}

/// What tasks count; made before the pool, whose workers inherit it.
struct Counts {
    SharedPage page{};
    Counter runs{page};
    Counter rounds{page};
    std::int64_t round = 0;
};

/// Looks at no future: one that is asked for long makes the parent look for tasks that were forgotten, which repairs
/// what a wild write has done, and would hide what is missing here.
void wait_for_calls(const Counts& counts, std::int64_t calls) {
    wait_until([&] { return counts.runs.value() >= calls; }, "the whole graph to run", recovery);
}

/// Returns: what went wrong; empty when nothing did.
std::string attack_graph(Pool& pool, Saboteur& saboteur, Muster& muster, Counts& counts, const Step& step, int nth,
                         Fate fate, Build build, unsigned retries) {
    const Counter runs = counts.runs;
    const std::int64_t runs_before = runs.value();
    const TaskOptions options{.retries = retries};
    const std::uint64_t retried = pool.stats().retried;
    auto root = pool.apply_async(begin_behind, counts.rounds, ++counts.round);
    wait_until([&] { return root.running(); }, "the first task to run");
    Graph graph = build(pool, runs, std::move(root), options);
    saboteur.arm(step.point, nth, fate == Fate::killed ? SIGKILL : SIGSTOP);
    counts.rounds.add();
    const pid_t victim = saboteur.wait_for_victim();
    saboteur.disarm();
    if (fate != Fate::killed) {
        std::string wrong;
        try {
            if (step.others_go_on) { wait_for_calls(counts, runs_before + graph.runs); }
            for (int i = 0; i < 3; ++i) {
                const Jobs single = small_jobs(pool, 1);
                wait_for_jobs(single, "a task while a worker is stopped");
            }
        } catch (const std::exception& error) { wrong = error.what(); }
        ::kill(victim, fate == Fate::stopped_and_killed ? SIGKILL : SIGCONT);
        if (!wrong.empty()) { return wrong; }
    }
    wait_for_calls(counts, runs_before + graph.runs);
    wait_for_jobs(graph.jobs, "the whole graph");
    for (const Job& one : graph.jobs) {
        if (const JobEnd ending = one.end(); !ending.text.empty()) { return ending.text; }
    }
    graph.jobs.clear();
    require_whole_again(pool, muster);
    if (const std::int64_t calls = runs.value() - runs_before; calls != graph.runs) {
        return std::to_string(calls) + " calls instead of " + std::to_string(graph.runs);
    }
    if (pool.stats().retried != retried) { return "a task has run again"; }
    return {};
}

void attack_graphs(const std::vector<Fate>& fates, unsigned retries, std::size_t workers) {
    static const char* const names[] = {"killed", "stopped, then killed", "stopped, then continued"};
    Saboteur saboteur;
    Muster muster;
    Counts counts;
    std::unique_ptr<Pool> pool;
    std::string wrong;
    for (const Step& step : steps) {
        for (const Shape& shape : shapes) {
            if (!step.only_in.empty() && step.only_in != shape.name) { continue; }
            for (const int nth : {1, 2, 7, 15}) {
                for (const Fate fate : fates) {
                    std::string text;
                    if (!pool) { pool = std::make_unique<Pool>(workers); }
                    try {
                        text = attack_graph(*pool, saboteur, muster, counts, step, nth, fate, shape.build, retries);
                    } catch (const std::exception& error) { text = error.what(); }
                    saboteur.disarm();
                    if (text.empty()) { continue; }
                    wrong += std::string("\n") + names[static_cast<int>(fate)] + " at " + name_of(step.point) +
                             ", visitor " + std::to_string(nth) + ", " + shape.name + ": " + text;
                    pool->kill();
                    pool.reset();
                    counts.rounds.add(counts.round - counts.rounds.value());
                }
            }
        }
    }
    INFO(wrong);
    CHECK(wrong.empty());
}

TEST_CASE("a worker is killed at every step by which tasks learn that others have ended", "[slow]") {
    attack_graphs({Fate::killed}, 0, 2);
}
TEST_CASE("a worker is killed at every step by which tasks that may run again learn that others have ended", "[slow]") {
    attack_graphs({Fate::killed}, 2, 3);
}
TEST_CASE("the only worker is killed at every step by which tasks learn that others have ended", "[slow]") {
    attack_graphs({Fate::killed}, 0, 1);
}
TEST_CASE("a worker is stopped at every step by which tasks learn that others have ended", "[slow]") {
    attack_graphs({Fate::stopped_and_killed, Fate::stopped_and_continued}, 0, 3);
}

/// A worker that dies while it runs a task of a graph takes that one along, and those that wait for it run once.
TEST_CASE("a worker is killed in the middle of tasks that others wait for", "[slow]") {
    Saboteur saboteur;
    Muster muster;
    Counts counts;
    Pool pool{2};
    for (const FaultPoint point : {FaultPoint::after_claim, FaultPoint::before_run, FaultPoint::before_done}) {
        for (const Shape& shape : shapes) {
            for (const int nth : {1, 2, 7, 15}) {
                const std::int64_t runs_before = counts.runs.value();
                const std::uint64_t retried = pool.stats().retried;
                auto root = pool.apply_async(begin_behind, counts.rounds, ++counts.round);
                wait_until([&] { return root.running(); }, "the first task to run");
                saboteur.arm(point, point == FaultPoint::before_done ? nth + 1 : nth, SIGKILL);
                Graph graph = shape.build(pool, counts.runs, std::move(root), {.retries = 1});
                counts.rounds.add();
                static_cast<void>(saboteur.wait_for_victim());
                saboteur.disarm();
                INFO(name_of(point) << ", visitor " << nth << ", " << shape.name);
                wait_for_calls(counts, runs_before + graph.runs);
                wait_for_jobs(graph.jobs, "the whole graph");
                for (const Job& one : graph.jobs) { CHECK(one.end().text.empty()); }
                graph.jobs.clear();
                require_whole_again(pool, muster);
                CHECK(counts.runs.value() == runs_before + graph.runs + (point == FaultPoint::before_done ? 1 : 0));
                CHECK(pool.stats().retried == retried + 1);
            }
        }
    }
}

TEST_CASE("a worker is killed at every step by which tasks are cancelled with others", "[slow]") {
    Saboteur saboteur;
    Muster muster;
    for (const FaultPoint point : {FaultPoint::after_done, FaultPoint::list_closed, FaultPoint::bit_cleared}) {
        for (const int nth : {1, 2, 5}) {
            SharedPage page;
            const Counter runs{page};
            const Gate started{page};
            Pool pool{2};
            // Its worker, which ends it as cancelled, tells the others.
            const SharedFuture<int> root = pool.apply_async(
                                                   [](const std::stop_token& stop, Gate says) {
                                                       says.set();
                                                       wait_until([&] { return stop.stop_requested(); }, "a request");
                                                       throw TaskCancelled{};
                                                       return 1;
                                                   },
                                                   started)
                                               .share();
            std::vector<Future<int>> ends;
            for (int n = 0; n < 5; ++n) {
                auto chain = pool.apply_async(count_and_add, runs, root);
                for (int i = 0; i < 4; ++i) { chain = pool.apply_async(count_and_add, runs, std::move(chain)); }
                ends.push_back(std::move(chain));
            }
            started.wait();
            saboteur.arm(point, nth, SIGKILL);
            static_cast<void>(root.cancel());
            INFO(name_of(point) << ", visitor " << nth);
            for (Future<int>& one : ends) { CHECK_THROWS_AS(get_soon(one, recovery), TaskCancelled); }
            saboteur.disarm();
            CHECK(runs.value() == 0);
            ends.clear();
        }
    }
}

}  // namespace
