// SPDX-License-Identifier: BSL-1.0
/// \file
/// payload: the same call inside one process, with the argument passed by value.

#include "config.hpp"

int main(int argc, char** argv) {
    using namespace benchmarks;
    return program(argc, argv, [](const Arguments& arguments) {
        const auto call = [](auto f, const auto& argument) {
            std::decay_t<decltype(argument)> copy = argument;
            asm volatile("" : : "g"(&copy) : "memory");  // as if other code might read it
            return f(std::move(copy));
        };
        payload::measure(arguments, call);
        const std::vector<payload::Record> all = payload::make_records(arguments);
        payload::measure_records(arguments, [&] {
            return call([](const std::vector<payload::Record>& them) { return payload::use(them); }, all);
        });
    });
}
