// SPDX-License-Identifier: BSL-1.0
#include "log/records.hpp"
#include "pool/subprocess.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("LOG-01 level and sink are inherited by the workers") {
    const Records records{LogLevel::warning};
    Pool pool{PoolOptions{.workers = 2,
                          .initializer = [] { log(LogLevel::error, "initializer of {}", this_worker::index()); },
                          .name = "painters"}};
    CHECK(pool.apply(log_level) == LogLevel::warning);
    const auto [index, pid, task] = pool.apply(TaskOptions{.label = "red"}, [] {
        log(LogLevel::info, "not wanted");
        log(LogLevel::warning, "{} and {}", "wanted", 7);
        return std::array<std::int64_t, 3>{static_cast<std::int64_t>(this_worker::index()), this_worker::pid(),
                                           static_cast<std::int64_t>(this_task::id())};
    });
    log(LogLevel::error, "the parent");
    pool.join();
    CHECK(records.with("not wanted").empty());
    const std::vector<Record> wanted = records.with("wanted and 7");
    REQUIRE(wanted.size() == 1);
    CHECK(wanted[0].level == LogLevel::warning);
    CHECK(wanted[0].worker == index);
    CHECK(wanted[0].pid == pid);
    CHECK(static_cast<std::int64_t>(wanted[0].task) == task);
    CHECK(wanted[0].label == "red");
    CHECK(wanted[0].pool == "painters");
    CHECK(records.with("initializer of 0").size() == 1);
    CHECK(records.with("initializer of 1").size() == 1);
    const std::vector<Record> parent = records.with("the parent");
    REQUIRE(parent.size() == 1);
    CHECK(parent[0].pid == ::getpid());
    CHECK(parent[0].worker == LogRecord::no_worker);
    CHECK(parent[0].task == 0);
}

TEST_CASE("LOG-01 a sink that is set later gets what the workers there are say from then on") {
    Pool pool{1};
    pool.apply([] { log(LogLevel::error, "too early"); });
    const Records records;
    CHECK(pool.apply(log_level) == LogLevel::info);
    pool.apply([] { log(LogLevel::error, "in time"); });
    pool.join();
    CHECK(records.with("too early").empty());
    CHECK(records.with("in time").size() == 1);
}

TEST_CASE("LOG-01 nothing is printed by default and whole lines with log_to_stderr()") {
    for (const bool loud : {false, true}) {
        Subprocess program{[loud] {
            if (loud) { log_to_stderr(LogLevel::info); }
            Pool pool{2};
            if (pool.apply(log_level) != (loud ? LogLevel::info : LogLevel::off)) {
                throw std::runtime_error("another level");
            }
            try {
                pool.apply(TaskOptions{.label = "two\nlines"}, [] {
                    log(LogLevel::info, "a\nb");
                    std::raise(SIGKILL);
                });
            } catch (const WorkerDied&) {}
            pool.join();
            log(LogLevel::info, "at the end");
            std::exit(0);  // the last record is not lost
        }};
        CHECK(exited_with(program.wait(), 0));
        CAPTURE(program.output());
        CHECK(count_of(program.output(), "\n") == (loud ? 3 : 0));
        CHECK(contains(program.output(), "'two\\nlines': a\\nb\n") == loud);
        CHECK(contains(program.output(), "]: at the end\n") == loud);
    }
}

