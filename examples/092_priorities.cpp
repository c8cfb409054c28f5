// SPDX-License-Identifier: BSL-1.0
// Priorities from -4 to 3: an idle worker takes the oldest task of the highest priority.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>

int main() {
    procpool::Shared<std::atomic<bool>> open{false};
    procpool::Shared<std::atomic<int>> tickets{0};
    procpool::ProcessPool pool{1};

    auto gate = pool.apply_async([open = open.get()] {  // keeps the only worker busy
        while (!*open) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }
    });
    std::map<std::string, procpool::Future<int>> futures;
    const auto take_ticket = [tickets = tickets.get()] { return ++*tickets; };
    futures["cleaning up"] = pool.apply_async({.priority = -4}, take_ticket);
    futures["usual work"] = pool.apply_async(take_ticket);
    futures["a user waits"] = pool.apply_async({.priority = 3}, take_ticket);
    *open = true;

    std::map<int, std::string> order;
    for (auto& [what, future] : futures) { order[future.get()] = what; }
    for (const auto& [ticket, what] : order) { fmt::print("{}. {}\n", ticket, what); }
}
