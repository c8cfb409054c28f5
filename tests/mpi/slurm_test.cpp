// SPDX-License-Identifier: BSL-1.0
#include "mpi/hosts.hpp"
#include "mpi/machines.hpp"

#include <string>
#include <vector>

using namespace machines;
using namespace procpool_test;
using namespace std::chrono_literals;

TEST_CASE("MPI-50 srun starts a machine on each host") {
    MpiPool pool{2};
    const auto hosts_of_workers = pool.broadcast([] { return std::string(this_worker::host()); });
    CHECK(hosts_of_workers == std::vector<std::string>{"node1", "node1", "node2", "node2", "node3", "node3"});
    std::vector<int> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), 0);
    const auto results = pool.map([](int n) { return 3 * n; }, numbers);
    for (const int n : numbers) { CHECK(results[static_cast<std::size_t>(n)] == 3 * n); }
}

TEST_CASE("MPI-51 a host dies and all tasks come back where they have retries") {
    MpiPool pool{{.workers = 2, .mpi = {.node_timeout = 2s}}};
    CHECK(pool.apply_on(4, [] { return std::string(this_worker::host()); }) == "node3");
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 200; ++i) {
        tasks.push_back(pool.apply_async(
            TaskOptions{.retries = 2},
            [](int n) {
                std::this_thread::sleep_for(10ms);
                return n;
            },
            i));
    }
    hosts("crash node3");
    for (int i = 0; i < 200; ++i) { CHECK(tasks[static_cast<std::size_t>(i)].get() == i); }
    while (pool.nodes()[2].alive) { std::this_thread::sleep_for(10ms); }
    CHECK_THROWS_AS(pool.apply_on(4, [] {}), NodeLost);
    CHECK(pool.apply([] { return 1; }) == 1);
}
