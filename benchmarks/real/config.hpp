// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// real: small programs of the kind that one writes a pool for. Each is a function and a list of items; competitors
/// only differ in how they call it for all of them.

#include "../common.hpp"
#include "../executors/executor.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace benchmarks::real {

// ---- word count over a text tree

using Counts = std::unordered_map<std::string, std::uint32_t>;

inline std::string content(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

template <class Word>
void for_each_word(const std::string& text, Word word) {
    const auto is_letter = [](char one) { return std::isalpha(static_cast<unsigned char>(one)) != 0; };
    for (auto begin = text.begin(); (begin = std::find_if(begin, text.end(), is_letter)) != text.end();) {
        const auto end = std::find_if_not(begin, text.end(), is_letter);
        word(std::string_view{begin, end});
        begin = end;
    }
}

inline void count_words(const std::string& path, Counts& counts) {
    for_each_word(content(path), [&](std::string_view word) { ++counts[std::string(word)]; });
}

/// A hash map for each thread, which are added up in the end.
class CountsOfThreads {
public:
    /// Calls use(counts) with a map that no other thread uses meanwhile.
    template <class Use>
    void with_own(Use use) {
        Counts own;
        {
            const std::lock_guard guard{mutex_};
            if (!idle_.empty()) {
                own = std::move(idle_.back());
                idle_.pop_back();
            }
        }
        use(own);
        const std::lock_guard guard{mutex_};
        idle_.push_back(std::move(own));
    }
    [[nodiscard]] Counts all() && {
        if (idle_.empty()) { return {}; }
        Counts all = std::move(idle_.back());
        idle_.pop_back();
        for (const Counts& counts : idle_) {
            for (const auto& [word, count] : counts) { all[word] += count; }
        }
        return all;
    }

private:
    std::mutex mutex_;
    std::vector<Counts> idle_;
};

inline std::vector<std::string> text_tree(const Arguments& arguments) {
    std::vector<std::string> paths;
    namespace fs = std::filesystem;
    for (const auto& entry :
         fs::recursive_directory_iterator{"/usr/include", fs::directory_options::skip_permission_denied}) {
        if (entry.is_regular_file() && entry.path().string().find(".h") != std::string::npos) {
            paths.push_back(entry.path().string());
        }
    }
    std::ranges::sort(paths);
    std::uintmax_t left = arguments.pick<std::uintmax_t>(200'000, 4'000'000, 16'000'000);
    const auto end = std::ranges::find_if(paths, [&](const std::string& path) {
        const std::uintmax_t size = fs::file_size(path);
        const bool is_full = size > left;
        left -= is_full ? 0 : size;
        return is_full;
    });
    paths.erase(end, paths.end());
    return paths;
}

// ---- Mandelbrot

struct Row {
    std::uint32_t y;
    std::uint32_t width;
    std::uint32_t most;
};

constexpr auto mandelbrot_row = [](Row row) {
    std::vector<std::uint16_t> iterations(row.width);
    for (std::uint32_t x = 0; x < row.width; ++x) {
        const double real = -2 + 3.0 * x / row.width;
        const double imaginary = -1.5 + 3.0 * row.y / row.width;
        double a = 0;
        double b = 0;
        std::uint16_t i = 0;
        for (; i < row.most && a * a + b * b < 4; ++i) {
            const double next = a * a - b * b + real;
            b = 2 * a * b + imaginary;
            a = next;
        }
        iterations[x] = i;
    }
    return iterations;
};

// ---- N-queens

struct Board {
    std::uint32_t size;
    std::uint32_t columns;
    std::uint32_t left;
    std::uint32_t right;
};

inline std::uint64_t solutions(std::uint32_t all, std::uint32_t columns, std::uint32_t left, std::uint32_t right) {
    if (columns == all) { return 1; }
    std::uint64_t count = 0;
    for (std::uint32_t free = all & ~(columns | left | right); free != 0; free &= free - 1) {
        const std::uint32_t queen = free & -free;
        count += solutions(all, columns | queen, (left | queen) << 1, (right | queen) >> 1);
    }
    return count;
}

constexpr auto count_solutions = [](Board board) {
    return solutions((1U << board.size) - 1, board.columns, board.left, board.right);
};

/// The boards with queens in the first two rows.
inline std::vector<Board> boards(std::uint32_t size) {
    std::vector<Board> all;
    for (std::uint32_t first = 1; first < 1U << size; first <<= 1) {
        for (std::uint32_t second = 1; second < 1U << size; second <<= 1) {
            if ((second & (first | first << 1 | first >> 1)) != 0) { continue; }
            all.push_back({size, first | second, (first << 1 | second) << 1, (first >> 1 | second) >> 1});
        }
    }
    return all;
}

// ---- Monte Carlo

struct Throws {
    std::uint64_t seed;
    std::uint64_t count;
};

constexpr auto hits = [](Throws throws) {
    std::uint64_t state = throws.seed;
    std::uint64_t inside = 0;
    for (std::uint64_t i = 0; i < throws.count; ++i) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const double x = static_cast<double>(state >> 32) / 4294967296.0;
        const double y = static_cast<double>(state & 0xffffffff) / 4294967296.0;
        inside += x * x + y * y < 1 ? 1 : 0;
    }
    return inside;
};

// ---- all of them

/// `map(f, items)` returns f(item) for every item, as a vector; `words_of(paths)` the words in those files with their
/// number.
template <class Map, class CountWords>
void measure(const Arguments& arguments, Map map, CountWords words_of) {
    const auto timed = [](const char* name, auto f) { report(name, seconds(f) * 1e9, "ns"); };

    const std::vector<std::string> paths = text_tree(arguments);
    std::uint64_t expected = 0;
    for (const std::string& path : paths) {
        for_each_word(content(path), [&](std::string_view) { ++expected; });
    }
    decltype(words_of(paths)) words;
    timed("word count over a text tree", [&] { words = words_of(paths); });
    for (const auto& [word, count] : words) { expected -= count; }
    require(expected == 0, "wrong number of words");

    const std::uint32_t width = arguments.pick(64U, 384U, 512U);
    std::vector<Row> rows;
    for (std::uint32_t y = 0; y < width; ++y) { rows.push_back({y, width, arguments.pick(100U, 500U, 1000U)}); }
    std::vector<std::vector<std::uint16_t>> picture;
    timed("Mandelbrot", [&] { picture = map(mandelbrot_row, rows); });
    require(picture.size() == width, "wrong picture");
    for (std::size_t y = 0; y < width; y += 32) { require(picture[y] == mandelbrot_row(rows[y]), "wrong row"); }

    const std::uint32_t size = arguments.pick(8U, 11U, 12U);
    std::uint64_t found = 0;
    timed("N-queens", [&] {
        for (const std::uint64_t count : map(count_solutions, boards(size))) { found += count; }
    });
    constexpr std::array<std::uint64_t, 14> known{1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2680, 14200, 73712};
    require(found == known.at(size), "wrong number of solutions");

    std::vector<Throws> throws;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        throws.push_back({i * 0x9e3779b97f4a7c15, arguments.pick<std::uint64_t>(1000, 100'000, 300'000)});
    }
    std::vector<std::uint64_t> inside;
    timed("Monte Carlo", [&] { inside = map(hits, throws); });
    std::uint64_t all = 0;
    for (const std::uint64_t one : inside) { all += one; }
    const double pi = 4.0 * static_cast<double>(all) / static_cast<double>(throws[0].count * throws.size());
    require(std::abs(pi - 3.14159265) < 0.02 && inside.back() == hits(throws.back()), "wrong pi");
}

template <class E>
int run(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        E executor{arguments.workers};
        measure(
            arguments, [&](auto f, const auto& items) { return map(executor, arguments.workers, f, items); },
            [&](const std::vector<std::string>& paths) {
                CountsOfThreads counts;
                for_ranges(executor, arguments.workers, paths.size(), [&](std::size_t first, std::size_t last) {
                    counts.with_own([&](Counts& own) {
                        for (std::size_t i = first; i < last; ++i) { count_words(paths[i], own); }
                    });
                });
                return std::move(counts).all();
            });
    });
}

}  // namespace benchmarks::real
