// SPDX-License-Identifier: BSL-1.0
// A time limit for a whole call: what has not ended by then ends in TaskTimedOut, and what has keeps its result.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <ranges>
#include <thread>

using namespace std::chrono_literals;

int ask_price(int shop) {
    if (shop == 2) { std::this_thread::sleep_for(1h); }  // this one does not answer
    return 100 - 10 * shop;
}

int main() {
    procpool::ProcessPool pool{2};
    const auto shops = std::views::iota(0, 5);

    // [in_time]
    // Each answer as it comes, with its shop; after two seconds what is missing is an error.
    int best = std::numeric_limits<int>::max();
    for (const auto& [shop, price] : pool.imap_outcomes({.total_timeout = 2s}, ask_price, shops)) {
        if (price) {
            best = std::min(best, *price);
        } else {
            fmt::print("shop {} has not answered\n", shop);
        }
    }
    // [/in_time]
    fmt::print("the best price is {}\n", best);

    try {
        pool.map({.label = "prices", .total_timeout = 500ms}, ask_price, shops);
    } catch (const procpool::TaskTimedOut& late) { fmt::print("not all within {} ms\n", late.limit() / 1ms); }

    // In the background: nothing is copied, and the future says when all have been changed.
    procpool::SharedArray<int> prices{1000};
    procpool::Future<void> raised = pool.for_each_async([](int& price) { price += 5; }, prices);
    raised.get();
    fmt::print("{} of them are 5\n", std::ranges::count(prices, 5));
}
