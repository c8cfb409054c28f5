// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// startup: a pool up, one task, and down; its first task; in a program that has used 0, 1 or 4 GB; and replacing a
/// worker when the program has grown since.

#include "../common.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sys/mman.h>

namespace benchmarks::startup {

/// Touched memory of small pages, as a heap has it.
class Ballast {
public:
    explicit Ballast(std::size_t size) : size_(size) {
        if (size == 0) { return; }
        memory_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        require(memory_ != MAP_FAILED, "not enough memory");
        ::madvise(memory_, size, MADV_NOHUGEPAGE);
        for (std::size_t i = 0; i < size; i += 4096) { static_cast<char*>(memory_)[i] = 1; }
    }
    Ballast(const Ballast&) = delete;
    Ballast& operator=(const Ballast&) = delete;
    ~Ballast() {
        if (size_ != 0) { ::munmap(memory_, size_); }
    }

private:
    std::size_t size_;
    void* memory_ = nullptr;
};

inline std::vector<std::size_t> gigabytes(const Arguments& arguments) {
    std::vector<std::size_t> all{0};
    if (arguments.size != Size::tiny) { all.push_back(1); }
    if (arguments.size == Size::full) { all.push_back(4); }
    return all;
}

inline std::string in_parent(const std::string& what, std::size_t gigabytes) {
    return gigabytes == 0 ? what : what + ", parent of " + std::to_string(gigabytes) + " GB";
}

constexpr const char* up_and_down = "pool up, one task, down";
constexpr const char* first_task = "first task of a new pool";
constexpr const char* growth = "from 1 worker to 64";
constexpr std::size_t grown = 64;
constexpr const char* respawn = "a worker replaced, after the parent has grown";

/// Reports the median of some calls of `measure`, which returns seconds.
template <class Measure>
void report_median(const std::string& name, const Arguments& arguments, Measure measure) {
    std::vector<double> all;
    for (int i = 0; i < arguments.pick(1, 3, 9); ++i) { all.push_back(measure() * 1e9); }
    report(name, median(all), "ns");
}

/// A competitor's main(): Executor is built, used and destroyed.
template <class Executor>
void measure(const Arguments& arguments) {
    for (const std::size_t size : gigabytes(arguments)) {
        const Ballast ballast{size << 30};
        report_median(in_parent(up_and_down, size), arguments, [&] {
            return seconds([&] {
                Executor executor{arguments.workers};
                require(executor.submit([](int x) { return x + 1; }, 1).get() == 2, "wrong result");
            });
        });
        report_median(in_parent(first_task, size), arguments, [&] {
            Executor executor{arguments.workers};
            return seconds(
                [&] { require(executor.submit([](int x) { return x + 1; }, 1).get() == 2, "wrong result"); });
        });
    }
}

template <class Executor>
int run(int argc, char** argv) {
    return program(argc, argv, measure<Executor>);
}

}  // namespace benchmarks::startup
