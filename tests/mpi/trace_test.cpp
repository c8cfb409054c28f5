// SPDX-License-Identifier: BSL-1.0
#include "log/json.hpp"
#include "log/records.hpp"
#include "mpi/machines.hpp"

#include <procpool/mpi/clock_offset.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

using namespace machines;
using namespace std::chrono_literals;
using procpool_test::Json;
using procpool_test::JsonReader;
using procpool_test::Record;
using procpool_test::Records;
using std::chrono::steady_clock;

namespace {

/// A task's account of itself.
struct Place {
    pid_t pid;
    std::size_t worker;
    int node;
};
Place place_here() { return {::getpid(), this_worker::index(), this_worker::node()}; }

/// A file that lets a task of that process go on.
std::filesystem::path gate_of(pid_t root) {
    return std::filesystem::temp_directory_path() / ("procpool_mpi_gate_" + std::to_string(root));
}

struct Said {
    Place place;
    std::uint64_t task;
};

bool is_rank(const char* number) {
    for (const char* const name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK"}) {
        if (const char* const rank = ::getenv(name)) { return std::string(rank) == number; }
    }
    return false;
}

std::vector<TaskTiming> labelled(const std::vector<TaskTiming>& all, const std::string& label) {
    std::vector<TaskTiming> found;
    std::ranges::copy_if(all, std::back_inserter(found),
                         [&](const TaskTiming& timing) { return timing.label == label; });
    return found;
}

/// A file's name for one test case; the file goes with it.
struct ScratchFile {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("procpool_mpi_trace_" + std::to_string(::getpid()) + ".json");
    ScratchFile() = default;
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    ~ScratchFile() { std::filesystem::remove(path); }

    [[nodiscard]] Json read() const {
        std::ifstream file{path};
        std::stringstream text;
        text << file.rdbuf();
        return JsonReader::read(text.str());
    }
};

/// The pids of worker, supervisor and agent of a machine, from a task there.
struct Lineage {
    pid_t worker;
    pid_t agent;
};
Lineage lineage_here() { return {::getpid(), parent_of(::getppid())}; }

void wait_for_end_of(pid_t pid) {
    while (::kill(pid, 0) == 0) { std::this_thread::yield(); }
}

constexpr std::chrono::seconds skew{5000};

/// From now on this process's steady clock, and that of its children, differs by `skew`, where the kernel allows that.
void skew_clock() {
    constexpr int new_time_namespace = 0x80;
    if (::unshare(new_time_namespace) != 0) { return; }
    {
        std::ofstream offsets("/proc/self/timens_offsets");
        offsets << "monotonic " << skew.count() << " 0\n";
    }
    const int descriptor = ::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) { return; }
    static_cast<void>(::setns(descriptor, new_time_namespace));
    ::close(descriptor);
}

}  // namespace

