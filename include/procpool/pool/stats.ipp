// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/stats.hpp>

#include <algorithm>
#include <cmath>

namespace procpool::inline v0 {

namespace detail::pool {

PROCPOOL_DECL Percentiles percentiles_of(const std::array<std::uint64_t, 64>& counts, double nanoseconds_per_tick) {
    Percentiles result;
    for (const std::uint64_t count : counts) { result.count += count; }
    const auto below = [&](double part) {
        double rank = part * static_cast<double>(result.count);
        double ticks = 0;
        for (std::size_t i = 0; i < counts.size() && rank > 0; ++i) {
            if (counts[i] == 0) { continue; }
            const auto here = static_cast<double>(counts[i]);
            ticks = std::ldexp(1 + std::min(rank / here, 1.0), static_cast<int>(i));  // as if they were spread evenly
            rank -= here;
        }
        constexpr auto most = static_cast<double>(std::chrono::nanoseconds::max().count()) / 2;
        return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(ticks * nanoseconds_per_tick, most))};
    };
    result.p50 = below(0.5);
    result.p95 = below(0.95);
    result.p99 = below(0.99);
    return result;
}

/// Returns: "; waiting: 50 % up to 1.5 us, ..."; nothing where there are none.
[[nodiscard]] PROCPOOL_DECL std::string text_of(const char* name, const Percentiles& of) {
    if (of.count == 0) { return {}; }
    const auto time = [](std::chrono::nanoseconds duration) {
        auto value = static_cast<double>(duration.count());
        const char* unit = "ns";
        for (const char* const larger : {"us", "ms", "s"}) {
            if (value < 1000) { break; }
            value /= 1000;
            unit = larger;
        }
        return fmt::format("{:.3g} {}", value, unit);
    };
    return fmt::format("; {}: 50 % up to {}, 95 % up to {}, 99 % up to {}", name, time(of.p50), time(of.p95),
                       time(of.p99));
}

}  // namespace detail::pool

PROCPOOL_DECL std::string to_string(const PoolStats& stats) {
    return fmt::format(
               "{} submitted, {} completed, {} failed, {} cancelled, {} timed out, {} retried, {} unobserved; workers: "
               "{} started, {} died, {} recycled",
               stats.submitted, stats.completed, stats.failed, stats.cancelled, stats.timed_out, stats.retried,
               stats.unobserved, stats.workers_started, stats.workers_died, stats.workers_recycled) +
           detail::pool::text_of("waiting", stats.waiting) + detail::pool::text_of("running", stats.running) +
           (stats.memory_exceeded == 0 ? "" : fmt::format("; {} over the memory limit", stats.memory_exceeded));
}

}  // namespace procpool
