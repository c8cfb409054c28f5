// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Journals in a folder of their own, and functions that count how often each item is run, in whatever process.

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <sys/mman.h>

namespace procpool_test {

/// A folder that is gone with the object.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "procpool_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) { throw std::system_error(errno, std::generic_category(), "mkdtemp"); }
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file(const std::string& name = "journal") const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

[[nodiscard]] inline std::string bytes_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}
inline void write_bytes(const std::string& path, const std::string& bytes) {
    std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

/// How often each item was run, by any process that was forked while this exists. One at a time.
class Runs {
public:
    static constexpr std::size_t most = 1 << 17;

    Runs() {
        void* const memory =
            ::mmap(nullptr, most * sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) { throw std::system_error(errno, std::generic_category(), "mmap"); }
        counts_ = static_cast<std::atomic<int>*>(memory);
    }
    Runs(const Runs&) = delete;
    Runs& operator=(const Runs&) = delete;
    ~Runs() {
        ::munmap(counts_, most * sizeof(std::atomic<int>));
        counts_ = nullptr;
    }

    static void add(int item) { counts_[item].fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] static int of(std::size_t item) { return counts_[item].load(std::memory_order_relaxed); }
    /// Returns: the number of runs since the last call. Effects: starts at 0 again.
    [[nodiscard]] std::size_t take() {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < most; ++i) {
            if (const int count = of(i); count != 0) {
                sum += static_cast<std::size_t>(count);
                counts_[i] = 0;
            }
        }
        return sum;
    }
    /// Returns: the items that were run since the last take().
    [[nodiscard]] std::vector<int> items() const {
        std::vector<int> run;
        for (std::size_t i = 0; i < most; ++i) {
            if (of(i) != 0) { run.push_back(static_cast<int>(i)); }
        }
        return run;
    }

private:
    static inline std::atomic<int>* counts_ = nullptr;
};

inline int run_square(int i) {
    Runs::add(i);
    return i * i;
}
inline int run_cube(int i) {
    Runs::add(i);
    return i * i * i;
}
inline std::string run_text(int i) {
    Runs::add(i);
    return std::string(static_cast<std::size_t>(i % 100), static_cast<char>('a' + i % 26));
}
inline void run_nothing(int i) { Runs::add(i); }

}  // namespace procpool_test
