// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// progress_bar(): shows how far a call over many items has got.

#include <procpool/core/config.hpp>
#include <procpool/pool/progress.hpp>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>

namespace procpool::inline v0 {

namespace detail::map {

/// One line of a terminal, drawn over and over. Draws nothing where the output is no terminal.
class ProgressBar {
public:
    ProgressBar(int descriptor, std::FILE* file) noexcept;
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar();

    void show(const Progress& now);

    /// Fits a terminal of 80 columns.
    [[nodiscard]] static std::string text_of(const Progress& now);

private:
    void put(const std::string& text) noexcept;

    int descriptor_;
    std::FILE* file_;
    bool visible_;
    std::size_t drawn_ = 0;  // characters of the line that is not ended
};

}  // namespace detail::map

/// \{
/// Returns: a function for MapOptions::progress that draws a bar with rate and time left in one line of the terminal.
/// The line ends with the call, or with the last copy of the function where no thread waits for the call. Draws nothing
/// where the output is no terminal. Lifetime: the output outlives the function.
[[nodiscard]] std::function<void(const Progress&)> progress_bar(std::FILE* out = stderr);
[[nodiscard]] std::function<void(const Progress&)> progress_bar(int descriptor);
/// \}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/map/progress_bar.ipp>
#endif