TEST_CASE("MPI-80 a trace has the runs of all machines") {
    MpiPool pool{{.workers = 2, .trace = true}};
    REQUIRE(pool.size() == 4);
    const auto before = steady_clock::now();
    std::vector<Place> places;
    for (std::size_t worker = 0; worker < 4; ++worker) {
        const std::string label = "where " + std::to_string(worker);
        places.push_back(pool.apply_on(TaskOptions{.label = label}, worker, place_here));
    }
    CHECK_THROWS_AS(pool.apply_on(TaskOptions{.label = "throws"}, 3, [] { throw std::runtime_error("no"); }),
                    std::runtime_error);
    CHECK_THROWS_AS(pool.apply_on(TaskOptions{.label = "dies"}, 3, [] { ::raise(SIGKILL); }), WorkerDied);
    CHECK_THROWS_AS(pool.apply_on(TaskOptions{.timeout = 50ms, .label = "hangs"}, 2, [] { ::pause(); }), TaskTimedOut);
    CHECK(pool.apply_on(TaskOptions{.retries = 1, .label = "again"}, 2, [] {
        if (this_task::attempt() == 0) { ::raise(SIGKILL); }
        return this_task::attempt();
    }) == 1);
    std::vector<int> items(64);
    static_cast<void>(pool.map(
        MapOptions{.chunk_size = 4},
        [](int n) {
            ::usleep(1000);
            return n;
        },
        items));
    pool.close();
    pool.join();
    const auto after = steady_clock::now();
    const std::string host(this_worker::host());
    const std::vector<TaskTiming> all = pool.timings();
    // Both clocks are one here, so that the estimate is all that can be wrong; it is by half of the least round trip.
    constexpr auto error = 1s;
    for (const TaskTiming& timing : all) {
        CHECK(timing.queued <= timing.started);
        CHECK(timing.started <= timing.finished);
        CHECK(timing.queued >= before - error);
        CHECK(timing.finished <= after + error);
        CHECK(timing.host == host);
        CHECK(timing.node == (timing.worker < 2 ? 0 : 1));
    }
    for (std::size_t worker = 0; worker < 4; ++worker) {
        const auto runs = labelled(all, "where " + std::to_string(worker));
        REQUIRE(runs.size() == 1);
        CHECK(places[worker].worker == worker);
        CHECK(runs[0].worker == worker);
        CHECK(runs[0].pid == places[worker].pid);
        CHECK(runs[0].node == places[worker].node);
        CHECK(runs[0].ended == TaskEnd::value);
        CHECK(runs[0].cpu_time.has_value());
    }
    const auto ends = [&](const std::string& label) {
        std::vector<TaskEnd> found;
        for (const TaskTiming& run : labelled(all, label)) { found.push_back(run.ended); }
        return found;
    };
    CHECK(ends("throws") == std::vector{TaskEnd::exception});
    CHECK(ends("dies") == std::vector{TaskEnd::died});
    CHECK(ends("hangs") == std::vector{TaskEnd::timed_out});
    CHECK(ends("again") == std::vector{TaskEnd::died, TaskEnd::value});
    CHECK(labelled(all, "again")[1].attempt == 1);
    std::map<int, std::size_t> finished;
    for (const TaskTiming& timing : all) { finished[timing.node] += timing.items; }
    CHECK(finished[0] + finished[1] == items.size());
    CHECK(finished[1] > 0);
}

TEST_CASE("MPI-81 the file of a trace shows the workers of each machine as a group") {
    const ScratchFile file;
    {
        MpiPool pool{{.workers = 1, .name = "both", .trace = true}};
        static_cast<void>(pool.broadcast([] {}));
        CHECK_THROWS_AS(pool.apply_on(TaskOptions{.label = "dies"}, 1, [] { ::raise(SIGKILL); }), WorkerDied);
        CHECK_THROWS_AS(pool.apply_on(TaskOptions{.timeout = 50ms, .label = "hangs"}, 1, [] { ::pause(); }),
                        TaskTimedOut);
        pool.close();
        pool.join();
        pool.write_trace(file.path);
    }
    const Json trace = file.read();
    const std::string name = "both @ " + std::string(this_worker::host());
    std::map<double, std::string> groups;
    std::map<double, std::set<std::string>> tracks;
    std::map<double, std::map<std::string, int>> events;
    for (const Json& event : trace["traceEvents"].items) {
        const double group = event["pid"].number;
        if (event["name"].text == "process_name") {
            groups[group] = event["args"]["name"].text;
        } else if (event["name"].text == "thread_name") {
            tracks[group].insert(event["args"]["name"].text);
        } else {
            CHECK(event["ts"].number >= 0);
            ++events[group][event["name"].text];
        }
    }
    REQUIRE(groups.size() == 2);
    const double here = groups.begin()->first;
    const double far = std::next(groups.begin())->first;
    CHECK(groups[here] == name);
    CHECK(groups[far] == name);
    CHECK(tracks[here] == std::set<std::string>{"worker 0"});
    CHECK(tracks[far] == std::set<std::string>{"worker 1"});
    CHECK(events[here]["task"] == 1);
    CHECK(events[here]["started"] == 1);
    CHECK(events[far]["task"] == 1);
    CHECK(events[far]["dies"] == 1);
    CHECK(events[far]["hangs"] == 1);
    CHECK(events[far]["timeout"] == 1);
    CHECK(events[far]["started"] == 3);
    CHECK(events[far]["ended"] == 3);
    CHECK(trace["otherData"]["dropped"].text == "0");
}

