// SPDX-License-Identifier: BSL-1.0
// Single tasks: apply_async() returns a Future at once, and the task runs meanwhile.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int count_vowels(const std::string& text) {
    return static_cast<int>(
        std::ranges::count_if(text, [](char c) { return std::string{"aeiou"}.find(c) != std::string::npos; }));
}

int main() {
    procpool::ProcessPool pool{2};

    // [async]
    auto vowels = pool.apply_async(count_vowels, "a process pool");  // arguments are copied to the worker
    fmt::print("{} vowels\n", vowels.get());  // waits; returns the result once, or throws what the task threw

    std::vector<procpool::Future<int>> futures;
    for (const char* const word : {"one", "two", "three"}) { futures.push_back(pool.apply_async(count_vowels, word)); }
    int sum = 0;
    for (const std::size_t position : procpool::as_completed(futures)) { sum += futures[position].get(); }
    // [/async]
    fmt::print("{} in all\n", sum);

    auto slow = pool.apply_async([] { std::this_thread::sleep_for(500ms); });
    if (slow.wait_for(1ms) == std::future_status::timeout) { fmt::print("not ready yet\n"); }
    procpool::wait_all(std::vector{&slow});  // futures, or pointers to futures
    fmt::print("ready: {}\n", slow.ready());
}
