// SPDX-License-Identifier: BSL-1.0
// A bank account that several processes use at a time: a value and its lock, in shared memory. The lock is released
// when its owner dies, and the next one is told, since the value may be half changed then.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <atomic>
#include <csignal>
#include <optional>
#include <ranges>

// [guarded]
struct Account {
    long balance = 100;
    std::optional<long> before;  // the balance before the booking that is going on
};

/// Undoes the booking that a dead process has left half done.
void repair(Account& account) {
    account.balance = account.before.value_or(account.balance);
    account.before.reset();
}
// [/guarded]

/// The balance after 10,000 deposits and 10,000 withdrawals of one by the workers of the pool. killings: so many of
/// them are killed in the middle of a booking, with the lock.
long run(procpool::ProcessPool<>& pool, int killings) {
    const procpool::Shared<std::atomic<int>> kill{killings};
    // [guarded]
    const procpool::Shared<procpool::Guarded<Account>> guarded;
    const auto book = [guarded = guarded.get(), kill = kill.get()](int i) {
        const auto change = [&](Account& account) {
            account.before = account.balance;
            account.balance += i % 2 == 0 ? 1 : -1;
            if (i == 7000 && kill->fetch_sub(1) > 0) { ::raise(SIGKILL); }
            account.before.reset();
        };
        for (;;) {
            try {
                return guarded->with(change);
            } catch (const procpool::OwnerDied&) { guarded->recover(repair); }
        }
    };
    // A booking whose process is killed has been undone, so it is made again.
    pool.for_each(procpool::MapOptions{.retries = 1}, book, std::views::iota(0, 20'000));
    return guarded->load().balance;
    // [/guarded]
}

int main() {
    procpool::ProcessPool pool{4};
    for (int i = 1; i <= 10; ++i) { fmt::print("{}. the balance is {}\n", i, run(pool, 0)); }
    fmt::print("with a process killed in the middle of a booking: {}\n", run(pool, 1));
}
