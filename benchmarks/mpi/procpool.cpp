// SPDX-License-Identifier: BSL-1.0
/// \file
/// mpi: procpool. On this machine all workers are those of the second rank; on hosts (--hosts) there are two on each.

#include "../common.hpp"

#include <procpool/mpi.hpp>
#include <procpool/procpool.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <numeric>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace benchmarks;
using namespace std::chrono_literals;

std::int64_t increment(std::int64_t x) { return x + 1; }
std::size_t size_of(const std::vector<char>& bytes) { return bytes.size(); }

void flood(procpool::MpiPool& pool, std::int64_t count, std::size_t in_flight) {
    std::deque<procpool::Future<std::int64_t>> window;
    std::int64_t total = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        if (window.size() == in_flight) {
            total += window.front().get();
            window.pop_front();
        }
        window.push_back(pool.apply_async(increment, i));
    }
    for (auto& one : window) { total += one.get(); }
    require(total == count * (count + 1) / 2, "wrong sum");
}

void on_this_machine(const Arguments& arguments) {
    procpool::MpiPool pool{{.workers = arguments.workers, .mpi = {.use_root = false}}};
    std::vector<double> trips;
    for (int i = -50; i < arguments.pick(10, 1000, 5000); ++i) {
        const double took = seconds([&] { require(pool.apply(increment, i) == i + 1, "wrong result"); });
        if (i >= 0) { trips.push_back(took * 1e9); }
    }
    report("round trip, median", median(trips), "ns");

    for (const std::size_t in_flight : {2, 8, 32}) {
        const std::size_t count = arguments.pick(100, 50'000, 200'000);
        report("a task, " + std::to_string(in_flight) + " in flight",
               nanoseconds_each(count, [&] { flood(pool, static_cast<std::int64_t>(count), in_flight); }), "ns");
    }

    const std::vector<char> large(std::size_t{16} << 20);
    const auto send = [&] { require(pool.apply(size_of, large) == large.size(), "wrong size"); };
    send();
    report("16 MB as an argument", seconds(send) * 1e3, "ms");

    std::vector<double> numbers(arguments.pick<std::size_t>(1000, 2'000'000, 2'000'000));
    std::iota(numbers.begin(), numbers.end(), 0.0);
    const double took = seconds([&] {
        require(pool.map([](double x) { return x / 2; }, numbers).back() == numbers.back() / 2, "wrong result");
    });
    report("map of 2 million doubles", took * 1e3 * 2e6 / static_cast<double>(numbers.size()), "ms");
}

void on_hosts() {
    procpool::MpiPool pool{{.workers = 2}};
    const auto wait = [&] {
        std::vector<procpool::Future<void>> all;
        for (int i = 0; i < 64; ++i) {
            all.push_back(pool.apply_async([] { std::this_thread::sleep_for(20ms); }));
        }
        for (auto& one : all) { one.get(); }
    };
    wait();
    report("64 tasks of 20 ms on 3 hosts, a worker's time for each",
           seconds(wait) * static_cast<double>(pool.size()) / 64 * 1e3, "ms");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view{argv[1]} == "--hosts") {
        on_hosts();
        return 0;
    }
    return program(argc, argv, on_this_machine);
}
