// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/imap.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

static_assert(std::ranges::input_range<ResultRange<Indexed<Outcome<int>>>>);

/// The fate of each item: '.' a value, which is checked, r, W, T or C an error. Each index comes once.
template <class Range, class Check>
std::string fates(Range&& range, Check is_right) {
    std::map<std::size_t, char> found;
    for (auto& [index, outcome] : range) {
        char fate = '?';
        try {
            if constexpr (std::is_void_v<decltype(outcome.value())>) {
                outcome.value();
                fate = '.';
            } else {
                fate = is_right(index, outcome.value()) ? '.' : '!';
            }
        } catch (const std::range_error&) { fate = 'r'; } catch (const WorkerDied&) {
            fate = 'W';
        } catch (const TaskTimedOut&) { fate = 'T'; } catch (const CodecError&) {
            fate = 'C';
        }
        if (!found.try_emplace(index, fate).second) { return "twice: " + std::to_string(index); }
    }
    std::string text;
    for (const auto& [index, fate] : found) { text += text.size() == index ? fate : '~'; }
    return text;
}

constexpr auto is_itself = [](std::size_t index, int value) { return value == static_cast<int>(index); };

template <class P>
void outcomes_by_index() {
    P pool{3};
    const auto f = [](int i) { return i % 10 == 3 ? throw std::range_error("no") : i; };
    const auto nothing = [](int i) {
        if (i % 10 == 3) { throw std::range_error("no"); }
    };
    const auto text = [](const std::string& s, int i) {
        return i % 10 == 3 ? throw std::range_error(s) : s + std::to_string(i);
    };
    for (const std::size_t n : {0, 1, 4, 40, 500}) {
        std::string expected;
        for (std::size_t i = 0; i < n; ++i) { expected += i % 10 == 3 ? 'r' : '.'; }
        for (const std::size_t chunk : {0, 1, 6, 1000}) {
            for (const std::size_t window : {0, 1, 5, 1000}) {
                CAPTURE(n, chunk, window);
                const MapOptions options{.chunk_size = chunk, .window = window};
                const std::vector<int> numbers = first_numbers(n);
                CHECK(fates(pool.imap_outcomes(options, f, numbers), is_itself) == expected);
                CHECK(fates(pool.imap_outcomes(options, nothing, numbers), is_itself) == expected);
                CHECK(fates(pool.imap_outcomes(options, f, Generator{static_cast<int>(n)}), is_itself) == expected);
                CHECK(fates(pool.imap_outcomes(options, text, repeat("x"), first_numbers(n)),
                            [](std::size_t index, const std::string& value) {
                                return value == "x" + std::to_string(index);
                            }) == expected);
            }
        }
    }
    CHECK(fates(pool.imap_outcomes(f, first_numbers(5)), is_itself) == "...r.");
}
ON_EVERY_ENGINE("API-08 imap_outcomes gives every item once with its index for any window and chunk size",
                outcomes_by_index)

template <class P>
void outcomes_as_they_come() {
    SharedPage page;
    const Gate may_end{page};
    P pool{2};
    auto range = pool.imap_outcomes(snapshot([may_end](int i) {
                                        if (i == 0) {
                                            may_end.wait();
                                            throw std::range_error("0");
                                        }
                                    }),
                                    first_numbers(8));
    std::size_t given = 0;
    while (const auto one = range.next()) {
        CHECK((**one).value.has_value() == ((**one).index != 0));
        if (++given == 7) { may_end.set(); }
    }
    CHECK(given == 8);
    CHECK(range.is_over());
}
ON_ENGINES_WITH_WORKERS("ORD-02 imap_outcomes gives fast ones first", outcomes_as_they_come)

template <class P>
void input_errors_after_outcomes() {
    P pool{2};
    for (const int bad : {0, 2, 6}) {
        for (const std::size_t chunk : {1, 4, 100}) {
            CAPTURE(bad, chunk);
            auto range = pool.imap_outcomes(MapOptions{.chunk_size = chunk}, same, Generator{10, bad});
            auto it = range.begin();
            for (int i = 0; i < bad; ++i, ++it) { REQUIRE((*it).value.has_value()); }
            CHECK_THROWS_AS(*it, std::domain_error);
            CHECK(++it == range.end());
        }
    }
    std::size_t taken = 0;
    for (auto& one : pool.imap_outcomes(fail, std::views::iota(0))) {  // endless
        CHECK_FALSE(one.value);
        if (++taken == 100) { break; }
    }
    CHECK(pool.apply(same, 3) == 3);
}
ON_EVERY_ENGINE("EXC-09 imap_outcomes: what the input throws comes after all outcomes", input_errors_after_outcomes)

