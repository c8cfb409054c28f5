// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Item: a value whose damage shows; Ledger: what became of many of them, in memory that processes share.

#include <procpool/codec/standard.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

namespace procpool_test {

struct Item {
    std::uint32_t producer;
    std::uint32_t number;
    std::uint32_t sum;
    std::string body;
};

/// Every 61st byte counts, and who made it.
[[nodiscard]] inline std::uint32_t sum_of(const Item& item) {
    std::uint32_t sum = item.producer * 1000 + item.number + static_cast<std::uint32_t>(item.body.size());
    for (std::size_t i = 0; i < item.body.size(); i += 61) {
        sum = sum * 31 + static_cast<unsigned char>(item.body[i]);
    }
    return sum;
}
[[nodiscard]] inline Item make_item(std::uint32_t producer, std::uint32_t number, std::size_t size) {
    Item item{producer, number, 0, std::string(size, static_cast<char>('a' + number % 26))};
    for (std::size_t i = 0; i < size; i += 61) { item.body[i] = static_cast<char>(i * 7 + number + producer); }
    item.sum = sum_of(item);
    return item;
}
[[nodiscard]] inline bool is_sound(const Item& item) { return item.sum == sum_of(item); }

/// Returns: mostly a few bytes, some of all sizes up to 100 KB.
[[nodiscard]] inline std::size_t random_size(std::mt19937& random) {
    return random() % 4 != 0 ? random() % 40 : random() % 100'000;
}

/// All-zero memory is an empty one.
struct Ledger {
    static constexpr std::size_t producers = 512;
    static constexpr std::size_t items = 512;

    std::array<std::atomic<std::uint32_t>, producers> put;  // by each, as far as they know
    std::array<std::array<std::atomic<std::uint8_t>, items>, producers> got;
    std::atomic<std::uint32_t> torn;
    std::atomic<std::uint32_t> doubled;
    std::atomic<std::uint32_t> out_of_order;
    std::atomic<std::uint32_t> taken;
};

/// The memory of one consumer.
class Checker {
public:
    explicit Checker(Ledger& ledger) : ledger_(ledger) {}

    void take(const Item& item) {
        if (!is_sound(item) || item.producer >= Ledger::producers || item.number >= Ledger::items) {
            ++ledger_.torn;
            return;
        }
        if (ledger_.got[item.producer][item.number]++ != 0) { ++ledger_.doubled; }
        if (item.number + 1 <= last_[item.producer]) { ++ledger_.out_of_order; }
        last_[item.producer] = item.number + 1;
        ++ledger_.taken;
    }

private:
    Ledger& ledger_;
    std::array<std::uint32_t, Ledger::producers> last_{};
};

}  // namespace procpool_test
