// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/reduce_by_key.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <compare>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

using Words = std::vector<std::pair<std::string, int>>;
using Doubles = std::map<int, double>;

Words words_of(const std::string& text) {
    Words all;
    for (auto at = text.begin(); at != text.end();) {
        const auto end = std::find(at, text.end(), ' ');
        if (end != at) { all.emplace_back(std::string(at, end), 1); }
        at = end == text.end() ? end : end + 1;
    }
    return all;
}

std::vector<std::string> text_lines(std::size_t n) {
    std::vector<std::string> all(n);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t word = 0; word < i % 7; ++word) {
            all[i] += "w" + std::to_string((i * 31 + word * word) % 61) + " ";
            if (word == 3) { all[i] += "a_word_that_is_longer_than_sixteen_bytes_" + std::to_string(i % 5) + "  "; }
        }
    }
    return all;
}

double number(int i) { return std::sin(i) * std::pow(10.0, i % 17); }

std::pair<int, double> one_value(int i) { return {i % 13 - 6, number(i)}; }

/// None to four, some of them for the same key.
std::vector<std::pair<int, double>> several_values(int i) {
    std::vector<std::pair<int, double>> all;
    for (int k = 0; k < i % 5; ++k) { all.emplace_back(k * i % 7, number(i + k)); }
    return all;
}

std::unordered_map<int, double> by_different_keys(int i) {
    return {{i % 3, number(i)}, {i % 5 + 3, number(i + 1)}, {9, number(i + 2)}};
}

std::vector<std::pair<int, double>> as_range(std::pair<int, double> pair) { return {std::move(pair)}; }
template <class Range>
Range as_range(Range range) {
    return range;
}

/// The definition, in one thread: the pairs of an item, the items of a block, then the blocks.
template <class F, class G, class Range>
auto by_key_here(F f, G g, const Range& range) {
    using Pair = std::ranges::range_value_t<decltype(as_range(f(*range.begin())))>;
    using Sums = std::map<std::remove_const_t<typename Pair::first_type>, typename Pair::second_type>;
    const auto add = [g](Sums& sums, const auto& pair) {
        const auto [at, is_new] = sums.emplace(pair.first, pair.second);
        if (!is_new) { at->second = g(at->second, pair.second); }
    };
    const auto add_all = [add](Sums& sums, Sums& more) {
        for (const auto& pair : more) { add(sums, pair); }
        more.clear();
    };
    Sums all;
    Sums block;
    std::size_t in_block = 0;
    for (const auto& item : range) {
        Sums of_item;
        for (const auto& pair : as_range(f(item))) { add(of_item, pair); }
        add_all(block, of_item);
        if (++in_block % 256 == 0) { add_all(all, block); }
    }
    add_all(all, block);
    return all;
}

bool same_bits(const Doubles& a, const Doubles& b) {
    return std::ranges::equal(a, b, [](const auto& one, const auto& other) {
        return one.first == other.first && std::memcmp(&one.second, &other.second, sizeof one.second) == 0;
    });
}

template <class P>
void by_key_words() {
    P pool{2};
    for (const std::size_t n : {0, 1, 300, 2000}) {
        CAPTURE(n);
        const std::vector<std::string> text = text_lines(n);
        const std::map<std::string, int> counts = pool.map_reduce_by_key(words_of, std::plus<>{}, text);
        CHECK(counts == by_key_here(words_of, std::plus<>{}, text));
    }
    CHECK(pool.map_reduce_by_key(words_of, std::plus<>{}, std::vector<std::string>(1000)).empty());
}
ON_EVERY_ENGINE("map_reduce_by_key counts words", by_key_words)

template <class P>
void same_bits_by_key() {
    for (const std::size_t workers : {1, 2, 3, 7}) {
        P pool{workers};
        for (const std::size_t n : {0, 1, 255, 256, 257, under_sanitizer ? 1001 : 5001}) {
            const std::vector<int> items = first_numbers(n);
            const Doubles one = by_key_here(one_value, std::plus<>{}, items);
            const Doubles several = by_key_here(several_values, std::plus<>{}, items);
            const Doubles different = by_key_here(by_different_keys, std::plus<>{}, items);
            SharedArray<int> shared(n);
            std::ranges::copy(items, shared.begin());
            for (const std::size_t chunk :
                 {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{257}, SIZE_MAX}) {
                if (chunk == 1 && n > 1000) { continue; }
                CAPTURE(workers, n, chunk);
                const MapOptions options{.chunk_size = chunk};
                CHECK(same_bits(pool.map_reduce_by_key(options, one_value, std::plus<>{}, items), one));
                CHECK(same_bits(pool.map_reduce_by_key(options, several_values, std::plus<>{}, shared), several));
                CHECK(same_bits(
                    pool.map_reduce_by_key(options, several_values, std::plus<>{}, Generator{static_cast<int>(n)}),
                    several));
                CHECK(same_bits(pool.map_reduce_by_key(options, by_different_keys, std::plus<>{}, items), different));
            }
        }
    }
}
ON_EVERY_ENGINE("map_reduce_by_key gives the same bits for any number of workers and chunk size", same_bits_by_key)

