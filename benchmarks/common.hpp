// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The tools of every competitor: its arguments, a clock, a check, a line of output. A competitor is a program that
/// does one round and prints a line for each case, "<case>\t<number>\t<unit>"; run.py calls them in turn and compares.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace benchmarks {

using Clock = std::chrono::steady_clock;

/// How much work a round is: enough to see that it works; a part; all of it.
enum class Size { tiny, quick, full };

struct Arguments {
    std::size_t workers = 1;
    Size size = Size::full;

    template <class T>
    [[nodiscard]] T pick(T tiny, T quick, T full) const {
        return size == Size::tiny ? tiny : size == Size::quick ? quick : full;
    }
};

/// Throws: std::runtime_error, which ends the program with 1.
inline void require(bool holds, const char* what) {
    if (!holds) { throw std::runtime_error(what); }
}

template <class Function>
double seconds(Function function) {
    const Clock::time_point start = Clock::now();
    function();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Nanoseconds for each of `count` operations.
template <class Function>
double nanoseconds_each(std::size_t count, Function function) {
    return seconds(function) * 1e9 / static_cast<double>(count);
}

inline double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values.at(values.size() / 2);
}

inline void report(std::string_view name, double value, std::string_view unit) {
    std::printf("%.*s\t%.6g\t%.*s\n", static_cast<int>(name.size()), name.data(), value, static_cast<int>(unit.size()),
                unit.data());
    std::fflush(stdout);
}

/// "64 B", "4 KB", "64 MB".
inline std::string size_text(std::size_t bytes) {
    constexpr std::array units{" B", " KB", " MB", " GB"};
    std::size_t unit = 0;
    for (; bytes >= 1024 && bytes % 1024 == 0; ++unit) { bytes /= 1024; }
    return std::to_string(bytes) + units.at(unit);
}

/// The body of main(): `round` is called with the Arguments. Returns: the exit status for main(); 1 when an answer was
/// wrong.
template <class Round>
int program(int argc, char** argv, Round round) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string_view text = argv[i];
        if (text == "--quick") {
            arguments.size = Size::quick;
        } else if (text == "--tiny") {
            arguments.size = Size::tiny;
        } else if (text == "--workers" && i + 1 < argc) {
            arguments.workers = static_cast<std::size_t>(std::max(1, std::atoi(argv[++i])));
        } else {
            std::fprintf(stderr, "usage: %s [--workers N] [--quick | --tiny]\n", argv[0]);
            return 2;
        }
    }
    try {
        round(arguments);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
        return 1;
    }
}

}  // namespace benchmarks
