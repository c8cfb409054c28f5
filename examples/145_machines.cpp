// SPDX-License-Identifier: BSL-1.0
// The workers of an MpiPool are on all machines of an MPI job, which has one process on each:
//     mpirun --map-by ppr:1:node 145_machines
//     srun --ntasks-per-node=1 --mpi=pmix 145_machines
// A machine that is lost costs the tasks that it had; with retries they run on others. For each pair of arguments,
// WHAT COMMAND, this program repeats its work, runs the command in the middle of it, and tells what that cost.

#include <procpool/mpi.hpp>
#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

struct Point {
    double exponent = 0;
    unsigned attempt = 0;
};

// The Lyapunov exponent of the logistic map for a rate of growth: above 0 it is chaotic.
Point lyapunov(double growth) {
    constexpr int steps = 500'000;
    double x = 0.5, sum = 0;
    for (int i = 0; i < steps; ++i) {
        x = growth * x * (1 - x);
        sum += std::log(std::abs(growth * (1 - 2 * x)));
    }
    return {sum / steps, procpool::this_task::attempt()};
}

struct Sweep {
    std::vector<double> exponents;
    unsigned run_again = 0;
    double seconds = 0;
};

Sweep sweep(procpool::MpiPool& pool, const std::vector<double>& growths, const std::string& command) {
    using Clock = std::chrono::steady_clock;
    Sweep all{.exponents = std::vector<double>(growths.size())};
    std::size_t done = 0;
    const Clock::time_point start = Clock::now();
    for (const auto& [index, point] : pool.imap_unordered({.chunk_size = 1, .retries = 5}, lyapunov, growths)) {
        all.exponents[index] = point.exponent;
        all.run_again += point.attempt;
        if (++done == growths.size() / 3 && !command.empty() && std::system(command.c_str()) != 0) {
            throw std::runtime_error("'" + command + "' failed");
        }
    }
    all.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return all;
}

int main(int argc, char** argv) try {
    // [readme]
    // What comes before the pool runs on every machine, what comes after it on the first only.
    procpool::MpiPool pool{{.workers = 2, .mpi = {.node_timeout = 1000ms}}};

    std::vector<double> growths;
    for (int i = 0; i < 240; ++i) { growths.push_back(3 + (i + 0.5) / 240); }
    const Sweep calm = sweep(pool, growths, "");
    // [/readme]
    for (std::size_t i = 0; i < growths.size(); i += 24) {
        fmt::print("growth {:.3f}: exponent {:+.6f}\n", growths[i], calm.exponents[i]);
    }

    const char* const format = "{:<40} | {:>10} | {:>9} | {:>7} | {:>7}\n";
    fmt::print(stderr, fmt::runtime(format), "event", "tasks done", "run again", "seconds", "cost");
    fmt::print(stderr, fmt::runtime(format), "none", growths.size(), calm.run_again,
               fmt::format("{:.2f}", calm.seconds), "");
    bool same = true;
    for (int i = 1; i + 1 < argc; i += 2) {
        const Sweep disturbed = sweep(pool, growths, argv[i + 1]);
        same = same && disturbed.exponents == calm.exponents;
        fmt::print(stderr, fmt::runtime(format), argv[i], growths.size(), disturbed.run_again,
                   fmt::format("{:.2f}", disturbed.seconds), fmt::format("{:+.2f}", disturbed.seconds - calm.seconds));
    }
    for (const procpool::NodeInfo& node : pool.nodes()) {
        fmt::print(stderr, "{}: {} workers, {} tasks done, {}\n", node.host, node.workers, node.done,
                   node.alive ? "alive" : "lost");
    }
    if (!same) { throw std::runtime_error("the results differ"); }
} catch (const std::exception& error) {
    fmt::print(stderr, "145_machines: {}\n", error.what());
    return EXIT_FAILURE;
}
