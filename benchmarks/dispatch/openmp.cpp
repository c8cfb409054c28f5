// SPDX-License-Identifier: BSL-1.0
/// \file
/// dispatch: OpenMP tasks, which have no futures: each writes its result to an array.

#include "config.hpp"

#include <numeric>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        const std::size_t count = dispatch::tasks(arguments);
        const int threads = static_cast<int>(arguments.workers) + 1;
        std::vector<std::uint32_t> results(count);
        std::uint32_t* const to = results.data();
        const auto all = [&] {
#pragma omp parallel num_threads(threads)
#pragma omp single
            {
                for (std::uint32_t i = 0; i < count; ++i) {
#pragma omp task firstprivate(i)
                    to[i] = dispatch::increment(i);
                }
#pragma omp taskwait
            }
        };
        all();  // the threads have started
        report(dispatch::tasks_with_results, nanoseconds_each(count, all), "ns");
        require(std::accumulate(results.begin(), results.end(), std::uint64_t{0}) == dispatch::sum_to(count),
                "wrong sum");
    });
}
