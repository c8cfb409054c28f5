// SPDX-License-Identifier: BSL-1.0
// When did which task run on which worker? A pool with the option `trace` writes it to a file that
// https://ui.perfetto.dev shows.
//     160_trace [file]

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ranges>
#include <string>
#include <vector>

int spin(int microseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{microseconds};
    while (std::chrono::steady_clock::now() < end) {}
    return microseconds;
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) { ++found; }
    return found;
}

int main(int argc, char** argv) {
    const bool keep = argc > 1;
    const std::filesystem::path path =
        keep ? std::filesystem::path{argv[1]}
             : std::filesystem::temp_directory_path() /
                   fmt::format("procpool_{}.json", std::chrono::steady_clock::now().time_since_epoch().count());
    {
        procpool::ProcessPool pool{procpool::PoolOptions{.workers = 2, .name = "example", .trace = true}};
        std::vector<procpool::Future<int>> futures;
        for (int i = 1; i <= 10; ++i) {
            futures.push_back(
                pool.apply_async(procpool::TaskOptions{.label = fmt::format("task {}", i)}, spin, 1000 * i));
        }
        for (auto& future : futures) { future.get(); }
        pool.map(procpool::MapOptions{.chunk_size = 25, .label = "map"}, spin, std::views::iota(0, 100));
        try {
            pool.apply(procpool::TaskOptions{.timeout = std::chrono::milliseconds{5}, .label = "too long"}, spin,
                       10'000'000);
        } catch (const procpool::TaskTimedOut&) {}
    }
    procpool::write_trace(path);  // the pool may be gone

    std::ifstream file{path};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    fmt::print("single tasks: {}\n", count(text, "\"name\":\"task "));
    fmt::print("chunks of the map: {}\n", count(text, "\"name\":\"map\""));
    fmt::print("timeouts: {}\n", count(text, "\"name\":\"timeout\""));
    fmt::print("killed workers: {}\n", count(text, "was killed by signal 9 (SIGKILL)"));
    if (!keep) { std::filesystem::remove(path); }
}
