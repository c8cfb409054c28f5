// SPDX-License-Identifier: BSL-1.0
/// \file
/// payload: copied to a worker and back.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        payload::measure(arguments, [&pool](auto f, const auto& argument) { return pool.apply(f, argument); });
        const std::vector<payload::Record> all = payload::make_records(arguments);
        payload::measure_records(arguments, [&] {
            return pool.apply([](const std::vector<payload::Record>& them) { return payload::use(them); }, all);
        });
    });
}
