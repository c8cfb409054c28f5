// SPDX-License-Identifier: BSL-1.0
/// \file
/// memo: procpool's, in a worker.

#include "config.hpp"

#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

namespace {

using namespace benchmarks;
using namespace benchmarks::memo;

struct Measure {
    procpool::Memoized<std::string (*)(std::size_t, int)> call;
    std::pair<double, double> operator()(std::size_t size, int count) const {
        const Times times = measure(size, count, call);
        return {times.hit, times.kept};
    }
};

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const Directory directory;
        const procpool::Memo memo{directory.path() / "memo"};
        procpool::Pool pool{1};
        for (const std::size_t size : sizes) {
            const int count = arguments.pick(100, 5000, size < 1000 ? 20'000 : 5000);
            const auto [found, made] = pool.apply(Measure{memo(result_of)}, size, count);
            report(hit(size), found, "ns");
            report(kept(size), made, "ns");
        }
    });
}
