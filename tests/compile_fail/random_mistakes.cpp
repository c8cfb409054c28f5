// expect-errors
// SPDX-License-Identifier: BSL-1.0
// Generators of random numbers where none is given.
#include <procpool/procpool.hpp>

#include <span>
#include <stop_token>
#include <string>
#include <vector>

using procpool::Random;

void use(procpool::Pool& pool, const std::vector<int>& numbers, const procpool::SharedArray<int>& shared) {
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    const auto first = pool.map([](int, Random random) { return random(); }, numbers);
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    const auto second = pool.map([](Random& random, int) { return random(); }, numbers);
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    const auto third = pool.imap([](int, const Random&) { return 1; }, numbers);
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    const auto fourth = pool.map_outcomes([](std::stop_token, Random& random, int) { return random(); }, numbers);
    // expect-error: too few ranges for this function, which takes 2
    const auto fifth = pool.map([](int, int, Random& random) { return random(); }, numbers);
    // expect-error: an item of range 1 does not convert to the type that this function takes there
    const auto sixth = pool.map_async([](const std::string&, Random& random) { return random(); }, numbers);
    // expect-error: too few ranges for this function, which takes 2
    const auto seventh =
        pool.map(procpool::bind_front([](int, int, int, Random& random) { return random(); }, 1), numbers);
    // expect-error: this closure cannot travel
    const auto eighth =
        pool.map([text = std::string("a")](int, Random& random) { return random() + text.size(); }, numbers);
    // expect-error: this call collects results, and the function returns none: use for_each
    const auto ninth = pool.map([](int, Random& random) { random(); }, numbers);
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    const auto tenth = procpool::fork_map([](Random& random, int) { return random(); }, numbers);
    // expect-error: a generator .procpool::Random. is given to a function as its last argument.*by reference
    pool.for_each([](int&, Random) {}, shared);
    // expect-error: takes a generator .procpool::Random., and only calls over many items give one.*make it in the function
    const auto eleventh = pool.apply_async([](int, Random& random) { return random(); }, 1);
    // expect-error: takes a generator .procpool::Random., and only calls over many items give one.*make it in the function
    pool.apply([](Random& random) { return random(); });
    // expect-error: takes an argument by reference .T&
    pool.apply([](Random& random) { return random(); }, Random{1});
    // expect-error: too few arguments for this function, which takes 2
    pool.apply([](Random, int) {}, Random{1});
}
