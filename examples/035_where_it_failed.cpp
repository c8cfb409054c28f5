// SPDX-License-Identifier: BSL-1.0
// An error tells which item it is of, and, where the pool was asked to record that, which function threw it. Its type
// stays what was thrown.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

[[gnu::noinline]] int digits_of(const std::string& text) {
    if (text == "crash") { std::raise(SIGSEGV); }
    if (text.empty()) { throw std::invalid_argument("an empty text"); }
    return static_cast<int>(text.size());
}

int main() {
    // [where]
    procpool::ProcessPool pool{procpool::PoolOptions{.workers = 2, .backtraces = true}};
    const std::vector<std::string> texts{"12", "345", "", "6"};
    try {
        pool.map(digits_of, texts);
    } catch (const std::invalid_argument& error) {
        fmt::print("item {}: {}\n", procpool::item_of(error).value(), error.what());
        // #0 digits_of(std::string const&) at the program+0x1234
        fmt::print("the backtrace names the function: {}\n",
                   procpool::backtrace_of(error).find("digits_of(") != std::string::npos);
    }
    // [/where]

    // The same of an exception that nobody handles now.
    for (const auto& outcome : pool.map_outcomes(digits_of, texts)) {
        if (!outcome) { fmt::print("item {} has no result\n", procpool::item_of(outcome.error()).value()); }
    }

    // A crash tells both by itself.
    try {
        pool.map(digits_of, std::vector<std::string>{"1", "crash"});
    } catch (const procpool::WorkerDied& death) {
        fmt::print("item {}: the worker {}\n", death.item().value(), to_string(death.exit_status()));
    }

    // A task of its own is no item.
    try {
        pool.apply(digits_of, "");
    } catch (const std::exception& error) {
        fmt::print("{}, of an item: {}\n", error.what(), procpool::item_of(error).has_value());
    }
}
