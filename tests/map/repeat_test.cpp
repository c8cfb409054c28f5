// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/repeat.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <ranges>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace {

using Limits = std::map<std::string, int>;

int limited(int n, const Limits& limits) { return std::min(n, limits.at("x")); }

/// Counts in shared memory how often it is encoded.
struct CountsEncodings {
    int* encoded;
};

}  // namespace

template <>
struct procpool::Codec<CountsEncodings> {
    static void encode(Writer& out, const CountsEncodings& counted) {
        ++*counted.encoded;
        detail::codec::encode_plain(out, counted.encoded);
    }
    static CountsEncodings decode(Reader& in) { return {detail::codec::decode_plain<int*>(in)}; }
};

namespace {

template <class P>
void repeats() {
    P pool{2};
    const Limits limits{{"x", 3}};
    const auto same_limits = repeat(limits);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{1000}}) {
        const std::vector<int> items = first_numbers(n);
        std::vector<int> expected;
        for (const int i : items) { expected.push_back(limited(i, limits)); }
        SharedArray<int> shared(n);
        std::ranges::copy(items, shared.begin());
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{6}}) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            CHECK(pool.map(options, limited, items, repeat(limits)) == expected);
            CHECK(pool.map(options, limited, shared, same_limits) == expected);
            CHECK(pool.map(options, limited, Generator{static_cast<int>(n)}, same_limits) == expected);
            CHECK(pool.map(
                      options, [](const Limits& all, int i) { return limited(i, all); }, same_limits, items) ==
                  expected);
            CHECK(pool.map_async(options, limited, items, repeat(limits)).get() == expected);
            CHECK(std::ranges::equal(pool.imap(options, limited, items, repeat(limits)), expected));
            std::vector<int> unordered(n);
            for (auto&& [index, value] :
                 pool.imap_unordered(options, limited, std::list<int>(items.begin(), items.end()), same_limits)) {
                unordered[index] = value;
            }
            CHECK(unordered == expected);
            const auto outcomes = pool.map_outcomes(options, limited, items, same_limits);
            CHECK(std::ranges::equal(outcomes, expected, {}, [](const auto& outcome) { return outcome.value(); }));
            pool.for_each(
                options, [](int& i, const Limits& all) { i = limited(i, all) + 1; }, shared, same_limits);
            CHECK(std::ranges::equal(shared, expected, {}, [](int i) { return i - 1; }));
            std::ranges::copy(items, shared.begin());
        }
    }
}
ON_EVERY_ENGINE("repeat gives the same value with every item in all calls over many items", repeats)

template <class P>
void several_repeats() {
    P pool{2};
    const std::vector<int> items = first_numbers(100);
    std::vector<std::string> expected;
    for (const int i : items) { expected.push_back("text" + std::to_string(i) + std::to_string(2 * i)); }
    CHECK(pool.map([](std::string_view text, int a, const std::vector<int>& factor,
                      const std::string& b) { return std::string(text) + std::to_string(a * factor[0]) + b; },
                   repeat("text"), items, repeat(std::vector{1}),
                   std::views::transform(items, [](int i) { return std::to_string(2 * i); })) == expected);
    CHECK(pool.map([](const char* text, int n) { return text[n]; }, repeat("abc"), first_numbers(3)) ==
          std::vector{'a', 'b', 'c'});
    CHECK(pool.map([](std::stop_token stop, const std::string& text,
                      int n) { return stop.stop_requested() ? ' ' : text.at(static_cast<std::size_t>(n)); },
                   repeat("abc"), first_numbers(3)) == std::vector{'a', 'b', 'c'});
    CHECK(pool.map([](const std::unique_ptr<int>& p, int n) { return *p + n; }, repeat(std::make_unique<int>(3)),
                   first_numbers(3)) == std::vector{3, 4, 5});
    CHECK(pool.map(
              [](std::vector<int> copy, int n) {
                  copy.push_back(n);
                  return copy.size();
              },
              repeat(std::vector{3}), items) == std::vector<std::size_t>(100, 2));
    CHECK_THROWS_AS(pool.map([](int n, const Limits& limits) { return limits.at(std::to_string(n)); }, items,
                             repeat(Limits{{"0", 1}})),
                    std::out_of_range);
}
ON_EVERY_ENGINE("several repeats stand where their function wants them", several_repeats)

}  // namespace

TEST_CASE("repeat is encoded once for a call not with each item") {
    Pool pool{2};
    Shared<int> encoded{0};
    const std::vector<int> items = first_numbers(100);
    const auto f = [](int n, const CountsEncodings& counted) { return n + (counted.encoded == nullptr); };
    CHECK(pool.map({.chunk_size = 25}, f, items, repeat(CountsEncodings{encoded.get()})) == items);
    CHECK(*encoded == 1);
}

TEST_CASE("map_async keeps what is repeated though the caller's is gone") {
    Pool pool{1};
    Future<std::vector<int>> future;
    {
        const auto limits = repeat(Limits{{"x", 3}});
        future = pool.map_async(limited, first_numbers(5), limits);
    }
    CHECK(get_soon(future) == std::vector{0, 1, 2, 3, 3});
}

TEST_CASE("fork_map takes repeat") {
    CHECK(fork_map(limited, first_numbers(5), repeat(Limits{{"x", 3}})) == std::vector{0, 1, 2, 3, 3});
}

TEST_CASE("repeat is an endless random access range") {
    const auto range = repeat(std::string("x"));
    STATIC_REQUIRE(std::ranges::random_access_range<decltype(range)>);
    STATIC_REQUIRE(std::is_same_v<std::ranges::sentinel_t<decltype(range)>, std::unreachable_sentinel_t>);
    auto it = range.begin();
    CHECK(*it++ == "x");
    CHECK(it[1000] == "x");
    CHECK((it + 5) - it == 5);
    CHECK((1 + it) - 1 == it);
    CHECK(it-- > range.begin());
    CHECK(--++it == range.begin());
}
