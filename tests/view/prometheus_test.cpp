// SPDX-License-Identifier: BSL-1.0
#include <procpool/view/prometheus.hpp>

#include "support/catch.hpp"

#include <map>
#include <string>
#include <string_view>

namespace view = procpool::detail::view;

namespace {

[[nodiscard]] std::string text_of(const view::PoolView& pool) {
    const view::ExposedPool exposed{&pool};
    return view::prometheus_text({&exposed, 1});
}

/// Returns: the value of each series of a metric, by the text of its labels.
[[nodiscard]] std::map<std::string, double> series(const std::string& text, const std::string& name) {
    std::map<std::string, double> found;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with(name + "{")) { continue; }
        const std::size_t close = line.rfind('}');
        found[line.substr(name.size() + 1, close - name.size() - 1)] = std::stod(line.substr(close + 1));
    }
    return found;
}

}  // namespace

TEST_CASE("labels are escaped and valid UTF-8") {
    view::PoolView pool;
    pool.name = "a\"b\\c\nd\xff\xc3\xa4\t";
    CHECK(text_of(pool).find(
              "procpool_queue_tasks{pool=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa4\t\",phase=\"blocked\"} 0\n") !=
          std::string::npos);
    CHECK(view::valid_utf8("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(view::valid_utf8("\xc3") == "\xef\xbf\xbd");
}

TEST_CASE("a histogram counts from below and ends in all") {
    view::PoolView pool;
    pool.times.emplace();
    pool.times->nanoseconds_per_tick = 1;
    pool.times->running[3] = 5;   // up to 16 ns
    pool.times->running[10] = 7;  // up to 2^11 ns
    pool.times->running[63] = 1;
    const auto buckets = series(text_of(pool), "procpool_task_seconds_bucket");
    CHECK(buckets.size() == 34);
    CHECK(buckets.at("pool=\"\",le=\"1.024e-06\"") == 5);
    CHECK(buckets.at("pool=\"\",le=\"2.048e-06\"") == 12);
    CHECK(buckets.at("pool=\"\",le=\"+Inf\"") == 13);
    CHECK(series(text_of(pool), "procpool_task_seconds_count").at("pool=\"\"") == 13);
    CHECK(series(text_of(pool), "procpool_wait_seconds_count").at("pool=\"\"") == 0);
}

TEST_CASE("a histogram never goes back where only the rate of ticks is measured anew") {
    view::PoolView pool;
    pool.times.emplace();
    for (std::size_t i = 0; i < 64; ++i) { pool.times->running[i] = 1000 + i; }
    for (const double rate : {0.31, 0.333, 0.5, 1.0, 4.2, 10.0, 41.67}) {
        pool.times->nanoseconds_per_tick = rate;
        const std::string before = text_of(pool);
        for (const double change : {-1e-5, 1e-5}) {
            pool.times->nanoseconds_per_tick = rate * (1 + change);
            CHECK(text_of(pool) == before);
        }
    }
}

TEST_CASE("pools of several programs stand together under each metric") {
    view::PoolView first;
    first.name = "x";
    view::PoolView second = first;
    const std::vector<view::ExposedPool> pools{{&first, {{"supervisor", "1"}}}, {&second, {{"supervisor", "2"}}}};
    const std::string text = view::prometheus_text(pools);
    CHECK(series(text, "procpool_workers").size() == 8);
    CHECK(series(text, "procpool_workers").contains("pool=\"x\",supervisor=\"2\",state=\"busy\""));
    const std::string_view type = "# TYPE procpool_workers gauge\n";
    CHECK(text.find(type) != std::string::npos);
    CHECK(text.find(type, text.find(type) + 1) == std::string::npos);
}
