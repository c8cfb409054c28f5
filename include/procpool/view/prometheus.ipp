// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/printable.hpp>
#include <procpool/view/prometheus.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace procpool::inline v0::detail::view {

PROCPOOL_DECL std::string valid_utf8(std::string_view text) {
    std::string valid;
    while (!text.empty()) {
        const std::size_t length = core::utf8_length(text);
        valid += length != 0 ? text.substr(0, length) : std::string_view{"\xef\xbf\xbd"};
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return valid;
}

/// Writes one metric after the other, each of all pools.
class Exposition {
public:
    explicit Exposition(std::span<const ExposedPool> pools) : pools_(pools) {
        for (const ExposedPool& pool : pools) {
            std::string common = label("pool", pool.view->name);
            for (const auto& [name, value] : pool.labels) { common.append(",").append(label(name, value)); }
            common_.push_back(std::move(common));
        }
    }

    /// Calls each(view) for every pool, which calls sample() for every series of the metric.
    template <class Each>
    void metric(std::string_view name, std::string_view type, std::string_view help, Each each) {
        name_ = name;
        text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
        for (std::size_t i = 0; i < pools_.size(); ++i) {
            of_ = i;
            each(*pools_[i].view);
        }
    }
    template <class Value>
    void sample(Value value, std::string_view more = {}, std::string_view suffix = {}) {
        text_ += fmt::format("{}{}{{{}{}{}}} {}\n", name_, suffix, common_[of_], more.empty() ? "" : ",", more, value);
    }
    void histogram(const task::Histogram::Counts& counts, double nanoseconds_per_tick);

    [[nodiscard]] static std::string label(std::string_view name, std::string_view value) {
        std::string text = fmt::format("{}=\"", name);
        for (const char letter : valid_utf8(value)) {
            if (letter == '\n') {
                text += "\\n";
                continue;
            }
            if (letter == '"' || letter == '\\') { text += '\\'; }
            text += letter;
        }
        text += '"';
        return text;
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::span<const ExposedPool> pools_;
    std::vector<std::string> common_;
    std::string_view name_;
    std::size_t of_ = 0;
    std::string text_;
};

PROCPOOL_DECL void Exposition::histogram(const task::Histogram::Counts& counts, double nanoseconds_per_tick) {
    // From 1 us to 73 minutes. The rate differs a little each time that it is measured; but what a bound stands for,
    // and the sum, must not, since a counter that goes back means to Prometheus that the program was started again.
    constexpr int first = 10;
    constexpr int last = 42;
    const double rate = std::clamp(nanoseconds_per_tick, 1e-3, 1e6);
    const int shift = static_cast<int>(std::lround(std::log2(rate)));
    const double digit = std::pow(10, std::floor(std::log10(rate)) - 1);
    const double rough_rate = std::round(rate / digit) * digit;
    std::uint64_t below = 0;
    double ticks = 0;
    std::size_t place = 0;
    const auto add_next = [&] {
        below += counts[place];
        ticks += std::ldexp(1.5 * static_cast<double>(counts[place]), static_cast<int>(place));
        ++place;
    };
    for (int bound = first; bound <= last; ++bound) {
        while (place < counts.size() && static_cast<int>(place) + 1 + shift <= bound) { add_next(); }
        sample(below, label("le", fmt::format("{}", std::ldexp(1e-9, bound))), "_bucket");
    }
    while (place < counts.size()) { add_next(); }
    sample(below, label("le", "+Inf"), "_bucket");
    sample(ticks * rough_rate / 1e9, {}, "_sum");
    sample(below, {}, "_count");
}

PROCPOOL_DECL std::string prometheus_text(std::span<const ExposedPool> pools) {
    Exposition out{pools};
    using Of = const PoolView&;
    out.metric("procpool_workers", "gauge", "Workers of the pool, by what they do.", [&](Of pool) {
        for (std::size_t i = 0; i < WorkerView::states.size(); ++i) {
            out.sample(pool.count(static_cast<WorkerView::State>(i)),
                       Exposition::label("state", WorkerView::states[i]));
        }
    });
    out.metric("procpool_tasks_total", "counter", "Tasks that have ended, by how.", [&](Of pool) {
        for (std::size_t i = 0; i < pool.ended.size(); ++i) {
            out.sample(pool.ended[i], Exposition::label("end", to_string(static_cast<Ending>(i))));
        }
    });
    out.metric("procpool_queue_tasks", "gauge", "Tasks that have not ended, by how far they are.", [&](Of pool) {
        out.sample(pool.queue.blocked, Exposition::label("phase", "blocked"));
        out.sample(pool.queue.pending, Exposition::label("phase", "pending"));
        out.sample(pool.queue.running, Exposition::label("phase", "running"));
    });
    out.metric("procpool_task_seconds", "histogram", "Time for which a worker ran a task, where it is measured.",
               [&](Of pool) {
                   if (pool.times) { out.histogram(pool.times->running, pool.times->nanoseconds_per_tick); }
               });
    out.metric("procpool_wait_seconds", "histogram",
               "Time from the submission of a task to its start, where it is measured.", [&](Of pool) {
                   if (pool.times) { out.histogram(pool.times->waiting, pool.times->nanoseconds_per_tick); }
               });
    out.metric("procpool_worker_deaths_total", "counter", "Workers that ended without having been asked to, by how.",
               [&](Of pool) {
                   for (const auto& [reason, count] : pool.deaths) {
                       out.sample(count, Exposition::label("reason", reason));
                   }
               });
    out.metric("procpool_resident_bytes", "gauge", "Memory of a worker's process that is resident.", [&](Of pool) {
        for (const WorkerView& worker : pool.workers) {
            if (!worker.resident_bytes || !worker.index) { continue; }
            out.sample(*worker.resident_bytes, Exposition::label("worker", std::to_string(*worker.index)));
        }
    });
    return out.take();
}

}  // namespace procpool::detail::view
