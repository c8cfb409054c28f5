// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/trace.hpp>
#include "log/json.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <ranges>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

/// Spins, so that it uses processor time.
void work(std::chrono::nanoseconds how_long) {
    for (const auto start = std::chrono::steady_clock::now(); since(start) < how_long;) {}
}

/// A file's name for one test case; the file goes with it.
struct ScratchFile {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("procpool_trace_" + std::to_string(::getpid()) + ".json");
    ScratchFile() = default;
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    ~ScratchFile() { std::filesystem::remove(path); }

    [[nodiscard]] std::string text() const {
        std::ifstream file{path};
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
    [[nodiscard]] Json read() const { return JsonReader::read(text()); }
};

std::vector<Json> events(const Json& trace, const std::string& phase, const std::string& name = {}) {
    std::vector<Json> found;
    for (const Json& event : trace["traceEvents"].items) {
        if (event["ph"].text == phase && (name.empty() || event["name"].text == name)) { found.push_back(event); }
    }
    return found;
}

/// How many pairs of tasks ran at the same time on one worker.
std::size_t overlaps(const Json& trace) {
    std::map<std::pair<double, double>, std::vector<std::pair<double, double>>> tracks;
    for (const Json& event : events(trace, "X")) {
        tracks[{event["pid"].number, event["tid"].number}].emplace_back(event["ts"].number,
                                                                        event["ts"].number + event["dur"].number);
    }
    std::size_t count = 0;
    for (auto& [track, spans] : tracks) {
        std::ranges::sort(spans);
        for (std::size_t i = 1; i < spans.size(); ++i) {
            count += spans[i].first < spans[i - 1].second - 0.002 ? 1U : 0U;
        }
    }
    return count;
}

TEST_CASE("the reader of JSON is strict") {
    CHECK(JsonReader::read(R"( {"a":[1,-2.5e3,"x\n\u0001",true,null,{}],"b":[]} )")["a"].items.size() == 6);
    for (const char* const wrong : {"", "{", "[1,]", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "[01]", "[1] 2", "[\"\n\"]",
                                    "[\"\\x\"]", "[.5]", "[1.]", "{a:1}", "[nan]", "[\"a]"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(JsonReader::read(wrong), std::runtime_error);
    }
}

template <class P>
void tasks_and_chunks() {
    clear_trace();
    const ScratchFile file;
    constexpr int tasks = 50;
    {
        P pool{PoolOptions{.workers = 3, .name = "tra\"ced", .trace = true}};
        std::vector<Future<void>> futures;
        for (int i = 0; i < tasks; ++i) {
            futures.push_back(pool.apply_async(TaskOptions{.label = "single"}, work, 200us));
        }
        for (auto& future : futures) { future.get(); }
        CHECK_THROWS_AS(pool.apply(TaskOptions{.label = "throws"}, [] { throw std::runtime_error("no"); }),
                        std::runtime_error);
        pool.for_each(
            MapOptions{.chunk_size = 10, .label = "mapped"}, [](int) { work(20us); }, std::views::iota(0, 200));
        pool.map(
            MapOptions{.chunk_size = 10}, [](int n) { return n; }, std::views::iota(0, 200));
        pool.write_trace(file.path);
        CHECK(events(file.read(), "X", "single").size() == tasks);
        const std::vector<TaskTiming> timings = pool.timings();
        CHECK(timings.size() == events(file.read(), "X").size());
        for (const TaskTiming& timing : timings) {
            CHECK(timing.queued <= timing.started);
            CHECK(timing.started <= timing.finished);
            CHECK(timing.cpu_time.value_or(-1ns) >= 0ns);
            CHECK(timing.worker < 3);
            CHECK(timing.pid > 0);
            CHECK(timing.ended == (timing.label == "throws" ? TaskEnd::exception : TaskEnd::value));
            CHECK((timing.label == "single" ? timing.finished - timing.started >= 200us : true));
            CHECK((timing.items == 0) == (timing.label == "single" || timing.label == "throws"));
        }
        CHECK(P{PoolOptions{.workers = 1}}.timings().empty());
    }
    write_trace(file.path);  // also when the pool is gone
    const Json trace = file.read();
    CHECK(overlaps(trace) == 0);
    CHECK(trace["otherData"]["dropped"].text == "0");
    REQUIRE(events(trace, "M", "process_name").size() == 1);
    CHECK(events(trace, "M", "process_name")[0]["args"]["name"].text == "tra\"ced");
    const std::vector<Json> single = events(trace, "X", "single");
    CHECK(single.size() == tasks);
    for (const Json& task : single) {
        CHECK(task["args"]["ended"].text == "value");
        CHECK(task["dur"].number >= 200);
        CHECK(task["args"]["queued_us"].number >= 0);
        CHECK(task["args"]["cpu_us"].number > 0);
        CHECK(task["args"]["cpu_us"].number <= task["dur"].number + 1000);
        CHECK(task["args"]["attempt"].number == 0);
        CHECK(task["args"]["process"].number > 0);
        CHECK(task["ts"].number >=
              task["args"]["queued_us"].number - 0.002);  // the axis begins with the first submission
        CHECK(task["tid"].number < 3);
    }
    REQUIRE(events(trace, "X", "throws").size() == 1);
    CHECK(events(trace, "X", "throws")[0]["args"]["ended"].text == "exception");
    for (const char* const name : {"mapped", "chunk"}) {
        double items = 0;
        for (const Json& chunk : events(trace, "X", name)) { items += chunk["args"]["items"].number; }
        CHECK(items == 200);
        CHECK(events(trace, "X", name).size() == 20);
    }
}
ON_EVERY_ENGINE("LOG traces tell every task and every chunk once and those of one worker do not overlap",
                tasks_and_chunks)

TEST_CASE("LOG traces escape labels and tell of deaths/retries/timeouts and recycling") {
    clear_trace();
    const ScratchFile file;
    SharedPage page;
    const Counter begun{page};
    const std::string odd = "a \"quoted\" \\ label\n\t\x01\x7f\xc2\x9b, \xc3\xa9 and \xff";
    {
        Pool untraced{1};
        untraced.apply([] {});
        Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 100, .trace = true}};
        pool.apply(TaskOptions{.label = odd}, [] {});
        pool.apply(TaskOptions{.label = std::string(100, 'x')}, [] {});
        CHECK_THROWS_AS(pool.apply(TaskOptions{.label = "dies"},
                                   [] {
                                       work(1ms);
                                       std::raise(SIGKILL);
                                   }),
                        WorkerDied);
        pool.apply(TaskOptions{.retries = 1, .label = "again"}, [] {
            if (this_task::attempt() == 0) { ::_exit(1); }
        });
        CHECK_THROWS_AS(
            pool.apply(TaskOptions{.timeout = 20ms, .label = "slow"}, [] { std::this_thread::sleep_for(100s); }),
            TaskTimedOut);
        auto killed = pool.apply_async(
            TaskOptions{.label = "killed"},
            [](Counter counter) {
                counter.add();
                std::this_thread::sleep_for(100s);
            },
            begun);
        begun.wait_for(1);
        CHECK(killed.kill());
        CHECK_THROWS_AS(killed.get(), TaskCancelled);
        pool.for_each(
            MapOptions{.chunk_size = 20}, [](int) { work(10us); }, std::views::iota(0, 1000));
        wait_until([&] { return pool.stats().workers_recycled > 0; }, "recycling");
    }
    write_trace(file.path);
    const Json trace = file.read();
    CHECK(overlaps(trace) == 0);
    CHECK(events(trace, "M", "process_name").size() == 1);
    CHECK(events(trace, "X", "a \"quoted\" \\ label\n\t\x01\x7f\xc2\x9b, \xc3\xa9 and \xef\xbf\xbd").size() == 1);
    CHECK(file.text().find("\xc2\x9b") == std::string::npos);  // begins a command of a terminal
    CHECK(events(trace, "X", std::string(47, 'x')).size() == 1);
    REQUIRE(events(trace, "X", "dies").size() == 1);
    CHECK(events(trace, "X", "dies")[0]["args"]["ended"].text == "worker died");
    CHECK(events(trace, "X", "dies")[0]["dur"].number >= 1000);
    CHECK_FALSE(events(trace, "X", "dies")[0]["args"].has("cpu_us"));
    const std::vector<Json> again = events(trace, "X", "again");
    REQUIRE(again.size() == 2);
    CHECK(again[0]["args"]["ended"].text == "worker died");
    CHECK(again[0]["args"]["attempt"].number == 0);
    CHECK(again[1]["args"]["ended"].text == "value");
    CHECK(again[1]["args"]["attempt"].number == 1);
    REQUIRE(events(trace, "X", "slow").size() == 1);
    CHECK(events(trace, "X", "slow")[0]["args"]["ended"].text == "timed out");
    REQUIRE(events(trace, "X", "killed").size() == 1);
    CHECK(events(trace, "X", "killed")[0]["args"]["ended"].text == "cancelled");
    CHECK(events(trace, "i", "timeout").size() == 1);
    CHECK(events(trace, "i", "started").size() >= 7);
    CHECK_FALSE(events(trace, "i", "recycled").empty());
    CHECK(std::ranges::count_if(events(trace, "i", "ended"), [](const Json& event) {
              return event["args"]["text"].text == "was killed by signal 9 (SIGKILL)";
          }) >= 3);
}

