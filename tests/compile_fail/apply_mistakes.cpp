// expect-errors
// SPDX-License-Identifier: BSL-1.0
// Mistakes that a user makes first. Each gives one error, which says what it is and what to write.
#include <procpool/procpool.hpp>

#include <string>

int increment(int& n) { return ++n; }
int with_default(int a, int b = 7) { return a + b; }
struct Account {
    int balance = 0;
    int add(int n) { return balance += n; }
};

void use(procpool::Pool& pool, const std::string& text) {
    // expect-error: takes an argument by reference .T&.*: take it by value or const&
    const int once = pool.apply(increment, 1);
    // expect-error: takes an argument by reference .T&
    pool.apply([](std::string& s) { s += "x"; }, text);
    // expect-error: too few arguments for this function, which takes 2
    pool.apply([](int a, int b) { return a + b; }, once);
    // expect-error: too few arguments for this function, which takes 2.*does not know its default arguments
    pool.apply(with_default, 1);
    // expect-error: too many arguments for this function, which takes 1
    pool.apply([](int a) { return a; }, 1, 2);
    // expect-error: too many arguments for this function, which takes 0
    pool.apply([] {}, 1);
    // expect-error: argument 2 does not convert to the type that this function takes there, see WrongType
    pool.apply([](int a, const std::string&) { return a; }, 1, 2);
    // expect-error: too few arguments for this function, which takes 2
    pool.apply(&Account::add, Account{});
    // expect-error: this function cannot be called with these arguments as rvalues
    pool.apply(
        [](auto a) requires(sizeof(a) == 1) { return a; }, 1);
    // expect-error: too few arguments for this function: pass one for each parameter
    pool.apply([](int, int, int, int, int, int) {}, 1);
    // expect-error: what was given as the function cannot be called: the function comes first
    pool.apply(1, 2);
    // expect-error: what was given as the function cannot be called: the function comes first
    pool.apply(with_default(1) * 0.5);
    // expect-error: what was given as the function cannot be called: the function comes first
    pool.apply(text, increment);
    // expect-error: options come first, before the function
    pool.apply([](int a) { return a; }, 1, procpool::TaskOptions{.retries = 1});
    // expect-error: options are of the wrong kind: apply.*take TaskOptions
    pool.apply(
        procpool::MapOptions{}, [](int a) { return a; }, 1);
    // expect-error: takes an argument by reference .T&
    pool.apply(procpool::bind_front([](std::string& s, int) { s += "x"; }, text), 1);
    // expect-error: too few arguments for this function, which takes 2
    pool.apply(procpool::bind_front([](const std::string& s, int, int) { return s.size(); }, text), 1);
    // expect-error: too many arguments for this function, which takes 1
    pool.apply(procpool::bind_front([](const std::string& s, int) { return s.size(); }, text), 1, 2);
    // expect-error: argument 1 does not convert
    pool.apply(procpool::bind_front([](const std::string& s, int) { return s.size(); }, text), text);
    // expect-error: the values given to bind_front.. do not fit the first parameters of its function
    pool.apply(procpool::bind_front([](int, int) {}, text), 1);
    // expect-error: the values given to bind_front.. do not fit the first parameters of its function
    pool.apply(procpool::bind_front([](int) {}, 1, 2));
}
