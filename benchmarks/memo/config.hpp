// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// memo: results that are kept on disk. A figure is the time of one call whose result is there, or is not and is kept;
/// of one process, with the page cache warm. The function itself takes next to nothing.

#include "../common.hpp"

#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <stdlib.h>

namespace benchmarks::memo {

/// Bytes of a result.
constexpr std::size_t sizes[] = {200, 20'000};

[[nodiscard]] inline std::string text_of(std::size_t size) { return size < 1000 ? "200 B" : "20 KB"; }
[[nodiscard]] inline std::string hit(std::size_t size) { return "a hit of " + text_of(size); }
[[nodiscard]] inline std::string kept(std::size_t size) { return "a miss of " + text_of(size) + ", kept"; }

[[nodiscard]] inline std::string result_of(std::size_t size, int number) {
    return std::string(size, static_cast<char>('a' + number % 26));
}

/// Removed with what is in it.
class Directory {
public:
    Directory() {
        std::string made = (std::filesystem::temp_directory_path() / "procpool-benchmark-XXXXXX").string();
        require(::mkdtemp(made.data()) != nullptr, "mkdtemp");
        path_ = made;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path_); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

struct Times {
    double hit;
    double kept;
};

/// Calls call(size, number) for numbers it has not seen, and then twice for those. Returns: nanoseconds of a call that
/// keeps, and of one that finds, the best of two passes.
template <class Call>
[[nodiscard]] Times measure(std::size_t size, int count, const Call& call) {
    const auto pass = [&] {
        return nanoseconds_each(static_cast<std::size_t>(count), [&] {
            for (int i = 0; i != count; ++i) {
                const std::string result = call(size, i);
                require(result.size() == size && result.back() == static_cast<char>('a' + i % 26), "a wrong result");
            }
        });
    };
    const double first = pass();
    const double second = pass();
    const double third = pass();
    return {second < third ? second : third, first};
}

}  // namespace benchmarks::memo
