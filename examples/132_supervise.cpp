// SPDX-License-Identifier: BSL-1.0
// A Supervisor restarts actors and processes that have ended, and those that depend on them, as Erlang's do; when that
// happens too often it ends all and says so. References to its actors stay good.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <unistd.h>
#include <chrono>
#include <csignal>

using namespace std::chrono_literals;

/// Counts what it is told, until it is killed.
struct Ledger {
    int total = 0;
    int add(int amount) { return total += amount; }
    void crash() { ::raise(SIGKILL); }
};

int main() {
    // rest_for_one: what was added later depends on what was added before.
    procpool::Supervisor shop{
        {.strategy = procpool::Strategy::rest_for_one, .intensity = 3, .period = 1min, .name = "shop"}};
    const auto orders = shop.add_actor<Ledger>(procpool::ActorOptions{.name = "orders"});
    const auto bills = shop.add_actor<Ledger>(procpool::ActorOptions{.name = "bills"});
    shop.add_process({.name = "clock"}, [] {
        for (;;) { ::pause(); }
    });
    orders.call(&Ledger::add, 10).get();
    bills.call(&Ledger::add, 20).get();

    try {
        bills.call(&Ledger::crash).get();
    } catch (const procpool::ActorDied& died) { fmt::print("bills {}\n", to_string(died.exit_status())); }
    // The reference is good for the new process, which begins anew; orders came before, and went on.
    fmt::print("bills {}\n", bills.call(&Ledger::add, 1).get());
    fmt::print("orders {}\n", orders.call(&Ledger::add, 1).get());

    try {
        orders.call(&Ledger::crash).get();
    } catch (const procpool::ActorDied&) {}
    fmt::print("orders {}\n", orders.call(&Ledger::add, 1).get());
    fmt::print("bills {}\n", bills.call(&Ledger::add, 1).get());

    for (int i = 0; i < 2; ++i) {
        try {
            orders.call(&Ledger::crash).get();
        } catch (const procpool::ActorDied&) {}
    }
    try {
        shop.wait();
    } catch (const procpool::RestartsExhausted& error) { fmt::print("{}\n", error.what()); }
    for (const procpool::ChildInfo& child : shop.children()) {
        fmt::print("{}: {}, {} restarts\n", child.name, child.running ? "runs" : "ended", child.restarts);
    }
}