TEST_CASE("a trace of nothing is a file of nothing and a file that cannot be written is an error") {
    clear_trace();
    const ScratchFile file;
    write_trace(file.path);
    CHECK(file.read()["traceEvents"].items.empty());
    CHECK_THROWS_AS(write_trace("/nowhere/at/all.json"), std::system_error);
    CHECK_THROWS_AS(write_trace("/dev/full"), std::system_error);
}

TEST_CASE("a task that ends while a trace is written and began before all that was known - is left out") {
    struct Entry {
        std::uint64_t task;
        std::int64_t after;  // the start of the axis
    };
    struct File {
        std::vector<Entry> entries;
        void add(const detail::log::TraceRecord& record, std::int64_t start) {
            entries.push_back({record.task, record.begin - start});
        }
    } file;
    const auto record = [](std::uint64_t number, std::int64_t queued,
                           detail::log::TraceKind kind = detail::log::TraceKind::task) {
        return detail::log::TraceRecord{.begin = queued + 10,
                                        .end = queued + 20,
                                        .queued = queued,
                                        .cpu = 0,
                                        .task = number,
                                        .pid = 0,
                                        .pool = 0,
                                        .worker = 0,
                                        .items = 0,
                                        .attempt = 0,
                                        .kind = kind,
                                        .ended = {},
                                        .node = 0,
                                        .text = {}};
    };
    std::vector<detail::log::TraceRecord> records{record(0, -1'000'000, detail::log::TraceKind::pool),
                                                  record(1, 100'000), record(2, 200'000)};
    int looks = 0;
    const std::uint64_t dropped = detail::log::add_all(file, [&](auto use) {
        for (const detail::log::TraceRecord& known : records) { use(known); }
        if (++looks == 1) {
            records.push_back(record(3, 87'500));
            records.push_back(record(4, 300'000));
        }
        return std::uint64_t{7};
    });
    CHECK(dropped == 7);
    REQUIRE(file.entries.size() == 4);
    CHECK(file.entries[0].task == 0);
    CHECK(file.entries[1].task == 1);
    CHECK(file.entries[1].after == 10);
    CHECK(file.entries[2].task == 2);
    CHECK(file.entries[3].task == 4);
}

TEST_CASE("a full trace counts what it loses and can be written while tasks run") {
    // As write_trace() sees it; the real one has room for a million.
    auto places = std::make_unique<detail::log::Trace::Place[]>(10);
    auto words = std::make_unique<detail::log::Trace::Words>();
    auto trace = std::make_unique<detail::log::Trace>();
    trace->attach({places.get(), 10}, *words);
    for (std::uint64_t i = 1; i <= 25; ++i) {
        trace->add({.begin = 0,
                    .end = 0,
                    .queued = 0,
                    .cpu = 0,
                    .task = i,
                    .pid = 0,
                    .pool = 0,
                    .worker = 0,
                    .items = 0,
                    .attempt = 0,
                    .kind = {},
                    .ended = {},
                    .node = 0,
                    .text = {}});
    }
    std::uint64_t next = 1;
    CHECK(trace->for_each([&](const detail::log::TraceRecord& record) { CHECK(record.task == next++); }) == 15);
    CHECK(next == 11);
    trace->clear();
    CHECK(trace->for_each([&](const detail::log::TraceRecord&) { FAIL("it was cleared"); }) == 0);

    clear_trace();
    const ScratchFile file;
    Pool pool{PoolOptions{.workers = 2, .trace = true}};
    auto running = pool.map_async([](int n) { return n; }, std::views::iota(0, 100'000));
    do {
        write_trace(file.path);
        CHECK(overlaps(file.read()) == 0);
    } while (!running.ready());
    running.get();
}

TEST_CASE("a reader takes each record of a trace once and makes room for others") {
    auto places = std::make_unique<detail::log::Trace::Place[]>(10);
    auto words = std::make_unique<detail::log::Trace::Words>();
    auto trace = std::make_unique<detail::log::Trace>();
    trace->attach({places.get(), 10}, *words);
    const auto record = [](std::uint64_t number) {
        detail::log::TraceRecord made{};
        made.task = number;
        return made;
    };
    detail::log::TraceReader reader;
    std::vector<std::uint64_t> taken;
    const auto take = [&] {
        taken.clear();
        trace->take(reader, [&](const detail::log::TraceRecord& one) { taken.push_back(one.task); });
        return taken;
    };
    using Numbers = std::vector<std::uint64_t>;
    CHECK(take().empty());
    for (std::uint64_t number = 1; number <= 35; ++number) {  // more than there is room for at a time
        trace->add(record(number));
        if (number % 5 == 0) { CHECK(take() == Numbers{number - 4, number - 3, number - 2, number - 1, number}); }
    }
    CHECK(take().empty());
    // One that is being written is taken when it is whole, and keeps its place until then.
    const std::uint64_t begun = words->last.fetch_add(1) + 1;
    trace->add(record(37));
    CHECK(take() == Numbers{37});
    for (std::uint64_t number = 38; number <= 45; ++number) { trace->add(record(number)); }
    trace->add(record(46));  // there is no room: the place is that of the one that is late
    CHECK(take().size() == 8);
    places[begun % 10].record = record(36);
    places[begun % 10].number.store(begun);
    CHECK(take() == Numbers{36});
    trace->add(record(47));
    CHECK(take() == Numbers{47});
    // Writers that have died leave nothing to wait for.
    for (std::size_t dead = 0; dead < 2 * detail::log::TraceReader::most_late; ++dead) {
        words->last.fetch_add(1);
        CHECK(take().empty());
    }
    CHECK(reader.late.size() == detail::log::TraceReader::most_late);
}

}  // namespace
