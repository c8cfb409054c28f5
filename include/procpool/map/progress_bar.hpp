// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// progress_bar(): shows people how far a call over many items has got.

#include <procpool/os/terminal.hpp>
#include <procpool/pool/progress.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace procpool::inline v0 {

namespace detail::map {

/// One line of a terminal, drawn over and over. Nothing at all on what is no terminal.
class ProgressBar {
public:
    ProgressBar(int descriptor, std::FILE* file) noexcept
        : descriptor_(descriptor),
          file_(file),
          visible_(os::is_terminal(descriptor)) {}
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar() {
        if (drawn_ != 0) { put("\n"); }  // nobody has waited for the end of the call
    }

    void show(const Progress& now) {
        if (!visible_) { return; }
        std::string line = text_of(now);
        const std::size_t size = line.size();
        if (size < drawn_) { line.append(drawn_ - size, ' '); }
        drawn_ = size;
        put("\r" + line + (now.last ? "\n" : ""));
        if (now.last) { drawn_ = 0; }
    }

    /// Fits a terminal of 80 columns.
    [[nodiscard]] static std::string text_of(const Progress& now) {
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

private:
    [[nodiscard]] static std::string rate_text(double rate) {
        if (rate >= 10e6) { return fmt::format("{:.0f}M/s", rate / 1e6); }
        if (rate >= 10e3) { return fmt::format("{:.0f}k/s", rate / 1e3); }
        return fmt::format("{:.{}f}/s", rate, rate < 10 ? 1 : 0);
    }
    [[nodiscard]] static std::string time_text(std::chrono::nanoseconds time) {
        const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
        if (seconds >= 3600) { return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60); }
        return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
    }

    void put(const std::string& text) noexcept {
        if (file_ != nullptr) {
            std::fwrite(text.data(), 1, text.size(), file_);
            std::fflush(file_);
        } else {
            os::write_text(descriptor_, text);
        }
    }

    int descriptor_;
    std::FILE* file_;
    bool visible_;
    std::size_t drawn_ = 0;  // characters of the line that is not ended
};

}  // namespace detail::map

/// Returns: for MapOptions::progress, a bar with rate and time left in one line of the terminal; the line is ended at
/// the end of the call, or, where nobody waits for that, with the last copy of what this returns. Silent where the
/// output is no terminal. Lifetime: the output outlives it.
[[nodiscard]] inline std::function<void(const Progress&)> progress_bar(std::FILE* out = stderr) {
    return [bar = std::make_shared<detail::map::ProgressBar>(detail::os::number_of(out), out)](const Progress& now) {
        bar->show(now);
    };
}
[[nodiscard]] inline std::function<void(const Progress&)> progress_bar(int descriptor) {
    return [bar = std::make_shared<detail::map::ProgressBar>(descriptor, nullptr)](const Progress& now) {
        bar->show(now);
    };
}

}  // namespace procpool
