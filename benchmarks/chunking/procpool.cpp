// SPDX-License-Identifier: BSL-1.0
/// \file
/// chunking: procpool, which chooses the chunks itself.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        pool.map(chunking::work, std::vector<std::uint32_t>(1000, 1));
        chunking::measure(arguments, {1}, [&](const std::vector<std::uint32_t>& items, std::size_t) {
            return pool.map(chunking::work, items);
        });
    });
}