TEST_CASE("MPI-82 times of a machine with another clock are converted") {
    if (is_rank("1")) { skew_clock(); }
    MpiPool pool{{.workers = 1, .trace = true, .latencies = true, .mpi = {.use_root = false}}};
    const auto before = steady_clock::now();
    const auto far = pool.apply(TaskOptions{.label = "clock"}, [] {
        return static_cast<std::int64_t>(steady_clock::now().time_since_epoch().count());
    });
    const auto after = steady_clock::now();
    pool.close();
    pool.join();
    constexpr auto error = 100s;  // much less than the clocks differ
    if (std::chrono::nanoseconds{far} - after.time_since_epoch() < error) {
        WARN("no other clock can be had");
        return;
    }
    const auto runs = labelled(pool.timings(), "clock");
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].started > before - error);
    CHECK(runs[0].finished < after + error);
    CHECK(runs[0].started <= runs[0].finished);
    CHECK(pool.stats().waiting.count == 1);
    CHECK(pool.stats().waiting.p99 < error);
    CHECK(pool.stats().running.p99 < error);
}

TEST_CASE("MPI-83 a run that is lost with its machine is told once") {
    MpiPool pool{{.workers = 1, .name = "halves", .trace = true, .mpi = {.node_timeout = 1s}}};
    const Records records;
    const Lineage far = pool.apply_on(1, lineage_here);
    auto lost = pool.apply_on_async(TaskOptions{.label = "gone"}, 1, [] { ::pause(); });
    while (!lost.running()) { std::this_thread::yield(); }
    REQUIRE(::kill(far.agent, SIGSTOP) == 0);
    CHECK_THROWS_AS(lost.get(), NodeLost);
    const auto runs = labelled(pool.timings(), "gone");
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].ended == TaskEnd::node_lost);
    CHECK(runs[0].node == 1);
    CHECK(runs[0].host == this_worker::host());
    CHECK(runs[0].worker == LogRecord::no_worker);
    CHECK(runs[0].queued <= runs[0].started);
    CHECK(runs[0].started <= runs[0].finished);
    flush_log();
    const auto told = records.with("the machine of task");
    REQUIRE(told.size() == 1);
    CHECK(told[0].text.find(std::string(this_worker::host()) + ", fell silent") != std::string::npos);
    CHECK(told[0].host == this_worker::host());
    CHECK(told[0].worker == LogRecord::no_worker);
    CHECK(told[0].label == "gone");
    CHECK(told[0].pool == "halves");
    CHECK(told[0].level == LogLevel::warning);
    const ScratchFile file;
    pool.write_trace(file.path);
    std::size_t tracks = 0;
    const Json trace = file.read();
    for (const Json& event : trace["traceEvents"].items) {
        if (event["name"].text == "thread_name" && event["args"]["name"].text == "lost") { ++tracks; }
    }
    CHECK(tracks == 1);
    REQUIRE(::kill(far.agent, SIGCONT) == 0);
    wait_for_end_of(far.worker);
    pool.close();
    pool.join();
    CHECK(labelled(pool.timings(), "gone").size() == 1);
}

TEST_CASE("MPI-84 latencies count the tasks of all machines") {
    MpiPool pool{{.workers = 1, .latencies = true}};
    constexpr std::size_t tasks = 300;
    const auto before = steady_clock::now();
    for (std::size_t worker = 0; worker < 2; ++worker) {
        for (std::size_t i = 0; i < tasks / 2; ++i) {
            pool.apply_on(worker, [] { ::usleep(100); });
        }
    }
    std::vector<int> items(100);
    static_cast<void>(pool.map(
        MapOptions{.chunk_size = 10}, [](int n) { return n; }, items));
    const std::chrono::nanoseconds all = steady_clock::now() - before;
    CHECK_THROWS_AS(pool.apply_on(1, [] { throw std::runtime_error("counts"); }), std::runtime_error);
    CHECK_THROWS_AS(pool.apply_on(1, [] { ::raise(SIGKILL); }), WorkerDied);  // does not
    pool.close();
    pool.join();
    const PoolStats stats = pool.stats();
    CHECK(stats.running.count == tasks + items.size() + 1);
    CHECK(stats.waiting.count == tasks + items.size() + 1);
    CHECK(stats.running.p50 >= 50us);
    CHECK(stats.waiting.p50 > 0ns);
    CHECK(stats.waiting.p99 <= 2 * all);
    CHECK(pool.timings().empty());
}