/// Fails to be encoded, or to be decoded.
struct Picky {
    int value = 0;
};

}  // namespace

template <>
struct procpool::Codec<Picky> {
    static void encode(Writer& out, const Picky& picky) {
        detail::codec::encode_plain(out, picky.value);
        if (picky.value == 1) { throw std::range_error("encode"); }
    }
    static Picky decode(Reader& in) {
        const int value = detail::codec::decode_plain<int>(in);
        if (value == 2) { throw std::range_error("decode"); }
        if (value == 3) { return {detail::codec::decode_plain<int>(in)}; }  // reads beyond its end
        return {value};
    }
};

namespace {

template <class P>
void outcomes_that_do_not_travel() {
    P pool{2};
    for (const std::size_t chunk : {1, 4, 100}) {
        CAPTURE(chunk);
        const auto right = [](std::size_t, const Picky& picky) { return picky.value == 0; };
        CHECK(fates(pool.imap_outcomes(
                        MapOptions{.chunk_size = chunk}, [](int i) { return Picky{i}; },
                        std::vector{0, 1, 2, 3, 0, 0, 1}),
                    right) == ".rrC..r");
    }
}
ON_EVERY_ENGINE("EXC-13 imap_outcomes: a result that does not travel costs one item", outcomes_that_do_not_travel)

TEST_CASE("DTH-02 imap_outcomes: workers that die and items that time out keep their index") {
    for (const auto& [workers, chunk] : std::vector<std::pair<std::size_t, std::size_t>>{{1, 7}, {2, 0}, {2, 100}}) {
        CAPTURE(workers, chunk);
        Pool pool{workers};
        const auto behave = [](int i) {
            switch (i) {
                case 3: throw std::range_error("3");
                case 5: ::raise(SIGKILL); break;
                case 6: ::_exit(0); break;
                case 20: std::this_thread::sleep_for(20s); break;
                case 39: ::raise(SIGSEGV); break;
                default: break;
            }
            return i;
        };
        CHECK(fates(pool.imap_outcomes(MapOptions{.chunk_size = chunk, .window = 50, .timeout = 1s}, behave,
                                       first_numbers(40)),
                    is_itself) == "...r.WW.............T..................W");
        CHECK(fates(pool.imap_outcomes(
                        MapOptions{.chunk_size = chunk, .retries = 1},
                        [](int i) {
                            if (i % 9 == 0 && this_task::attempt() == 0) { ::raise(SIGKILL); }
                            return i;
                        },
                        first_numbers(20)),
                    is_itself) == std::string(20, '.'));
    }
}

template <class P>
void outcomes_of_a_joined_pool() {
    std::optional<ResultRange<Indexed<Outcome<int>>>> range;
    std::size_t given = 0;
    {
        P first{{.workers = 2, .queue_capacity = 1}};
        range.emplace(first.imap_outcomes(MapOptions{.window = 3}, same, first_numbers(10)));
        P pool = std::move(first);
        for (auto& outer : pool.imap_outcomes(same, first_numbers(4))) {  // among others
            for (auto& inner : pool.imap_outcomes(same, first_numbers(4))) { given += inner.value ? outer.index : 100; }
        }
        CHECK(given == 24);
        CHECK((**range->next()).value.has_value());
        pool.close();
        CHECK_THROWS_AS(pool.imap_outcomes(same, first_numbers(1)), PoolClosed);
        CHECK((**range->next()).value.has_value());
    }
    std::optional<Outcome<Indexed<Outcome<int>>>> next = range->next();
    for (given = 2; next && next->has_value(); next = range->next()) {
        CHECK((**next).value.has_value());
        ++given;
    }
    CHECK(given >= 3);
    CHECK(given < 10);
    REQUIRE(next.has_value());
    CHECK_THROWS_AS(next->value(), PoolClosed);
}
ON_EVERY_ENGINE("imap_outcomes of a pool that is moved and closed and joined gives what was submitted",
                outcomes_of_a_joined_pool)

TEST_CASE("imap_outcomes refuses bad options and captured references at once") {
    Pool pool{2};
    int local = 1;
    for (const std::size_t n : {0, 3}) {
        CHECK_THROWS_AS(pool.imap_outcomes(MapOptions{.total_timeout = -1ns}, same, first_numbers(n)),
                        std::invalid_argument);
        CHECK_THROWS_AS(pool.imap_outcomes([&local](int i) { return i + local; }, first_numbers(n)), CodecError);
    }
    CHECK(pool.stats().submitted == 0);
}

}  // namespace
