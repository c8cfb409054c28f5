// SPDX-License-Identifier: BSL-1.0
// Names are enough for members and parameters.
#include <procpool/fwd.hpp>

namespace {

struct Uses {
    procpool::Pool* pool;
    procpool::ThreadPool& threads;
    const procpool::PoolOptions& options;
    procpool::Future<int> (*submit)(procpool::ProcessPool<>& to);
};

void remember(procpool::WorkerDied& error, procpool::SharedArray<double>& numbers);

}  // namespace

#include "support/catch.hpp"

#include <procpool/procpool.hpp>

#include <type_traits>

namespace {

void remember(procpool::WorkerDied&, procpool::SharedArray<double>& numbers) { numbers[0] = 1; }

}  // namespace

TEST_CASE("the names of fwd.hpp are those of the classes") {
    STATIC_REQUIRE(std::is_same_v<decltype(Uses::pool), procpool::ProcessPool<procpool::ForkEngine>*>);
    procpool::SharedArray<double> numbers{1};
    procpool::WorkerDied error{procpool::ExitStatus::from_signal(9), 1, "", ""};
    remember(error, numbers);
    CHECK(numbers[0] == 1);
}
