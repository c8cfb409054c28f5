// SPDX-License-Identifier: BSL-1.0
#include "mpi/machines.hpp"

#include <csignal>

#include <unistd.h>

using namespace machines;

namespace {

/// The companion: the child of rank 0's supervisor that is no worker.
pid_t companion() {
    const pid_t self = ::getpid();
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        std::ifstream in(entry.path() / "comm");
        std::string name;
        std::getline(in, name);
        if (pid > 0 && name.find("*:") != std::string::npos && parent_of(parent_of(pid)) == self) { return pid; }
    }
    return 0;
}

}  // namespace

TEST_CASE("MPI-15 without its companion the pool goes on with the workers of this machine") {
    MpiPool pool{1};
    auto far = pool.apply_on_async(1, [] { ::pause(); });
    while (!far.running()) { std::this_thread::yield(); }
    const pid_t other = companion();
    REQUIRE(other != 0);
    REQUIRE(::kill(other, SIGKILL) == 0);
    CHECK_THROWS_AS(far.get(), NodeLost);
    for (int i = 0; i < 100; ++i) {
        CHECK(pool.apply([](int n) { return n; }, i) == i);
    }
    CHECK_THROWS_AS(pool.apply_on(1, [] {}), NodeLost);
}
