// SPDX-License-Identifier: BSL-1.0
/// \file
/// chunking: procpool with the chunk_size that turns out to be the best for each case.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        pool.map(chunking::work, std::vector<std::uint32_t>(1000, 1));
        chunking::measure(arguments, chunking::sweep(),
                          [&](const std::vector<std::uint32_t>& items, std::size_t chunk) {
                              return pool.map(procpool::MapOptions{.chunk_size = chunk}, chunking::work, items);
                          });
    });
}
