// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/sync/guarded.hpp>

using namespace procpool;

struct Account {
    long balance;
};

void take_copy(Account account);

void change(Guarded<Account>& account, Guarded<long>& number) {
    // expect-error: procpool: this function takes a copy of the guarded value.*by reference
    account.with([](Account a) { a.balance = 0; });
    // expect-error: procpool: this function takes a copy of the guarded value.*by reference
    account.with(take_copy);
    // expect-error: procpool: this function takes a copy of the guarded value.*by reference
    with_all(account, number, [](Account& a, long n) { a.balance = n; });
    // expect-error: procpool: this function takes a copy of the guarded value.*by reference
    account.recover([](Account a) mutable noexcept { a.balance = 0; });
}
