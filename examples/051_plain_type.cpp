// SPDX-License-Identifier: BSL-1.0
// A trivially copyable class with private members could hide a pointer, so it does not travel unless enable_plain says
// that its bytes are all there is to it.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <vector>

class Money {
public:
    explicit Money(std::int64_t cents) : cents_(cents) {}
    friend Money operator+(Money a, Money b) { return Money{a.cents_ + b.cents_}; }
    double euros() const { return static_cast<double>(cents_) / 100; }

private:
    std::int64_t cents_;
};

template <>
inline constexpr bool procpool::enable_plain<Money> = true;  // without it: a compile error that says to write this

int main() {
    procpool::ProcessPool pool{2};
    const std::vector<Money> prices{Money{120}, Money{350}};
    const std::vector<Money> totals = pool.map([](Money price) { return price + Money{490}; }, prices);
    fmt::print("{:.2f} and {:.2f} with postage\n", totals[0].euros(), totals[1].euros());
}