TEST_CASE("log_to_stderr() shows no control character that a task - a label or a pool's name contains") {
    Subprocess program{[] {
        log_to_stderr(LogLevel::info);
        Pool pool{PoolOptions{.workers = 1, .name = "a\x1b[1mb"}};
        pool.apply(TaskOptions{.label = "l\rm\x1b[2J"}, [] {
            log(LogLevel::warning, "x\r2026-01-01 forged\x1b]0;title\x07\x7f\xc2\x9b\xff gr\xc3\xbc\xc3\x9f");
        });
        flush_log();
        pool.join();
        set_log_sink({});
    }};
    CHECK(exited_with(program.wait(), 0));
    CAPTURE(program.output());
    for (const char c : program.output()) { CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n')); }
    CHECK(count_of(program.output(), "\n") == 1);
    CHECK(contains(program.output(), "a\\x1b[1mb:0["));
    CHECK(contains(program.output(),
                   "'l\\rm\\x1b[2J': x\\r2026-01-01 forged\\x1b]0;title\\x07\\x7f\\u009b\\xff gr\xc3\xbc\xc3\x9f\n"));
}

TEST_CASE("LOG-02 a crash produces one useful line and what the task said before arrives") {
    const Records records;
    Pool pool{2};
    std::vector<std::pair<std::int32_t, std::string>> deaths;
    for (int round = 0; round < 20; ++round) {
        const bool exits = round % 2 != 0;
        try {
            pool.apply(
                TaskOptions{.label = "deadly"},
                [](int n, bool exit) {
                    log(LogLevel::info, "last words {}", n);
                    if (exit) { ::_exit(3); }
                    ::kill(::getpid(), n % 4 == 0 ? SIGKILL : SIGSEGV);
                },
                round, exits);
            FAIL("it lived");
        } catch (const WorkerDied& death) { deaths.emplace_back(death.pid(), to_string(death.exit_status())); }
    }
    pool.join();
    for (std::size_t i = 0; i < deaths.size(); ++i) {
        const std::vector<Record> words = records.with("last words " + std::to_string(i));
        REQUIRE(std::ranges::count(words, "last words " + std::to_string(i), &Record::text) == 1);
        const std::vector<Record> lines = records.with("process " + std::to_string(deaths[i].first) + ",");
        REQUIRE(lines.size() == 1);
        CHECK(contains(lines[0].text, deaths[i].second + " while it ran task " + std::to_string(lines[0].task)));
        CHECK(lines[0].task != 0);
        CHECK(lines[0].label == "deadly");
        CHECK(lines[0].level == LogLevel::warning);
        CHECK(lines[0].pid == deaths[i].first);
    }
    CHECK(records.with("process").size() == deaths.size());
}

TEST_CASE("LOG-02 retries/timeouts/recycling and idle deaths produce one line each") {
    const Records records;
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 4}};
    CHECK(pool.apply(TaskOptions{.retries = 1}, [] {
        if (this_task::attempt() == 0) { ::_exit(7); }
        return 5;
    }) == 5);
    CHECK_THROWS_AS(pool.apply(TaskOptions{.timeout = 20ms}, [] { std::this_thread::sleep_for(100s); }), TaskTimedOut);
    for (int i = 0; i < 5; ++i) {
        pool.apply([] {});
    }
    wait_until([&] { return pool.stats().workers_recycled == 1; }, "recycling");
    wait_until([&] { return !pool.workers().empty() && !pool.workers()[0].busy; }, "an idle worker");
    const auto victim = pool.workers()[0].pid;
    ::kill(victim, SIGKILL);
    wait_until([&] { return pool.stats().workers_died == 3; }, "an idle death");
    pool.join();
    CHECK(records.with("exited with code 7 while it ran task").size() == 1);
    CHECK(records.with("it is run again").size() == 1);
    CHECK(records.with("exceeded its timeout of 0.02 s").size() == 1);
    CHECK(records.with("was recycled after 4 items").size() == 1);
    CHECK(records
              .with("worker 0, process " + std::to_string(victim) +
                    ", was killed by signal 9 (SIGKILL) while it had no task")
              .size() == 1);
    CHECK(records.all().size() == 4);
}

template <class P>
void initializer_fails() {
    const Records records;
    {
        P pool{PoolOptions{.workers = 3, .initializer = [] { throw std::runtime_error("no paint"); }}};
        CHECK_THROWS_AS(pool.apply([] {}), PoolBroken);
    }
    const std::vector<Record> lines = records.all();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].level == LogLevel::error);
    CHECK(contains(lines[0].text, "the pool is broken: the initializer of worker "));
    CHECK(contains(lines[0].text, "std::runtime_error: no paint"));
    CHECK(lines[0].pid > 0);
}
ON_ENGINES_WITH_WORKERS("LOG-02 an initializer that fails produces one useful line", initializer_fails)

TEST_CASE("LOG-02 a pool that is broken from outside produces one line") {
    const Records records;
    {
        Pool pool{1};
        ::kill(pool.apply(::getppid), SIGKILL);
        wait_until([&] { return pool.join_for(1ms); }, "the pool to break");
    }
    REQUIRE(records.all().size() == 1);
    CHECK(records.all()[0].text == "the pool is broken: the supervisor process was killed");
}

template <class P>
void callback_fails() {
    const Records records;
    P pool{1};
    auto future = pool.apply_async([] { return 1; });
    future.on_done([] { throw std::logic_error("spilled"); });
    CHECK(get_soon(future) == 1);
    pool.join();
    REQUIRE(records.all().size() == 1);
    CHECK(records.all()[0].text == "a callback threw std::logic_error: spilled");
    CHECK(records.all()[0].pid == ::getpid());
}
ON_EVERY_ENGINE("LOG-02 a callback that fails produces one useful line", callback_fails)

/// Effects: every text that is "name number end" comes once at most. Returns: how many there are.
std::size_t check_lines(const std::vector<Record>& records) {
    std::vector<std::string> lines;
    std::size_t torn = 0;
    const std::string padding(200, '=');
    for (const Record& record : records) {
        if (record.text[0] != '<') { continue; }
        torn += record.text.ends_with(padding + ">") ? 0U : 1U;
        lines.push_back(record.text);
    }
    CHECK(torn == 0);
    std::ranges::sort(lines);
    CHECK(std::ranges::adjacent_find(lines) == lines.end());
    return lines.size();
}

