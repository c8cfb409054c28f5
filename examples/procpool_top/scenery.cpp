// SPDX-License-Identifier: BSL-1.0
// scenery [WORKERS]: a pool that is as busy as a studio, for pictures and tests of procpool-top. It goes on until
// standard input ends. Each line of that is the label of a task that crashes.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <ranges>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// Takes the time, a fifth of it on the processor, and the memory.
std::size_t render(milliseconds time, std::size_t megabytes) {
    std::vector<char> picture(megabytes << 20U, 'x');
    std::size_t sum = 0;
    for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end;) {
        const auto rest = std::chrono::steady_clock::now() + 2ms;
        while (std::chrono::steady_clock::now() < rest) {
            sum += static_cast<unsigned char>(picture[sum % picture.size()]);
        }
        std::this_thread::sleep_for(8ms);
    }
    return sum;
}

std::uint64_t thumbnail(int number) {
    std::this_thread::sleep_for(20ms);
    return static_cast<std::uint64_t>(number);
}

[[noreturn]] void crash() {
    std::this_thread::sleep_for(1500ms);
    std::abort();
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t workers = argc > 1 ? std::stoul(argv[1]) : 8;
    procpool::ProcessPool pool{{.workers = workers, .name = "render", .latencies = true}};

    std::thread frames{[&] {
        std::mt19937 dice{7};
        std::deque<procpool::Future<std::size_t>> running;
        try {
            for (int number = 1;; ++number) {
                const milliseconds time{500 + dice() % 4500};
                const std::size_t megabytes = 4 + dice() % 60;
                running.push_back(
                    pool.apply_async({.label = fmt::format("frame {}", number)}, render, time, megabytes));
                if (number % 3 == 0) {
                    running.push_back(pool.apply_async({.priority = 1, .label = fmt::format("denoise {}", number - 3)},
                                                       render, time / 3, std::size_t{8}));
                }
                while (running.size() > workers) {
                    running.front().get();
                    running.pop_front();
                }
            }
        } catch (const procpool::Error&) {}  // the pool is terminated
    }};
    std::thread small{[&] {
        try {
            for (;;) {
                pool.map({.priority = 1, .label = "thumbnails"}, thumbnail, std::views::iota(0, 400));
                pool.for_each(
                    {.priority = 2, .label = "upload"}, [](int) { std::this_thread::sleep_for(120ms); },
                    std::views::iota(0, 12));
            }
        } catch (const procpool::Error&) {}
    }};

    std::vector<procpool::Future<void>> crashes;
    for (std::string label; std::getline(std::cin, label);) {
        crashes.push_back(pool.apply_async({.priority = 3, .label = label}, crash));
    }
    pool.terminate();
    frames.join();
    small.join();
}