TEST_CASE("MPI-85 items of a chunk that runs far away count before it ends") {
    MpiPool pool{remote(1)};
    const std::filesystem::path gate = gate_of(::getpid());
    std::vector<int> items{1, 2, 3, 4};
    std::size_t most = 0;
    const auto results = pool.map(
        MapOptions{.chunk_size = 4,
                   .progress =
                       [&](const Progress& progress) {
                           if (progress.done == 2) { std::ofstream{gate}; }
                           most = std::max<std::size_t>(most, progress.done);
                       }},
        [root = ::getpid()](int n) {
            // The third waits until it is known that there were two.
            while (n == 3 && !std::filesystem::exists(gate_of(root))) { ::usleep(1000); }
            return n;
        },
        items);
    CHECK(results == items);
    CHECK(most == 4);
    CHECK(std::filesystem::remove(gate));
}

TEST_CASE("MPI-86 what far tasks log comes to the sink with all that belongs to it") {
    MpiPool pool{{.workers = 2, .name = "talkers"}};
    const Records records;
    for (const std::size_t worker : {std::size_t{0}, std::size_t{3}}) {
        const Said said = pool.apply_on(TaskOptions{.label = "talk"}, worker, [] {
            log(LogLevel::warning, "from {}", this_worker::index());
            log(LogLevel::info, "also from {}", this_worker::index());
            log(LogLevel::debug, "silently from {}", this_worker::index());
            return Said{place_here(), this_task::id()};
        });
        CHECK(said.place.node == (worker == 0 ? 0 : 1));
        const std::string from = "from " + std::to_string(worker);
        while (records.with(from).size() < 2) { flush_log(); }
        const auto got = records.with(from);
        REQUIRE(got.size() == 2);
        CHECK(got[0].text == from);
        CHECK(got[0].level == LogLevel::warning);
        CHECK(got[1].text == "also " + from);
        CHECK(got[1].level == LogLevel::info);
        for (const auto& record : got) {
            CHECK(record.pid == said.place.pid);
            CHECK(record.worker == worker);
            CHECK(record.task == said.task);
            CHECK(record.label == "talk");
            CHECK(record.pool == "talkers");
            CHECK(record.host == (worker == 0 ? std::string_view{} : this_worker::host()));
        }
    }
    CHECK(records.with("silently").empty());
}

TEST_CASE("MPI-87 a sink that is set or changed at any time gets what later far tasks log") {
    MpiPool pool{remote(1)};
    const auto talk = [](int round) {
        log(LogLevel::debug, "debug {}.", round);
        log(LogLevel::info, "info {}.", round);
        log(LogLevel::error, "error {}.", round);
        return log_level();
    };
    CHECK(pool.apply(talk, 0) == LogLevel::off);
    int round = 0;
    for (const LogLevel level : {LogLevel::info, LogLevel::debug, LogLevel::error, LogLevel::info}) {
        const Records records{level};
        ++round;
        CHECK(pool.apply(talk, round) == level);
        const std::string number = " " + std::to_string(round) + ".";
        const auto all = [&] { return records.with(number).size(); };
        while (records.with("error" + number).empty()) { flush_log(); }
        CHECK(records.with("debug" + number).size() == (level == LogLevel::debug ? 1 : 0));
        CHECK(records.with("info" + number).size() == (level <= LogLevel::info ? 1 : 0));
        CHECK(all() == records.with(".").size());
    }
    CHECK(pool.apply(talk, 9) == LogLevel::off);
    // One that is set meanwhile gets nothing that it does not want, though the task may log it before it is told.
    const Records chatter;
    auto chat = pool.apply_async([] {
        while (log_level() == LogLevel::info) {
            log(LogLevel::info, "chatter");
            ::usleep(200);
        }
    });
    while (chatter.with("chatter").empty()) { std::this_thread::yield(); }
    const Records quiet{LogLevel::error};
    chat.get();
    pool.close();
    pool.join();
    CHECK(quiet.with("chatter").empty());
}