template <class P>
void by_key_slow_items() {
    constexpr std::int64_t workers = 3;
    SharedPage page;
    const Counter begun{page};
    P pool{workers};
    for (const std::size_t n : {3, 40, 300}) {
        CAPTURE(n);
        // As many run at a time as there are workers.
        const auto f = snapshot([begun, enough = begun.value() + workers](int i) {
            begun.add();
            begun.wait_for(enough);
            return several_values(i);
        });
        const std::vector<int> items = first_numbers(n);
        CHECK(same_bits(pool.map_reduce_by_key(f, std::plus<>{}, items),
                        by_key_here(several_values, std::plus<>{}, items)));
    }
}
ON_ENGINES_WITH_WORKERS("map_reduce_by_key spreads slow items over the workers", by_key_slow_items)

template <class P>
void by_key_in_order() {
    P pool{3};
    const auto f = [](int i) {
        if (i % 50 == 7) { std::this_thread::sleep_for(std::chrono::microseconds{300}); }
        return std::pair{i % 10 < 5 ? "low" + std::string(i % 2, 'x') : std::string(30, 'h'), std::vector<int>{i}};
    };
    const auto join = [](std::vector<int> a, std::vector<int> b) {
        a.insert(a.end(), b.begin(), b.end());
        return a;
    };
    for (const std::size_t chunk : {0, 1, 30, 256}) {
        CAPTURE(chunk);
        const auto groups = pool.map_reduce_by_key(MapOptions{.chunk_size = chunk}, f, join, first_numbers(1000));
        CHECK(groups.size() == 3);
        for (const auto& [key, group] : groups) {
            CAPTURE(key);
            CHECK(std::ranges::is_sorted(group));
        }
        CHECK(groups.at("low").size() == 300);
        CHECK(groups.at(std::string(30, 'h')).size() == 500);
    }
}
ON_ENGINES_WITH_WORKERS("map_reduce_by_key folds the values of a key from left to right", by_key_in_order)

/// Its order does not look at all of it.
struct Name {
    std::string text;
    friend bool operator<(const Name& a, const Name& b) {
        return std::ranges::lexicographical_compare(a.text, b.text, {}, &Name::lower, &Name::lower);
    }
    static int lower(char c) { return std::tolower(static_cast<unsigned char>(c)); }
};
enum class Paint { red, green, blue };
struct KeyedItem {
    int id;
    std::vector<std::pair<std::string, std::vector<int>>> values;
};

