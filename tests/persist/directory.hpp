// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Shared by tests of memos: a directory for a test, a count of calls that workers add to, and damage.

#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <stdlib.h>

namespace procpool_test {

/// Removed with what is in it.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string made = "/tmp/procpool-memo-XXXXXX";
        if (::mkdtemp(made.data()) == nullptr) { throw std::runtime_error("mkdtemp"); }
        path_ = made;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    /// A memo's, which does not exist yet.
    [[nodiscard]] std::filesystem::path memo() const { return path_ / "memo"; }

private:
    std::filesystem::path path_;
};

/// The calls that were made, in any process. A memo's function cannot capture it: that is an address.
class Calls {
public:
    Calls() : counter_(page_) { newest = this; }
    Calls(const Calls&) = delete;
    Calls& operator=(const Calls&) = delete;
    ~Calls() { newest = nullptr; }

    static void add() {
        if (newest != nullptr) { newest->counter_.add(); }
    }
    /// Returns: how many since the last time.
    [[nodiscard]] std::int64_t take() {
        const std::int64_t now = counter_.value();
        return now - std::exchange(taken_, now);
    }

private:
    static inline Calls* newest = nullptr;
    SharedPage page_;
    Counter counter_;
    std::int64_t taken_ = 0;
};

inline int square(int x) {
    Calls::add();
    return x * x;
}
inline int cube(int x) {
    Calls::add();
    return x * x * x;
}

[[nodiscard]] inline std::vector<char> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}
inline void write_file(const std::filesystem::path& path, const std::vector<char>& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace procpool_test
