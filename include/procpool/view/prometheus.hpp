// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// prometheus_text(): pools in the text format that Prometheus reads.

#include <procpool/core/config.hpp>
#include <procpool/view/pool_view.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::view {

/// A pool, and labels of its series besides `pool`.
struct ExposedPool {
    const PoolView* view;
    std::vector<std::pair<std::string_view, std::string>> labels = {};
};

/// Returns: https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4: all metrics, each of all
/// pools. Bytes of names that are no UTF-8 become U+FFFD.
/// The bounds in the histograms are powers of two of a nanosecond, the same on all machines; tasks are counted by
/// powers of two of ticks, so a bound means up to 1.5 times as much or as little, and the sums are estimates.
[[nodiscard]] std::string prometheus_text(std::span<const ExposedPool> pools);

/// Returns: the text, valid UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view text);

}  // namespace procpool::detail::view

#if PROCPOOL_BODIES
#include <procpool/view/prometheus.ipp>
#endif
