// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/flows.hpp>
#include <procpool/log/shared_records.hpp>
#include "log/json.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

/// The arrows of a trace, between the tasks that it has.
struct Arrows {
    struct Task {
        double begin;
        double end;
        double queued;
        std::string name;
        double number;
        double attempt;
    };
    std::vector<Task> tasks;
    std::vector<std::pair<Task, Task>> all;  // from the one to the other

    /// Throws: std::runtime_error when one has no beginning, no end, or is not at a task.
    explicit Arrows(const Json& trace) {
        std::map<double, std::pair<const Json*, const Json*>> flows;
        for (const Json& event : trace["traceEvents"].items) {
            const std::string& phase = event["ph"].text;
            if (phase == "X") {
                tasks.push_back(task(event));
                places_.emplace_back(event["pid"].number, event["tid"].number);
            } else if (phase == "s" || phase == "f") {
                auto& [from, to] = flows[event["id"].number];
                const Json*& end = phase == "s" ? from : to;
                require(end == nullptr, "one beginning and one end for each id");
                require(event["bp"].text == "e" && event["cat"].text == "dependency", "an arrow");
                require(event["name"].text == "dependency", "the same name at both ends");
                end = &event;
            }
        }
        for (const auto& [id, flow] : flows) {
            require(flow.first != nullptr && flow.second != nullptr, "a beginning and an end");
            require((*flow.first)["ts"].number <= (*flow.second)["ts"].number, "the beginning first");
            all.emplace_back(at(*flow.first), at(*flow.second));
            require((*flow.second)["ts"].number == all.back().second.begin, "the end at the start of its task");
            require((*flow.first)["ts"].number >= all.back().first.end - 0.0011, "the beginning at a task's end");
        }
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const auto& [from, to] : all) { names.push_back(from.name + "-" + to.name); }
        std::ranges::sort(names);
        return names;
    }
    [[nodiscard]] const Task& named(const std::string& name) const {
        const auto found = std::ranges::find(tasks, name, &Task::name);
        require(found != tasks.end(), "a task of that name");
        return *found;
    }

private:
    static void require(bool holds, const char* what) {
        if (!holds) { throw std::runtime_error("trace: expected " + std::string{what}); }
    }
    static Task task(const Json& event) {
        const double begin = event["ts"].number;
        const Json& about = event["args"];
        return {begin,
                begin + event["dur"].number,
                about["queued_us"].number,
                event["name"].text,
                about["task"].number,
                about["attempt"].number};
    }
    /// As a viewer finds it: the task around that time on that track, to which its end does not belong.
    [[nodiscard]] const Task& at(const Json& event) const {
        const double time = event["ts"].number;
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            const bool is_there = places_[i] == std::pair{event["pid"].number, event["tid"].number};
            if (is_there && tasks[i].begin <= time && time < tasks[i].end) { return tasks[i]; }
        }
        throw std::runtime_error("trace: an arrow at no task");
    }

    std::vector<std::pair<double, double>> places_;
};

/// A file's name for one test case; the file goes with it.
class TraceOnDisk {
public:
    TraceOnDisk() = default;
    TraceOnDisk(const TraceOnDisk&) = delete;
    TraceOnDisk& operator=(const TraceOnDisk&) = delete;
    ~TraceOnDisk() { std::filesystem::remove(path_); }
    [[nodiscard]] Json read() const {
        write_trace(path_);
        std::ifstream file{path_};
        return JsonReader::read(std::string{std::istreambuf_iterator<char>{file}, {}});
    }

private:
    std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / ("procpool_flows_" + std::to_string(::getpid()) + ".json");
};

using Names = std::vector<std::string>;

/// Lasts for a moment, so that a slice of a trace is not empty.
int last(int n) {
    for (const auto start = std::chrono::steady_clock::now(); since(start) < 20us;) {}
    return n;
}
int wait_for(Gate gate) {
    gate.wait();
    return last(1);
}
int add(int a, int b) { return last(a + b); }
TaskOptions named(const char* label) { return {.label = label}; }

