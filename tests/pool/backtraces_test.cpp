// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_details.hpp>

#include "pool/engines.hpp"

#include <algorithm>
#include <csignal>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

using namespace procpool_test;
using Catch::ContainsSubstring;

namespace {

struct Registered : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Unregistered : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[gnu::noinline]] int throw_range_error(int i) { return i == 3 ? throw std::range_error("range") : i; }
[[gnu::noinline]] int throw_registered(int i) { return i == 3 ? throw Registered("registered") : i; }
[[gnu::noinline]] int throw_unregistered(int i) { return i == 3 ? throw Unregistered("unregistered") : i; }
[[gnu::noinline]] int throw_text(int i) { return i == 3 ? throw "text" : i; }
[[gnu::noinline]] int throw_again(int i) {
    try {
        return throw_range_error(i);
    } catch (const std::range_error&) { throw; }
}
[[gnu::noinline]] int throw_nested(int i) {
    try {
        return throw_range_error(i);
    } catch (const std::range_error&) { std::throw_with_nested(std::logic_error("nested")); }
}
[[gnu::noinline]] int throw_after_others(int i) {
    try {
        throw_registered(i);
    } catch (const Registered&) {}
    return throw_range_error(i);
}

/// Returns: the backtrace of what f throws.
template <class F>
std::string backtrace_thrown_by(F f) {
    try {
        f();
    } catch (const std::exception& e) {
        const std::string text = backtrace_of(e);
        CHECK(backtrace_of(std::current_exception()) == text);
        return text;
    }
    return "nothing thrown";
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

PoolOptions with_backtraces() { return {.workers = 1, .backtraces = true}; }

template <class P>
void the_thrower_is_named() {
    register_exception<Registered>();
    P pool{with_backtraces()};
    struct Thrower {
        const char* name;
        int (*f)(int);
    };
    for (const auto& [name, f] :
         {Thrower{"throw_range_error(int)", throw_range_error}, Thrower{"throw_registered(int)", throw_registered},
          Thrower{"throw_unregistered(int)", throw_unregistered}, Thrower{"throw_text(int)", throw_text},
          Thrower{"throw_again(int)", throw_again}, Thrower{"throw_range_error(int)", throw_after_others}}) {
        const std::string text = backtrace_thrown_by([&] { pool.apply(f, 3); });
        CAPTURE(name, text);
        CHECK_THAT(first_line(text), ContainsSubstring("#0 ") && ContainsSubstring(name));
        CHECK_THAT(text, !ContainsSubstring("__cxa_throw") && !ContainsSubstring("worker::Loop"));
    }
    CHECK_THAT(backtrace_thrown_by([&] { pool.apply(throw_nested, 3); }), ContainsSubstring("throw_nested(int)"));
}
ON_EVERY_ENGINE("with backtraces an exception names the function that threw it", the_thrower_is_named)

template <class P>
void items_name_the_thrower() {
    P pool{with_backtraces()};
    std::vector<int> items(20);
    std::iota(items.begin(), items.end(), 0);
    const auto check = [](auto call) {
        CHECK_THAT(first_line(backtrace_thrown_by(call)), ContainsSubstring("throw_range_error(int)"));
    };
    for (const MapOptions& options : {MapOptions{.chunk_size = 1, .on_error = OnError::fail_fast},
                                      MapOptions{.chunk_size = 10, .on_error = OnError::wait_all}}) {
        check([&] { pool.map(options, throw_range_error, items); });
        check([&] {
            pool.map(
                options, [](const std::string& text) { return std::to_string(throw_range_error(std::stoi(text))); },
                std::vector<std::string>{"1", "2", "3"});
        });
        check([&] { pool.for_each(options, throw_range_error, items); });
        check([&] { pool.map_reduce(options, throw_range_error, std::plus<>{}, 0, items); });
        check([&] { get_soon(pool.map_async(options, throw_range_error, items)); });
        const auto outcomes = pool.map_outcomes(MapOptions{.chunk_size = options.chunk_size}, throw_range_error, items);
        check([&] { outcomes[3].value(); });
        CHECK(item_of(outcomes[3].error()) == 3);
        auto results = pool.imap(MapOptions{.chunk_size = options.chunk_size}, throw_range_error, items);
        while (auto outcome = results.next()) {
            if (!*outcome) {
                check([&] { outcome->value(); });
            }
        }
    }
}
ON_EVERY_ENGINE("with backtraces exceptions of items name the function that threw them", items_name_the_thrower)

TEST_CASE("backtraces are off by default - also beside a pool that has them") {
    Pool with{with_backtraces()};
    Pool without{1};
    CHECK_FALSE(backtrace_thrown_by([&] { with.apply(throw_range_error, 3); }).empty());
    CHECK(backtrace_thrown_by([&] { without.apply(throw_range_error, 3); }).empty());
    CHECK(backtrace_thrown_by([&] { without.map(throw_range_error, std::vector<int>{3}); }).empty());
    CHECK(backtrace_thrown_by([] { throw std::runtime_error("no task's"); }).empty());
    CHECK(backtrace_of(std::runtime_error("on the stack")).empty());
}

TEST_CASE("the workers that replace others record backtraces too") {
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 1, .backtraces = true}};
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(backtrace_thrown_by([&] { pool.apply(throw_range_error, 3); }).empty());
    }
    pool.refork();
    CHECK_FALSE(backtrace_thrown_by([&] { pool.apply(throw_range_error, 3); }).empty());
}