TEST_CASE("map_reduce_by_key: keys are what has an order - values what can be moved") {
    Pool pool{2};
    const std::vector<int> items = first_numbers(700);
    const auto add = [](int a, int b) { return a + b; };

    const auto pairs = pool.map_reduce_by_key(
        [](int i) {
            return std::pair{std::pair{i % 2, std::to_string(i % 3)}, 1};
        },
        add, items);
    CHECK(pairs.size() == 6);
    CHECK(pairs.at({1, "2"}) == 116);
    const auto names = pool.map_reduce_by_key(
        [](int i) {
            return std::vector<std::pair<Name, int>>{{Name{i % 2 == 0 ? "Ann" : "ANN"}, 1}, {Name{"bob"}, i}};
        },
        add, items);
    CHECK(names.size() == 2);
    CHECK(names.begin()->first.text == "Ann");
    CHECK(names.begin()->second == 700);
    const auto colors = pool.map_reduce_by_key([](int i) { return std::pair{Paint{i % 3}, 1L}; }, add, items);
    CHECK(colors == std::map<Paint, long>{{Paint::red, 234}, {Paint::green, 233}, {Paint::blue, 233}});
    const auto numbers = pool.map_reduce_by_key(
        [](int i) {
            return std::pair{(i % 3 - 1) * 1.5, 1};
        },
        std::plus<>{}, items);
    CHECK(numbers.at(-1.5) == 234);
    CHECK(pool.map_reduce_by_key(
                  [](int i) {
                      return std::pair{i % 2 == 0, std::int8_t{1}};
                  },
                  [](std::int8_t a, std::int8_t) { return a; }, items)
              .size() == 2);

    // Texts that differ at any place, and in nothing but their length.
    std::vector<std::string> texts;
    for (std::size_t size = 0; size < 40; ++size) {
        texts.emplace_back(size, '\0');
        for (std::size_t at = 0; at < size; ++at) { texts.emplace_back(size, 'a').at(at) = '\xff'; }
    }
    const auto counts = pool.map_reduce_by_key(
        [](const std::string& text) {
            return std::vector<std::pair<std::string, int>>(2, {text, 1});
        },
        add, texts);
    CHECK(counts.size() == texts.size());
    CHECK(std::ranges::all_of(texts, [&](const std::string& text) { return counts.at(text) == 2; }));
    CHECK(pool.map_reduce_by_key(
                  [](int i) {
                      return std::pair{std::wstring(3, static_cast<wchar_t>(L'a' + i % 3)), 1};
                  },
                  add, items)
              .at(L"bbb") == 233);

    // A value that can only be moved.
    const auto moved = pool.map_reduce_by_key(
        [](int i) {
            std::vector<std::pair<int, std::unique_ptr<int>>> all;
            all.emplace_back(i % 4, std::make_unique<int>(1));
            all.emplace_back(i % 4, std::make_unique<int>(2));
            return all;
        },
        [](std::unique_ptr<int> a, std::unique_ptr<int> b) { return std::make_unique<int>(*a + *b); }, items);
    CHECK(moved.size() == 4);
    CHECK(*moved.at(3) == 3 * 175);
    CHECK(*pool.map_reduce_by_key(
                   [](int i) {
                       return std::pair{i % 4, std::make_unique<int>(i)};
                   },
                   [](std::unique_ptr<int> a, std::unique_ptr<int> b) { return *a > *b ? std::move(a) : std::move(b); },
                   items)
               .at(3) == 699);
}

TEST_CASE("map_reduce_by_key calls its functions as map_reduce does") {
    Pool pool{2};
    const std::vector<int> items = first_numbers(600);
    const int width = 10;
    const std::map<int, int> histogram = pool.map_reduce_by_key(
        [width](int i) {
            return std::pair{i / width, 1};
        },
        std::plus<>{}, items | std::views::drop(5));
    CHECK(histogram.size() == 60);
    CHECK(histogram.at(0) == 5);
    CHECK(histogram.at(59) == 10);
    CHECK(pool.map_reduce_by_key(
              [](std::stop_token stop, int i) {
                  return std::pair{stop.stop_requested(), i};
              },
              [](long a, long b) { return static_cast<int>(std::max(a, b)); },
              items) == std::map<bool, int>{{false, 599}});
    // A result by reference stays as it is.
    const std::vector<KeyedItem> kept(300, KeyedItem{1, {{"a", {1, 2}}, {"b", {}}, {"a", {3}}}});
    const auto sizes = pool.map_reduce_by_key(
        &KeyedItem::values,
        [](std::vector<int> a, const std::vector<int>& b) {
            a.insert(a.end(), b.begin(), b.end());
            return a;
        },
        kept);
    CHECK(sizes.at("a").size() == 900);
    CHECK(sizes.at("b").empty());
    // One key; an only item; a value that is taken as it is.
    CHECK(pool.map_reduce_by_key(
              [](int i) {
                  return std::pair{0, i};
              },
              std::plus<>{}, items) == std::map<int, int>{{0, 600 * 599 / 2}});
    CHECK(pool.map_reduce_by_key(
                  [](int i) {
                      return std::pair{i, i};
                  },
                  [](int, int) -> int { throw std::logic_error("nothing to fold"); }, items)
              .size() == 600);
}

TEST_CASE("map_reduce_by_key with many keys") {
    constexpr int each = 100;
    constexpr std::size_t keys = 200'000;
    Pool pool{2};
    const auto counts = pool.map_reduce_by_key(
        [](int i) {
            std::vector<std::pair<std::uint64_t, int>> all;
            for (int k = 0; k < each; ++k) {
                all.emplace_back(static_cast<std::uint64_t>(i * each + k) % keys << 40, 1);
            }
            return all;
        },
        std::plus<>{}, first_numbers(3 * keys / each));
    CHECK(counts.size() == keys);
    CHECK(std::ranges::all_of(counts, [](const auto& one) { return one.second == 3; }));
    CHECK(std::prev(counts.end())->first == (keys - 1) << 40);
}

