// SPDX-License-Identifier: BSL-1.0
/// \file
/// real: procpool's map().

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        real::measure(arguments, [&pool](auto f, const auto& items) { return pool.map(f, items); });
    });
}
