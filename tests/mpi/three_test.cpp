// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

using namespace machines;
using namespace std::chrono_literals;

TEST_CASE("MPI-70 machines wait at the end for one whose finalizer takes long") {
    const std::string file = (std::filesystem::temp_directory_path() / "procpool_mpi_70").string();
    const char* const rank = std::getenv("OMPI_COMM_WORLD_RANK");
    PoolOptions options{.workers = 1, .mpi = {.node_timeout = 2s}};
    if (rank != nullptr && std::string(rank) == "2") {
        options.finalizer = [file] {
            std::this_thread::sleep_for(5s);
            std::ofstream(file) << "done";
        };
    }
    MpiPool pool{options};
    CHECK(pool.broadcast([] { return this_worker::node(); }) == std::vector<int>{0, 1, 2});
    pool.close();
    pool.join();
    CHECK(std::filesystem::remove(file));
}
