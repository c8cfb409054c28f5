// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// payload: arguments and results of 64 bytes to a gigabyte; and 15 million records of 32 bytes handed to one child.
/// Timed calls are warm: the same call was made before.

#include "../common.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace benchmarks::payload {

using Bytes = std::vector<unsigned char>;

inline std::vector<std::size_t> sizes(const Arguments& arguments) {
    std::vector<std::size_t> all{64, 4 << 10, 256 << 10, 4 << 20};
    if (arguments.size != Size::tiny) { all.push_back(64 << 20); }
    if (arguments.size == Size::full) { all.push_back(std::size_t{1} << 30); }
    return all;
}

struct Record {
    double real;
    double imaginary;
    std::uint64_t key;
    std::uint64_t sum;
};
static_assert(sizeof(Record) == 32);

inline std::size_t records(const Arguments& arguments) {
    return arguments.pick<std::size_t>(15'000, 1'500'000, 15'000'000);
}
inline std::string records_case(const Arguments& arguments) {
    return arguments.pick("15,000", "1.5 million", "15 million") + std::string{" records of 32 bytes to one child"};
}

inline Bytes bytes(std::size_t size) {
    Bytes all(size, 1);
    all.back() = 2;
    return all;
}

// The functions that run: each looks at the ends only, so that the time is that of the way.
constexpr auto take = [](const Bytes& all) { return all.front() + all.back(); };
constexpr auto look = [](std::span<unsigned char> all) { return all.front() + all.back(); };
constexpr auto make = [](std::size_t size) { return Bytes(size, 1); };
constexpr auto pass = [](Bytes all) {
    all.front() = 3;
    return all;
};
template <class Records>
std::uint64_t use(const Records& all) {
    return all.front().key + all.back().key + all.size();
}

inline std::string named(const char* what, std::size_t size) { return what + size_text(size); }

/// Nanoseconds a call: the median of some, or of as many as take a while.
template <class Call>
double warm(std::size_t size, Call call) {
    call();
    call();
    std::vector<double> each;
    const std::size_t lot = size < 100'000 ? 200 : 1;
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds{60};
    while (each.size() < 3 || (Clock::now() < end && each.size() < 50)) {
        each.push_back(nanoseconds_each(lot, [&] {
            for (std::size_t i = 0; i < lot; ++i) { call(); }
        }));
    }
    return median(each);
}

/// `call(f, argument)` calls f with it, passed by value.
template <class Call>
void measure(const Arguments& arguments, Call call) {
    for (const std::size_t size : sizes(arguments)) {
        const Bytes argument = bytes(size);
        report(named("argument of ", size), warm(size, [&] { require(call(take, argument) == 3, "wrong argument"); }),
               "ns");
        report(named("result of ", size),
               warm(size,
                    [&] {
                        const Bytes result = call(make, size);
                        require(result.size() == size && result.back() == 1, "wrong result");
                    }),
               "ns");
        report(named("argument and result of ", size),
               warm(size,
                    [&] {
                        const Bytes result = call(pass, argument);
                        require(result.size() == size && result.front() == 3 && (size == 1 || result.back() == 2),
                                "wrong argument or result");
                    }),
               "ns");
    }
}

inline std::vector<Record> make_records(const Arguments& arguments) {
    std::vector<Record> all(records(arguments));
    for (std::size_t i = 0; i < all.size(); ++i) { all[i] = {1.0, 2.0, i, 0}; }
    return all;
}

/// `call()` hands the records to one child, which returns use() of them.
template <class Call>
void measure_records(const Arguments& arguments, Call call) {
    const std::uint64_t expected = 2 * records(arguments) - 1;
    report(records_case(arguments), seconds([&] { require(call() == expected, "wrong records"); }) * 1e9, "ns");
}

}  // namespace benchmarks::payload
