// SPDX-License-Identifier: BSL-1.0
// How types of your own travel to a worker and back: three ways, from no work to full control.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

/// An aggregate of things that travel: nothing to do.
struct Order {
    std::string customer;
    std::map<std::string, int> items;
};

/// A class with a serialize() member, as it is written for cereal or Boost.Serialization.
class Account {
public:
    Account() = default;
    explicit Account(std::string owner) : owner_(std::move(owner)) {}
    void book(int amount) { bookings_.push_back(amount); }
    std::string to_string() const { return fmt::format("{} with {} bookings", owner_, bookings_.size()); }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(owner_, bookings_);
    }

private:
    std::string owner_;
    std::vector<int> bookings_;
};

/// A class that cannot be changed, or wants bytes of its own: a Codec says how to write and how to make one.
class Temperature {
public:
    static Temperature celsius(double degrees) { return Temperature{degrees + 273.15}; }
    double celsius() const { return kelvin_ - 273.15; }
    ~Temperature() {}  // so that it is not just copied byte by byte

private:
    explicit Temperature(double kelvin) : kelvin_(kelvin) {}
    double kelvin_;
};

template <>
struct procpool::Codec<Temperature> {
    static void encode(Writer& out, const Temperature& value) { Codec<double>::encode(out, value.celsius()); }
    static Temperature decode(Reader& in) { return Temperature::celsius(Codec<double>::decode(in)); }
};

int main() {
    procpool::ProcessPool pool{2};

    const Order order =
        pool.apply([](Order o) { return ++o.items["tea"], o; }, Order{"Ada", {{"tea", 2}, {"milk", 1}}});
    fmt::print("{} gets {} tea and {} milk\n", order.customer, order.items.at("tea"), order.items.at("milk"));

    const Account account = pool.apply([](Account a, int amount) { return a.book(amount), a; }, Account{"Grace"}, 100);
    fmt::print("{}\n", account.to_string());

    const Temperature warmer = pool.apply([](const Temperature& t) { return Temperature::celsius(t.celsius() + 1.5); },
                                          Temperature::celsius(20));
    fmt::print("{:.1f} degrees\n", warmer.celsius());
}
