// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/progress_bar.hpp>

#include <procpool/os/terminal.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>

namespace procpool::inline v0 {

namespace detail::map {

[[nodiscard]] PROCPOOL_DECL std::string rate_text(double rate) {
    if (rate >= 10e6) { return fmt::format("{:.0f}M/s", rate / 1e6); }
    if (rate >= 10e3) { return fmt::format("{:.0f}k/s", rate / 1e3); }
    return fmt::format("{:.{}f}/s", rate, rate < 10 ? 1 : 0);
}

[[nodiscard]] PROCPOOL_DECL std::string time_text(std::chrono::nanoseconds time) {
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
    if (seconds >= 3600) { return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60); }
    return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

PROCPOOL_DECL ProgressBar::ProgressBar(int descriptor, std::FILE* file) noexcept
    : descriptor_(descriptor),
      file_(file),
      visible_(os::is_terminal(descriptor)) {}

PROCPOOL_DECL ProgressBar::~ProgressBar() {
    if (drawn_ != 0) { put("\n"); }  // nobody has waited for the end of the call
}

PROCPOOL_DECL void ProgressBar::show(const Progress& now) {
    if (!visible_) { return; }
    std::string line = text_of(now);
    const std::size_t size = line.size();
    if (size < drawn_) { line.append(drawn_ - size, ' '); }
    drawn_ = size;
    put("\r" + line + (now.last ? "\n" : ""));
    if (now.last) { drawn_ = 0; }
}

PROCPOOL_DECL std::string ProgressBar::text_of(const Progress& now) {
    const std::string rate = rate_text(now.rate());
    if (now.total == 0) { return fmt::format("{} done, {}, {}", now.done, rate, time_text(now.elapsed)); }
    constexpr std::size_t width = 24;
    const double share = std::min(1.0, static_cast<double>(now.done) / static_cast<double>(now.total));
    const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
    const bool over = now.last || now.done >= now.total;
    const std::string time = over                                           ? time_text(now.elapsed)
                             : now.eta() == std::chrono::nanoseconds::max() ? ""
                                                                            : time_text(now.eta()) + " left";
    return fmt::format("{:3}% [{}{}] {}/{}, {}{}{}", static_cast<int>(share * 100), std::string(full, '#'),
                       std::string(width - full, '.'), now.done, now.total, rate, time.empty() ? "" : ", ", time);
}

PROCPOOL_DECL void ProgressBar::put(const std::string& text) noexcept {
    if (file_ != nullptr) {
        std::fwrite(text.data(), 1, text.size(), file_);
        std::fflush(file_);
    } else {
        os::write_text(descriptor_, text);
    }
}

}  // namespace detail::map

PROCPOOL_DECL std::function<void(const Progress&)> progress_bar(std::FILE* out) {
    return [bar = std::make_shared<detail::map::ProgressBar>(detail::os::number_of(out), out)](const Progress& now) {
        bar->show(now);
    };
}

PROCPOOL_DECL std::function<void(const Progress&)> progress_bar(int descriptor) {
    return [bar = std::make_shared<detail::map::ProgressBar>(descriptor, nullptr)](const Progress& now) {
        bar->show(now);
    };
}

}  // namespace procpool