template <class P>
void draws_arrows() {
    clear_trace();
    SharedPage page;
    const Gate may_end{page};
    P other{PoolOptions{.workers = 1, .trace = true}};  // whose tasks have the same numbers
    P pool{PoolOptions{.workers = 2, .trace = true}};
    if (!has_workers<P>) { may_end.set(); }
    other.apply(named("elsewhere"), last, 1);
    pool.apply(named("before"), last, 1);

    auto parsed = pool.apply_async(named("parse"), wait_for, may_end).share();
    auto counted = pool.apply_async(named("count"), last, parsed);
    auto rendered = pool.apply_async(named("render"), add, parsed, parsed);
    auto merged = pool.apply_async(named("merge"), add, std::move(counted), std::move(rendered));
    may_end.set();
    CHECK(get_soon(merged) == 3);
    auto early = pool.apply_async(named("early"), last, 1).share();
    early.wait();
    auto late = pool.apply_async(named("late"), last, early);
    CHECK(get_soon(late) == 1);
    other.apply(named("elsewhere"), last, 1);

    const TraceOnDisk file;
    const Arrows arrows{file.read()};
    CHECK(arrows.names() == Names{"count-merge", "early-late", "parse-count", "parse-render", "render-merge"});
    for (const auto& [from, to] : arrows.all) {
        CHECK(from.end <= to.begin + 0.002);
        CHECK(to.begin - to.queued >= from.end - 0.003);  // it waits from then on
    }
    // A dependency that had ended before: from the submission on.
    CHECK(arrows.named("late").begin - arrows.named("late").queued > arrows.named("early").end);

    const std::vector<TaskTiming> timings = pool.timings();
    REQUIRE(timings.size() == 7);
    std::map<std::string, TaskTiming> by_label;
    for (const TaskTiming& one : timings) { by_label[one.label] = one; }
    const auto number = [&](const char* label) { return by_label.at(label).task; };
    using Numbers = std::vector<std::uint64_t>;
    CHECK(number("before") == 1);
    CHECK(number("parse") == 2);
    CHECK(number("late") == 7);
    CHECK(by_label.at("parse").dependencies.empty());
    CHECK(by_label.at("render").dependencies == Numbers{number("parse")});
    CHECK(by_label.at("merge").dependencies == Numbers{number("count"), number("render")});
    CHECK(by_label.at("merge").queued >= by_label.at("count").finished);
    CHECK(by_label.at("merge").queued >= by_label.at("render").finished);
    CHECK(by_label.at("merge").queued <= by_label.at("merge").started);
    for (const auto& [label, timing] : by_label) {
        CHECK(static_cast<double>(timing.task) == arrows.named(label).number);
    }
}
ON_EVERY_ENGINE("LOG traces have an arrow from each task to those that depend on it", draws_arrows)

template <class P>
void leaves_arrows_out() {
    clear_trace();
    SharedPage page;
    const Gate may_end{page};
    const Counter begun{page};
    const TraceOnDisk file;
    {
        P untraced{1};
        CHECK(get_soon(untraced.apply_async(last, untraced.apply_async(last, 1))) == 1);
        CHECK(file.read()["traceEvents"].items.empty());
    }
    P pool{PoolOptions{.workers = 1, .trace = true}};
    auto held = pool.apply_async(
        named("held"),
        [](Gate gate, Counter counter) {
            counter.add();
            return wait_for(gate);
        },
        may_end, begun);
    begun.wait_for(1);
    auto withdrawn = pool.apply_async(named("withdrawn"), last, 1).share();
    auto cancelled = pool.apply_async(named("cancelled"), add, std::move(held), withdrawn);
    CHECK(withdrawn.cancel());
    may_end.set();
    CHECK_THROWS_AS(get_soon(cancelled), TaskCancelled);
    pool.apply(named("after"), last, 1);
    const Arrows arrows{file.read()};
    CHECK(arrows.all.empty());
    CHECK(arrows.tasks.size() == 2);
}
ON_ENGINES_WITH_WORKERS("LOG traces have no arrows of tasks that do not run nor of pools that are not traced",
                        leaves_arrows_out)

TEST_CASE("LOG an arrow goes from the last run of a task that died to the first run of the next") {
    clear_trace();
    Pool pool{PoolOptions{.workers = 1, .trace = true}};
    const auto dies_once = [](int n) {
        last(n);
        if (this_task::attempt() == 0) { ::_exit(1); }
        return n;
    };
    auto first = pool.apply_async(TaskOptions{.retries = 1, .label = "first"}, dies_once, 1);
    auto second = pool.apply_async(TaskOptions{.retries = 1, .label = "second"}, dies_once, std::move(first));
    auto failed = pool.apply_async(
        named("failed"), [](int n) -> int { throw std::runtime_error(std::to_string(last(n))); }, std::move(second));
    auto third = pool.apply_async(named("third"), last, std::move(failed));
    CHECK_THROWS_AS(get_soon(third), std::runtime_error);
    const Arrows arrows{TraceOnDisk{}.read()};
    CHECK(arrows.tasks.size() == 6);
    CHECK(arrows.names() == Names{"failed-third", "first-second", "second-failed"});
    for (const auto& [from, to] : arrows.all) {
        CHECK(to.attempt == 0);
        if (from.name != "failed") { CHECK(from.attempt == 1); }
    }
}

TEST_CASE("LOG a task whose dependency has left its slot has its arrow too") {
    clear_trace();
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 2, .trace = true}};
    auto kept = pool.apply_async(named("kept"), last, 1);
    for (int i = 0; i < 10; ++i) { pool.apply(named("other"), last, i); }
    std::vector<Future<int>> untaken;
    for (int i = 0; i < 4; ++i) { untaken.push_back(pool.apply_async(named("other"), last, i)); }
    auto next = pool.apply_async(named("next"), last, std::move(kept));
    CHECK(get_soon(next) == 1);
    CHECK(Arrows{TraceOnDisk{}.read()}.names() == Names{"kept-next"});
}

// ---- the records themselves

using detail::log::Flows;
using detail::log::TraceKind;
using detail::log::TraceRecord;

