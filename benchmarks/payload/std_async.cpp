// SPDX-License-Identifier: BSL-1.0
/// \file
/// payload: by value to a thread; the records by reference, which is what one would do.

#include "config.hpp"

#include <functional>
#include <future>

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        payload::measure(
            arguments, [](auto f, const auto& argument) { return std::async(std::launch::async, f, argument).get(); });
        const std::vector<payload::Record> all = payload::make_records(arguments);
        payload::measure_records(arguments, [&] {
            return std::async(std::launch::async, payload::use<std::vector<payload::Record>>, std::cref(all)).get();
        });
    });
}