TEST_CASE("backtrace_of() a death is that of the crash") {
    Pool pool{with_backtraces()};
    try {
        pool.apply([] { ::raise(SIGSEGV); });
        FAIL("nothing was thrown");
    } catch (const WorkerDied& death) {
        CHECK(backtrace_of(death) == death.backtrace());
        if (!under_sanitizer) { CHECK_FALSE(death.backtrace().empty()); }
    }
}

TEST_CASE("an exception of a pool within a worker keeps the place where it was thrown") {
    Pool pool{with_backtraces()};
    const std::string text = backtrace_thrown_by([&] {
        pool.apply([] {
            Pool inner{with_backtraces()};
            return inner.apply(throw_range_error, 3);
        });
    });
    CHECK_THAT(first_line(text), ContainsSubstring("throw_range_error(int)"));
}

TEST_CASE("the log has the place of a throw at level debug") {
    std::vector<std::string> records;
    set_log_sink(
        [&](const LogRecord& record) {
            if (record.text.find("threw") != std::string_view::npos) { records.emplace_back(record.text); }
        },
        LogLevel::debug);
    {
        Pool pool{with_backtraces()};
        Pool without{1};
        const MapOptions options{.chunk_size = 1};
        CHECK_THROWS_AS(pool.apply(throw_range_error, 3), std::range_error);
        CHECK_THROWS_AS(pool.map(options, throw_range_error, std::vector<int>{3}), std::range_error);
        static_cast<void>(pool.map_outcomes(options, throw_range_error, std::vector<int>{3}));
        CHECK_THROWS_AS(without.apply(throw_range_error, 3), std::range_error);
    }
    set_log_sink({}, LogLevel::off);
    REQUIRE(records.size() == 3);
    for (const std::string& text : records) {
        CHECK_THAT(first_line(text), ContainsSubstring("std::range_error: range"));
        CHECK_THAT(text, ContainsSubstring("#0 ") && ContainsSubstring("throw_range_error(int)"));
    }
}

TEST_CASE("a backtrace outlives its pool") {
    std::exception_ptr kept;
    {
        Pool pool{with_backtraces()};
        try {
            pool.apply(throw_range_error, 3);
        } catch (...) { kept = std::current_exception(); }
    }
    CHECK_THAT(first_line(backtrace_of(kept)), ContainsSubstring("throw_range_error(int)"));
    CHECK(backtrace_of(std::exception_ptr{}).empty());
}

}  // namespace