TraceRecord edge(std::uint32_t pool, std::uint64_t dependant, std::uint64_t dependency) {
    TraceRecord record{};
    record.kind = TraceKind::edge;
    record.pool = pool;
    record.task = dependant;
    record.dependency = dependency;
    return record;
}
TraceRecord run(std::uint32_t pool, std::uint64_t task, std::int64_t queued, std::int64_t begin, std::int64_t end) {
    TraceRecord record{};
    record.kind = TraceKind::task;
    record.pool = pool;
    record.task = task;
    record.queued = queued;
    record.begin = begin;
    record.end = end;
    return record;
}

TEST_CASE("flows know each dependency once and keep pools apart") {
    Flows flows;
    for (const std::uint64_t dependency : std::initializer_list<std::uint64_t>{4, 2, 4, 2, 2, 9}) {
        flows.add_edge(edge(1, 10, dependency));
    }
    flows.add_edge(edge(1, 11, 4));
    flows.add_edge(edge(2, 10, 3));
    const auto dependencies = [&](std::uint32_t pool, std::uint64_t task) {
        const auto found = flows.dependencies_of(run(pool, task, 0, 0, 0));
        return std::vector<std::uint64_t>(found.begin(), found.end());
    };
    using Numbers = std::vector<std::uint64_t>;
    CHECK(std::set<std::uint64_t>{2, 4, 9} == [&] {
        const Numbers found = dependencies(1, 10);
        return std::set<std::uint64_t>(found.begin(), found.end());
    }());
    CHECK(dependencies(1, 10) == Numbers{4, 2, 9});
    CHECK(dependencies(1, 11) == Numbers{4});
    CHECK(dependencies(2, 10) == Numbers{3});
    CHECK(dependencies(2, 11).empty());
    CHECK(dependencies(1, 4).empty());

    CHECK(flows.is_first(run(1, 10, 0, 0, 0)));
    CHECK_FALSE(flows.is_first(run(1, 10, 0, 5, 6)));
    CHECK(flows.is_first(run(2, 10, 0, 0, 0)));
    CHECK_FALSE(flows.is_first(run(1, 4, 0, 0, 0)));  // it depends on none
}

TEST_CASE("flows tell when a task was ready by the last runs of what it depends on") {
    Flows flows;
    flows.add_edge(edge(1, 10, 4));
    flows.add_edge(edge(1, 10, 5));
    const TraceRecord task = run(1, 10, 100, 900, 1000);
    CHECK(flows.ready_at(task) == 100);
    CHECK_FALSE(flows.last_run(1, 4).has_value());
    flows.add_run(run(1, 4, 0, 10, 20));
    CHECK(flows.ready_at(task) == 100);
    flows.add_run(run(1, 4, 0, 200, 300));  // again
    CHECK(flows.ready_at(task) == 300);
    flows.add_run(run(2, 5, 0, 200, 700));  // of another pool
    flows.add_run(run(1, 6, 0, 200, 700));
    CHECK(flows.ready_at(task) == 300);
    flows.add_run(run(1, 5, 0, 100, 250));
    CHECK(flows.ready_at(task) == 300);
    CHECK(flows.last_run(1, 4)->begin == 200);
    CHECK(flows.last_run(1, 5)->end == 250);
    CHECK_FALSE(flows.last_run(1, 6).has_value());
    CHECK(flows.ready_at(run(1, 6, 50, 200, 700)) == 50);
}

TEST_CASE("LOG arrows between machines whose clocks differ go forward") {
    clear_trace();
    const std::uint32_t pool = detail::log::begin_trace("clocks");
    detail::log::Trace& trace = detail::log::SharedRecords::current()->trace;
    const auto add_run = [&](std::uint64_t task, std::int64_t begin, std::int64_t end, std::uint16_t node) {
        TraceRecord record = run(pool, task, 1000, begin, end);
        record.node = node;
        record.cpu = -1;
        record.text.assign("task " + std::to_string(task));
        trace.add(record);
    };
    trace.add(edge(pool, 2, 1));
    trace.add(edge(pool, 3, 1));
    add_run(1, 50'000, 90'000, 1);
    add_run(2, 70'000, 120'000, 0);  // before the other one ended, by its clock
    add_run(3, 40'000, 80'000, 2);   // before it began
    const Json file = TraceOnDisk{}.read();
    std::map<double, std::pair<double, double>> flows;
    for (const Json& event : file["traceEvents"].items) {
        if (event["ph"].text == "s") { flows[event["id"].number].first = event["ts"].number; }
        if (event["ph"].text == "f") { flows[event["id"].number].second = event["ts"].number; }
        if (event["ph"].text == "X") { CHECK(event["args"]["queued_us"].number >= 0); }
    }
    REQUIRE(flows.size() == 2);
    const double start = 1;  // of the axis: when they were submitted
    CHECK(flows.begin()->second == std::pair{70 - start, 70 - start});
    CHECK(std::next(flows.begin())->second == std::pair{50 - start, 50 - start});
    clear_trace();
}

}  // namespace