template <class P>
void by_key_errors() {
    P pool{2};
    const auto add = [](int a, int b) { return a + b; };
    const auto by_parity = [](int i) { return std::pair{i % 2, i}; };
    for (const OnError on_error : {OnError::fail_fast, OnError::wait_all}) {
        for (const std::size_t chunk : {0, 1, 100, 5000}) {
            CAPTURE(chunk);
            const MapOptions options{.chunk_size = chunk, .on_error = on_error};
            CHECK_THROWS_WITH(pool.map_reduce_by_key(
                                  options,
                                  [](int i) {
                                      return i == 700 || i == 1200 ? throw std::out_of_range(std::to_string(i))
                                                                   : several_values(i);
                                  },
                                  std::plus<>{}, first_numbers(on_error == OnError::fail_fast ? 1200 : 2000)),
                              "700");
            CHECK_THROWS_AS(pool.map_reduce_by_key(
                                options,
                                [](int i) {
                                    return std::vector(2, std::pair{i % 2, i});
                                },
                                [](int, int b) { return b == 49 ? throw std::out_of_range("of an item") : 1; },
                                first_numbers(2000)),
                            std::out_of_range);
            CHECK_THROWS_AS(pool.map_reduce_by_key(
                                options, by_parity,
                                [](int a, int b) { return a > 1000 ? throw std::out_of_range("of a block") : a + b; },
                                first_numbers(2000)),
                            std::out_of_range);
            CHECK_THROWS_AS(pool.map_reduce_by_key(options, by_parity, add, Generator{1000, 600}), std::domain_error);
        }
    }
    CHECK(pool.map_reduce_by_key(by_parity, add, first_numbers(4)) == std::map<int, int>{{0, 2}, {1, 4}});
}
ON_EVERY_ENGINE("map_reduce_by_key throws what its functions throw", by_key_errors)

TEST_CASE("map_reduce_by_key with recycled workers: what was folded of a block goes on in the next worker") {
    const std::vector<int> items = first_numbers(1500);
    const auto rarely = [](int i) { return i % 300 == 299 ? several_values(i) : decltype(several_values(i)){}; };
    const Doubles several = by_key_here(several_values, std::plus<>{}, items);
    const Doubles rare = by_key_here(rarely, std::plus<>{}, items);
    for (const std::size_t limit : {100, 256, 1000}) {
        Pool pool{{.workers = 2, .max_tasks_per_worker = limit}};
        for (const std::size_t chunk : {0, 1000}) {
            CAPTURE(limit, chunk);
            const MapOptions options{.chunk_size = chunk};
            CHECK(same_bits(pool.map_reduce_by_key(options, several_values, std::plus<>{}, items), several));
            CHECK(same_bits(pool.map_reduce_by_key(options, rarely, std::plus<>{}, items), rare));
        }
    }
}

TEST_CASE("map_reduce_by_key with workers that die: retried or WorkerDied") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    constexpr std::size_t n = 2000;
    const std::vector<int> items = first_numbers(n);
    const Doubles expected = by_key_here(several_values, std::plus<>{}, items);
    Pool pool{2};
    SharedArray<char> kills(n);  // once, the worker that runs that item
    const auto dies = [kills = kills.data()](int i) {
        if (std::exchange(kills[i], '\0') != 0) { ::raise(SIGKILL); }
        return several_values(i);
    };
    for (const std::size_t chunk : {0, 1, 50, 700, 3000}) {
        CAPTURE(chunk);
        for (int i = 0; i < 5; ++i) { kills[random() % n] = 1; }
        CHECK(
            same_bits(pool.map_reduce_by_key(MapOptions{.chunk_size = chunk, .retries = 1}, dies, std::plus<>{}, items),
                      expected));
        CHECK(std::ranges::count(kills, '\0') == n);
        kills[random() % n] = 1;
        CHECK_THROWS_AS(pool.map_reduce_by_key(MapOptions{.chunk_size = chunk}, dies, std::plus<>{}, items),
                        WorkerDied);
    }
    CHECK_THROWS_AS(pool.map_reduce_by_key(
                        MapOptions{.timeout = 50ms},
                        [](int i) {
                            if (i == 300) { std::this_thread::sleep_for(20s); }
                            return several_values(i);
                        },
                        std::plus<>{}, items),
                    TaskTimedOut);
}

}  // namespace
