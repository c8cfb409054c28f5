// SPDX-License-Identifier: BSL-1.0
/// \file
/// payload: in a SharedArray, which travels as an address.

#include "../executors/procpool.hpp"
#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        procpool::Pool pool{arguments.workers};
        for (const std::size_t size : payload::sizes(arguments)) {
            const procpool::SharedArray<unsigned char> all{size};
            all[0] = 1;
            all[size - 1] = 2;
            report(payload::named("argument of ", size),
                   payload::warm(size, [&] { require(pool.apply(payload::look, all.span()) == 3, "wrong argument"); }),
                   "ns");
        }
        const procpool::SharedArray<payload::Record> all{payload::records(arguments)};
        std::ranges::copy(payload::make_records(arguments), all.begin());
        payload::measure_records(arguments, [&] {
            return pool.apply([](std::span<payload::Record> them) { return payload::use(them); }, all.span());
        });
    });
}
