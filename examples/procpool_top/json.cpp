// SPDX-License-Identifier: BSL-1.0
#include "json.hpp"

#include <procpool/os/host.hpp>
#include <procpool/pool/stats.hpp>
#include <procpool/view/prometheus.hpp>

#include <fmt/core.h>
#include <cmath>
#include <concepts>
#include <string_view>
#include <type_traits>

namespace procpool_top {

namespace {

/// Writes values with the commas between them.
class Json {
public:
    class Scope {
    public:
        Scope(Json& json, char open, char close) : json_(json), close_(close) {
            json_.text_ += open;
            json_.needs_comma_ = false;
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() {
            json_.text_ += close_;
            json_.needs_comma_ = true;
        }

    private:
        Json& json_;
        char close_;
    };

    /// In an object, values have names; in an array they have none.
    [[nodiscard]] Scope object(std::string_view name = {}) {
        begin(name);
        return {*this, '{', '}'};
    }
    [[nodiscard]] Scope array(std::string_view name) {
        begin(name);
        return {*this, '[', ']'};
    }
    void add(std::string_view name, std::string_view value) {
        begin(name);
        append_string(value);
    }
    void add(std::string_view name, const char* value) { add(name, std::string_view{value}); }
    void add(std::string_view name, const std::string& value) { add(name, std::string_view{value}); }
    void add(std::string_view name, bool value) {
        begin(name);
        text_ += value ? "true" : "false";
    }
    void add(std::string_view name, double value) {
        begin(name);
        text_ += std::isfinite(value) ? fmt::format("{}", value) : "null";
    }
    void add(std::string_view name, std::integral auto value) {
        begin(name);
        text_ += fmt::format("{}", value);
    }
    void add(std::string_view name, std::nullopt_t) {
        begin(name);
        text_ += "null";
    }
    template <class T>
    void add(std::string_view name, const std::optional<T>& value) {
        if (value) {
            add(name, *value);
        } else {
            add(name, std::nullopt);
        }
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void begin(std::string_view name) {
        if (needs_comma_) { text_ += ','; }
        needs_comma_ = true;
        if (!name.empty()) {
            append_string(name);
            text_ += ':';
        }
    }
    void append_string(std::string_view value) {
        text_ += '"';
        for (const char letter : view::valid_utf8(value)) {
            const auto byte = static_cast<unsigned char>(letter);
            if (letter == '"' || letter == '\\') {
                text_ += '\\';
                text_ += letter;
            } else if (byte < 0x20 || byte == 0x7f) {
                text_ += fmt::format("\\u{:04x}", byte);
            } else {
                text_ += letter;
            }
        }
        text_ += '"';
    }

    std::string text_;
    bool needs_comma_ = false;
};

void add_worker(Json& json, const view::WorkerView& worker, const WorkerChange& change) {
    const auto scope = json.object();
    json.add("index", worker.index);
    json.add("pid", worker.pid);
    json.add("state", worker.state_name());
    if (worker.task) {
        const view::TaskView& task = *worker.task;
        const auto its = json.object("task");
        json.add("number", task.number);
        json.add("label", task.label);
        json.add("age", change.age);
        json.add("age_is_minimum", change.age_is_minimum);
        json.add("items_done", task.items_done);
        json.add("attempt", task.attempt);
        json.add("timeout", task.timeout);
    } else {
        json.add("task", std::nullopt);
    }
    json.add("tasks_done", worker.tasks_done);
    json.add("rate", change.rate);
    json.add("uptime", worker.uptime);
    json.add("resident_bytes", worker.resident_bytes);
    json.add("shared_bytes", worker.shared_bytes);
    json.add("cpu_seconds", worker.cpu_seconds);
    json.add("cpu", change.cpu);
}

void add_queue(Json& json, const view::QueueView& queue) {
    const auto scope = json.object("queue");
    json.add("capacity", queue.capacity);
    json.add("blocked", queue.blocked);
    json.add("pending", queue.pending);
    json.add("running", queue.running);
    json.add("ended", queue.ended);
    json.add("is_exact", queue.is_exact);
    const auto levels = json.array("levels");
    const auto add = [&json](std::string_view name, const view::QueueView::Level& level) {
        if (level.pending == 0 && level.blocked == 0) { return; }
        const auto one = json.object();
        json.add("level", name);
        json.add("pending", level.pending);
        json.add("blocked", level.blocked);
    };
    add("one worker", queue.for_one_worker);
    add("guests", queue.guests);
    for (std::size_t i = 0; i < queue.priorities.size(); ++i) {
        add(fmt::format("{}", 3 - static_cast<int>(i)), queue.priorities[i]);
    }
}

void add_percentiles(Json& json, std::string_view name, const procpool::detail::task::Histogram::Counts* counts,
                     double nanoseconds_per_tick) {
    if (counts == nullptr) { return json.add(name, std::nullopt); }
    const procpool::Percentiles all = procpool::detail::pool::percentiles_of(*counts, nanoseconds_per_tick);
    const auto seconds = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e9; };
    const auto scope = json.object(name);
    json.add("count", all.count);
    json.add("p50", seconds(all.p50));
    json.add("p95", seconds(all.p95));
    json.add("p99", seconds(all.p99));
}

void add_pool(Json& json, const ShownPool& shown) {
    const view::ForeignPool& pool = shown.pool;
    const view::PoolView& view = pool.view;
    const auto scope = json.object();
    json.add("id", fmt::format("{}:{}", pool.device, pool.inode));
    json.add("name", view.name);
    {
        const auto program = json.object("program");
        json.add("pid", pool.program);
        json.add("name", pool.program_name);
    }
    json.add("supervisor", pool.supervisor);
    json.add("state", view.state);
    json.add("reason", view.reason.empty() ? std::nullopt : std::optional{view.reason});
    json.add("paused", view.is_paused);
    json.add("reforking", view.is_reforking);
    json.add("uptime", view.uptime);
    {
        using State = view::WorkerView::State;
        const auto workers = json.object("workers");
        json.add("wanted", view.workers_wanted);
        json.add("living", view.workers.size());
        json.add("busy", view.count(State::busy));
        json.add("idle", view.count(State::idle));
        json.add("starting", view.count(State::starting));
        json.add("leaving", view.count(State::leaving));
    }
    {
        const auto workers = json.array("worker");
        for (std::size_t i = 0; i < view.workers.size(); ++i) { add_worker(json, view.workers[i], shown.workers[i]); }
    }
    add_queue(json, view.queue);
    {
        const auto tasks = json.object("tasks");
        const view::QueueView& queue = view.queue;
        json.add("submitted", view.all_ended() + queue.blocked + queue.pending + queue.running);
        {
            const auto ended = json.object("ended");
            for (std::size_t i = 0; i < view.ended.size(); ++i) {
                json.add(to_string(static_cast<procpool::Ending>(i)), view.ended[i]);
            }
        }
        json.add("retried", view.retried);
        json.add("rate", shown.rate);
    }
    json.add("started", view.started);
    json.add("recycled", view.recycled);
    {
        const auto deaths = json.object("deaths");
        std::uint64_t total = 0;
        for (const auto& [reason, count] : view.deaths) { total += count; }
        json.add("total", total);
        const auto reasons = json.object("by_reason");
        for (const auto& [reason, count] : view.deaths) { json.add(reason, count); }
    }
    const double tick = view.times ? view.times->nanoseconds_per_tick : 1;
    add_percentiles(json, "waiting", view.times ? &view.times->waiting : nullptr, tick);
    add_percentiles(json, "running", view.times ? &view.times->running : nullptr, tick);
}

}  // namespace

std::string to_json(const Snapshot& snapshot) {
    Json json;
    {
        const auto scope = json.object();
        json.add("schema", 1);
        json.add("time", snapshot.time);
        json.add("host", procpool::detail::os::host_name().data());
        json.add("took", snapshot.took);
        {
            const auto pools = json.array("pools");
            for (const ShownPool& shown : snapshot.pools) { add_pool(json, shown); }
        }
        {
            const auto refused = json.array("refused");
            for (const Refused& one : snapshot.refused) {
                const auto its = json.object();
                json.add("pid", one.pid);
                json.add("name", one.name);
                json.add("why", one.why);
            }
        }
        json.add("hidden_processes", snapshot.hidden);
    }
    return json.take();
}

}  // namespace procpool_top