TEST_CASE("MPI-88 nothing that was logged far away is lost at the end of a pool") {
    std::optional<Records> records;
    constexpr int tasks = 200;
    {
        MpiPool pool{{.workers = 2,
                      .finalizer = [] { log(LogLevel::info, "farewell of {}", this_worker::index()); },
                      .mpi = {.use_root = false}}};
        records.emplace();
        std::vector<Future<void>> all;
        for (int i = 0; i < tasks; ++i) {
            all.push_back(pool.apply_async([](int n) { log(LogLevel::info, "task {}.", n); }, i));
        }
        for (auto& task : all) { task.get(); }
    }
    std::set<std::string> texts;
    for (const auto& record : records->with("task ")) { texts.insert(record.text); }
    CHECK(texts.size() == tasks);
    CHECK(records->with("farewell").size() == 2);
    CHECK(records->with("were lost").empty());
}

TEST_CASE("MPI-89 the death of a far worker is logged once with its machine") {
    MpiPool pool{{.workers = 2, .name = "mortal"}};
    const Records records{LogLevel::debug};
    const pid_t pid = pool.apply_on(3, [] { return ::getpid(); });
    CHECK_THROWS_AS(pool.apply_on(TaskOptions{.label = "dies"}, 3, [] { ::raise(SIGKILL); }), WorkerDied);
    CHECK(pool.apply_on(TaskOptions{.retries = 1, .label = "again"}, 3, [] {
        if (this_task::attempt() == 0) { ::raise(SIGTERM); }
        return this_task::attempt();
    }) == 1);
    CHECK_THROWS_AS(pool.apply_on(TaskOptions{.timeout = 50ms, .label = "hangs"}, 2, [] { ::pause(); }), TaskTimedOut);
    pool.close();
    pool.join();
    const std::string host(this_worker::host());
    const auto died = records.with(" was killed by signal 9 (SIGKILL) while it ran task ");
    REQUIRE(died.size() == 1);
    CHECK(died[0].text.find(fmt::format("worker 3, process {} on {}, was killed", pid, host)) == 0);
    CHECK(died[0].pid == pid);
    CHECK(died[0].worker == 3);
    CHECK(died[0].label == "dies");
    CHECK(died[0].host == host);
    CHECK(died[0].pool == "mortal");
    CHECK(died[0].level == LogLevel::warning);
    const auto again = records.with("(SIGTERM) while it ran");
    REQUIRE(again.size() == 1);
    CHECK(again[0].text.find("; it is run again") != std::string::npos);
    CHECK(again[0].text.find("worker 3, ") == 0);
    const auto hung = records.with("exceeded its timeout");
    REQUIRE(hung.size() == 1);
    CHECK(hung[0].text.find("worker 2, ") == 0);
    CHECK(hung[0].host == host);
    CHECK(records.with("4294967295").empty());
    // The replacements, by the numbers that they have in the whole pool.
    CHECK(records.with("worker 3, process ").size() >= 4);
    for (const auto& record : records.with(" was started")) {
        const bool is_far = record.worker >= 2;
        CHECK(record.text.find("worker " + std::to_string(record.worker) + ", ") == 0);
        CHECK(record.host == (is_far ? host : std::string()));
    }
}

TEST_CASE("MPI-90 the offset of two clocks is known to half of a round trip") {
    using detail::mpi::ClockOffset;
    ClockOffset clock;
    constexpr std::chrono::nanoseconds apart = 7h;
    std::chrono::nanoseconds now = 1h;
    const auto message = [&](std::chrono::nanoseconds to, std::chrono::nanoseconds from) {
        now += 1ms;
        clock.add(now, now - from - apart);
        clock.add_round_trip(to + from);
    };
    const auto error = [&] { return clock.here(now - apart) - now; };
    message(3ms, 5ms);
    CHECK(error() == 1ms);  // half of what one way takes longer than the other
    CHECK(clock.error() == 4ms);
    message(100us, 40us);
    CHECK(clock.error() == 70us);
    CHECK(error() == -30us);
    message(20ms, 30ms);  // says nothing
    CHECK(error() == -30us);
    message(10ms, 0us);
    CHECK(error() == -70us);
    for (int i = 0; i < 3; ++i) {  // it forgets what is old
        now += ClockOffset::window;
        message(2ms, 2ms);
    }
    CHECK(error() == 0ns);
    CHECK(clock.error() == 2ms);
}
