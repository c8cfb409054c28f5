// SPDX-License-Identifier: BSL-1.0
/// \file
/// A program with OpenMP, and pools: `program CASE`. It leaves with 0 when all is as it should be.

#include <procpool/procpool.hpp>

#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

namespace {

using namespace procpool;

/// Returns: how many threads a parallel region has.
int region() {
    int count = 0;
#pragma omp parallel reduction(+ : count)
    ++count;
    return count;
}

/// Returns: the number, as OpenMP, its regions, the environment and an executed program have it; 0 where they differ.
int number_here() {
    const char* const text = ::getenv("OMP_NUM_THREADS");
    const int number = omp_get_max_threads();
    if (text == nullptr || std::to_string(number) != text || region() != number) { return 0; }
    std::FILE* const child = ::popen("exit $OPENBLAS_NUM_THREADS", "r");
    const int status = ::pclose(child);
    return WIFEXITED(status) && WEXITSTATUS(status) == number ? number : 0;
}
bool sets_for_workers() {
    const int before = omp_get_max_threads();
    const char* const variable = ::getenv("OMP_NUM_THREADS");
    Pool pool{PoolOptions{.workers = 2,
                          .initializer =
                              [] {
                                  if (number_here() != 3) { std::exit(3); }
                              },
                          .threads_per_worker = 3}};
    const std::vector<int> all_3(2, 3);
    if (pool.broadcast(number_here) != all_3) { return false; }
    try {
        pool.apply_on(0, [] { ::_exit(1); });
        return false;
    } catch (const WorkerDied&) {}
    pool.refork();
    return pool.broadcast(number_here) == all_3 && omp_get_max_threads() == before &&
           ::getenv("OMP_NUM_THREADS") == variable;
}
/// GCC's library keeps a region's threads for its caller, and would wait for them in a child.
bool goes_on_after_a_region() {
    omp_set_num_threads(4);
    if (region() != 4) { return false; }
    Pool pool{PoolOptions{.workers = 2, .threads_per_worker = 2}};
    if (region() != 4 || omp_get_max_threads() != 4) { return false; }
    if (pool.broadcast(number_here) != std::vector<int>(2, 2)) { return false; }
    pool.refork();
    return pool.broadcast(number_here) == std::vector<int>(2, 2) && region() == 4;
}
bool sets_for_threads() {
    const int before = omp_get_max_threads();
    ThreadPool pool{PoolOptions{.workers = 2, .threads_per_worker = 3}};
    const auto number = [] { return omp_get_max_threads() == region() ? region() : 0; };
    return pool.broadcast(number) == std::vector<int>(2, 3) && omp_get_max_threads() == before;
}
bool leaves_others_alone() {
    const int before = omp_get_max_threads();
    InlinePool here{PoolOptions{.threads_per_worker = 3}};
    Pool pool{1};
    return here.apply([] { return omp_get_max_threads(); }) == before &&
           pool.apply([] { return omp_get_max_threads(); }) == before;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc == 2 ? argv[1] : "";
    bool holds = false;
    if (name == "workers") { holds = sets_for_workers(); }
    if (name == "after a region") { holds = goes_on_after_a_region(); }
    if (name == "threads") { holds = sets_for_threads(); }
    if (name == "others") { holds = leaves_others_alone(); }
    return holds ? EXIT_SUCCESS : EXIT_FAILURE;
}
