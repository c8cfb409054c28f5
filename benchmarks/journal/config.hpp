// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// journal: results of 100 bytes that are kept in a file, and calls that go on with what is there.

#include "../common.hpp"
#include "../turns.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

namespace benchmarks::journal {

constexpr const char* kept = "100,000 results of 100 B, kept";
constexpr const char* given_again = "the same, given again";

inline std::string hundred_bytes(int i) { return std::string(100, static_cast<char>('a' + i % 26)); }

inline std::vector<int> numbers(std::size_t count) {
    std::vector<int> all(count);
    for (std::size_t i = 0; i < count; ++i) { all[i] = static_cast<int>(i); }
    return all;
}

inline void require_all(const std::vector<std::string>& results, std::size_t count) {
    require(results.size() == count && results.back() == hundred_bytes(static_cast<int>(count - 1)), "the results");
}

/// An empty folder that is gone with the object.
class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("procpool_journal_" + std::to_string(::getpid()))) {
        empty();
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    void empty() const {
        std::filesystem::remove_all(path_);
        std::filesystem::create_directories(path_);
    }
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

}  // namespace benchmarks::journal
