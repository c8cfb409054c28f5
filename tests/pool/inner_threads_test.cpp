// SPDX-License-Identifier: BSL-1.0
#include "pool/engines.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace procpool_test;

namespace {

/// Returns: what the test's program with OpenMP leaves with. A hang is ended by the test's own limit.
#if defined(PROCPOOL_TEST_OPENMP)
int openmp_program(const std::string& name) {
    return std::system((std::string(PROCPOOL_TEST_OPENMP) + " '" + name + "'").c_str());
}

TEST_CASE("THR-01 threads_per_worker holds in workers and what they execute; from the initializer on") {
    CHECK(openmp_program("workers") == 0);
}
TEST_CASE("THR-02 tasks run parallel regions though the program has run some before its pool") {
    CHECK(openmp_program("after a region") == 0);
}
TEST_CASE("THR-03 threads_per_worker holds for the parallel regions of threads") {
    CHECK(openmp_program("threads") == 0);
}
TEST_CASE("THR-04 without it workers have the program's number; an InlinePool ignores it") {
    CHECK(openmp_program("others") == 0);
}
#endif

template <class P>
void refuses_absurd_numbers() {
    CHECK_THROWS_AS(P(PoolOptions{.workers = 1, .threads_per_worker = PoolOptions::max_threads_per_worker + 1}),
                    std::invalid_argument);
    P pool{PoolOptions{.workers = 1, .threads_per_worker = PoolOptions::max_threads_per_worker}};
    CHECK(pool.apply(same, 1) == 1);
}
ON_EVERY_ENGINE("THR-05 threads_per_worker has a limit", refuses_absurd_numbers)

TEST_CASE("THR-06 the worker's environment is set whatever libraries there are; the program's is not") {
    const char* const before = std::getenv("MKL_NUM_THREADS");
    Pool pool{PoolOptions{.workers = 1, .threads_per_worker = 2}};
    CHECK(pool.apply([](const std::string& name) { return std::string(std::getenv(name.c_str())); },
                     "MKL_NUM_THREADS") == "2");
    CHECK(std::getenv("MKL_NUM_THREADS") == before);
}

}  // namespace
