// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <string>
#include <vector>

int thrice(int n) { return 3 * n; }
int add(int a, int b) { return a + b; }

void use(const std::vector<int>& numbers) {
    // expect-error: is no range.*for n numbers std::views::iota.0, n.
    const std::vector<int> first = procpool::fork_map(thrice, 5);
    // expect-error: what was given as the function cannot be called: the function comes first
    const auto second = procpool::fork_map(numbers, thrice);
    // expect-error: too few ranges for this function, which takes 2
    const auto third = procpool::fork_map(add, numbers);
    // expect-error: an item of range 1 does not convert to the type that this function takes there
    const auto fourth = procpool::fork_map([](const std::string& text) { return text; }, numbers);
    // expect-error: a call over many items needs a range of them after its function
    const auto fifth = procpool::fork_map(thrice);
    // expect-error: all ranges of this call are procpool::repeat..
    procpool::fork_map(thrice, procpool::repeat(1));
    // expect-error: fork_map.. takes PoolOptions, then MapOptions, then the function
    for (const int n : procpool::fork_map(procpool::MapOptions{}, thrice, numbers)) { static_cast<void>(n); }
}