TEST_CASE("LOG-03 threads and workers log at full speed while pools are created and workers recycled", "[serial]") {
    constexpr int per_worker = 20;
    constexpr int rounds = 5;
    const std::size_t tasks = times(200);
    std::atomic<bool> stop{false};
    std::size_t lost = 0;
    std::size_t logged = 0;
    std::vector<Record> all;
    {
        const Records records{LogLevel::warning};  // not what is said of recycling
        std::vector<std::thread> threads;
        std::atomic<std::size_t> said{0};
        for (int name = 0; name < 4; ++name) {
            threads.emplace_back([&, name] {
                for (int n = 0; !stop.load(); ++n) {
                    log(LogLevel::warning, "<thread {} {} {:=>200}>", name, n, "");
                    said.fetch_add(1);
                    if (n % 64 == 0) { std::this_thread::sleep_for(1ms); }
                }
            });
        }
        for (int round = 0; round < rounds; ++round) {
            Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 50}};
            pool.for_each(
                MapOptions{.chunk_size = 5},
                [](std::size_t n) {
                    for (int i = 0; i < per_worker; ++i) {
                        log(LogLevel::warning, "<item {} {} {} {:=>200}>", ::getpid(), n, i, "");
                    }
                },
                std::views::iota(std::size_t{0}, tasks));
            pool.join();
        }
        stop.store(true);
        for (std::thread& thread : threads) { thread.join(); }
        set_log_sink({});
        all = records.all();
        logged = said.load() + rounds * tasks * per_worker;
    }
    for (const Record& record : all) {
        if (record.text.ends_with(" log records were lost")) { lost += std::stoul(record.text); }
    }
    CHECK(check_lines(all) + lost == logged);
    CHECK(check_lines(all) > 1000);
}

TEST_CASE("LOG-03 workers that are killed while they log tear no line and hold nobody up") {
    const Records records;
    std::size_t deaths = 0;
    {
        Pool pool{2};
        const auto end = std::chrono::steady_clock::now() + 2s;
        while (std::chrono::steady_clock::now() < end || deaths <= 5) {
            auto chatter = pool.apply_async([] {
                for (int n = 0;; ++n) { log(LogLevel::info, "<task {} {} {:=>200}>", this_task::id(), n, ""); }
            });
            wait_until([&] { return chatter.running(); }, "a task to start");
            std::this_thread::sleep_for(std::chrono::microseconds{deaths % 7 * 300});
            const auto kill_busy = [&] {  // which it is said to be a moment after it has taken the task
                bool any = false;
                for (const WorkerInfo& worker : pool.workers()) {
                    any = (worker.busy && ::kill(worker.pid, SIGKILL) == 0) || any;
                }
                return any;
            };
            wait_until(kill_busy, "a busy worker");
            CHECK_THROWS_AS(get_soon(chatter), WorkerDied);
            ++deaths;
        }
        pool.apply([] { log(LogLevel::info, "the last one"); });
    }
    CHECK(records.with("the last one").size() == 1);
    CHECK(check_lines(records.all()) > 0);
}

TEST_CASE("long texts are cut and a sink may log/throw and be replaced") {
    std::atomic<int> calls{0};
    std::atomic<bool> too_long{false};  // assertions are for one thread, and the sink may be called by another
    set_log_sink([&](const LogRecord& record) {
        if (++calls == 1) { log(LogLevel::info, "from the sink"); }
        if (record.text.size() > 840) { too_long = true; }
        throw 42;
    });
    log(LogLevel::info, "{:x>5000}", "");
    flush_log();
    CHECK(calls.load() >= 1);
    {
        const Records records;
        log(LogLevel::off, "never");
        log(LogLevel::error, "to the new one");
        flush_log();
        CHECK(records.all().size() == 1);
    }
    CHECK(calls.load() == 2);
    CHECK_FALSE(too_long.load());
    log(LogLevel::error, "to nobody");
    CHECK(log_level() == LogLevel::off);
}

TEST_CASE("pools within tasks log to the program's sink") {
    const Records records;
    Pool outer{PoolOptions{.workers = 1, .name = "outer"}};
    outer.apply([] {
        Pool inner{PoolOptions{.workers = 1, .name = "inner"}};
        inner.apply([] { log(LogLevel::info, "from within"); });
    });
    outer.join();
    REQUIRE(records.with("from within").size() == 1);
    CHECK(records.with("from within")[0].pool == "inner");
}

}  // namespace
