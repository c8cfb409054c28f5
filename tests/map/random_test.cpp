// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/seeded.hpp>

#include "map/journaled.hpp"
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using namespace procpool_test;

namespace random_test {  // apart from sources that are compiled with this one
namespace {

using Numbers = std::vector<std::uint64_t>;

constexpr std::size_t count = 600;  // more than two blocks of map_reduce()

/// Draws some numbers, more or fewer by the item, and returns what the last two and the item make.
std::uint64_t draw(int i, Random& random) {
    random.discard(static_cast<std::uint64_t>(i % 3));
    const std::uint64_t first = random();
    return first ^ (random() << 1) ^ static_cast<std::uint64_t>(i);
}

/// The results that a call with that seed must give.
Numbers drawn_here(std::uint64_t seed, std::size_t n = count) {
    Numbers drawn;
    for (std::size_t i = 0; i < n; ++i) {
        Random random{seed, i};
        drawn.push_back(draw(static_cast<int>(i), random));
    }
    return drawn;
}

constexpr int ways = 15;

/// Calls `draw`, or what it is given, in one of the ways that there are.
template <class P, class F = std::uint64_t (*)(int, Random&)>
Numbers draw_in_way(P& pool, int way, MapOptions options, F f = draw) {
    const std::vector<int> items = first_numbers(count);
    const auto tuples = items | std::views::transform([](int i) { return std::tuple{i}; });
    Numbers results(count);
    switch (way) {
        case 0: return pool.map(options, f, items);
        case 1: return pool.starmap(options, f, tuples);
        case 2: return get_soon(pool.map_async(options, f, items));
        case 3: return get_soon(pool.starmap_async(options, f, tuples));
        case 4: pool.map_into(options, f, items, results); return results;
        case 5: {
            results.clear();
            for (const std::uint64_t n : pool.imap(options, f, items)) { results.push_back(n); }
            return results;
        }
        case 6:
            for (const auto& one : pool.imap_unordered(options, f, items)) { results.at(one.index) = one.value; }
            return results;
        case 7:
            for (const auto& one : pool.imap_outcomes(options, f, Generator{static_cast<int>(count)})) {
                results.at(one.index) = one.value.value();
            }
            return results;
        case 8: {
            results.clear();
            for (const auto& one : pool.map_outcomes(options, f, items)) { results.push_back(one.value()); }
            return results;
        }
        case 9:
            return pool.map_reduce(
                options, [f](int i, Random& random) { return Numbers{f(i, random)}; },
                [](Numbers all, const Numbers& more) {
                    all.insert(all.end(), more.begin(), more.end());
                    return all;
                },
                Numbers{}, items);
        case 10: {
            results.clear();
            const auto by_key = pool.map_reduce_by_key(
                options,
                [f](int i, Random& random) {
                    return std::pair{i, f(i, random)};
                },
                std::plus<>{}, items);
            for (const auto& [key, value] : by_key) { results.push_back(value); }
            return results;
        }
        case 11: {
            SharedArray<std::uint64_t> output(count);
            pool.map_into(options, f, items, output);
            return {output.begin(), output.end()};
        }
        case 12: {
            SharedArray<std::uint64_t> output(count);
            const std::span<std::uint64_t> to = output;
            pool.for_each(
                options, [f, to](int i, Random& random) { to[static_cast<std::size_t>(i)] = f(i, random); }, items);
            return {output.begin(), output.end()};
        }
        case 13: {
            SharedArray<std::uint64_t> output(count);
            const std::span<std::uint64_t> to = output;
            get_soon(pool.for_each_async(
                options, [f, to](int i, Random& random) { to[static_cast<std::size_t>(i)] = f(i, random); }, items));
            return {output.begin(), output.end()};
        }
        default:
            return pool.map(
                options, [f](int i, int more, Random& random) { return f(i + more, random); }, items, repeat(0));
    }
}

template <class P>
void drawn_in_every_way() {
    const Numbers expected = drawn_here(11);
    P pool{3};
    for (int way = 0; way < ways; ++way) {
        CAPTURE(way);
        CHECK(draw_in_way(pool, way, {.seed = 11}) == expected);
        CHECK(draw_in_way(pool, way, {.seed = 11}) == expected);
        CHECK(draw_in_way(pool, way, {.seed = 12}) == drawn_here(12));
    }
}
ON_EVERY_ENGINE("Random: every call over many items gives each item the stream of its index", drawn_in_every_way)

template <class P>
void drawn_anyhow() {
    const Numbers expected = drawn_here(5);
    for (std::size_t workers = 1; workers <= 8; ++workers) {
        P pool{workers};
        for (const std::size_t chunk : {0, 1, 7, 64, 1000}) {
            CAPTURE(workers, chunk);
            CHECK(draw_in_way(pool, 0, {.chunk_size = chunk, .seed = 5}) == expected);
            CHECK(draw_in_way(pool, 5, {.chunk_size = chunk, .window = 300, .seed = 5}) == expected);
            CHECK(draw_in_way(pool, 9, {.chunk_size = chunk, .seed = 5}) == expected);
        }
        if (!has_workers<P>()) { break; }
    }
}
ON_EVERY_ENGINE("Random: the same bits for any number of workers and size of chunks", drawn_anyhow)

TEST_CASE("Random: an item that runs again after its worker has died draws the same numbers") {
    const auto dies_first = [](int i, Random& random) {
        const std::uint64_t drawn = draw(i, random);
        if (i % 50 == 7 && this_task::attempt() == 0) { ::raise(SIGKILL); }
        return drawn;
    };
    Pool pool{4};
    const Numbers expected = drawn_here(21);
    for (const int way : {0, 2, 5, 7, 9, 12}) {
        for (const std::size_t chunk : {0, 1, 40}) {
            CAPTURE(way, chunk);
            CHECK(draw_in_way(pool, way, {.chunk_size = chunk, .retries = 1, .seed = 21}, dies_first) == expected);
        }
    }
    CHECK(pool.stats().workers_died != 0);
}

TEST_CASE("Random: an item behind one that was lost draws its own numbers") {
    Pool pool{2};
    const Numbers expected = drawn_here(3, 100);
    const auto outcomes = pool.map_outcomes(
        MapOptions{.chunk_size = 30, .seed = 3},
        [](int i, Random& random) {
            if (i % 10 == 4) { ::raise(SIGKILL); }
            if (i % 10 == 7) { throw std::runtime_error("seven"); }
            return draw(i, random);
        },
        first_numbers(100));
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (i % 10 == 4 || i % 10 == 7) {
            CHECK(!outcomes[i].has_value());
        } else {
            CHECK(outcomes[i].value() == expected[i]);
        }
    }
}

/// Function objects of many kinds.
struct Scaled {
    std::vector<std::uint64_t> factors;
    std::uint64_t operator()(int i, Random& random) const { return draw(i, random) * factors.at(0); }
};
struct Counting {
    std::vector<std::uint64_t> more;
    std::uint64_t operator()(int i, Random& random) {
        more.push_back(1);
        return draw(i, random);
    }
};
struct Particle {
    int i;
    [[nodiscard]] std::uint64_t moved(Random& random) const { return draw(i, random); }
};
std::uint64_t draw_for_text(const char* text, Random& random) { return draw(std::stoi(text), random); }

template <class P>
void drawn_by_any_function() {
    P pool{2};
    const MapOptions options{.seed = 8};
    const std::vector<int> items = first_numbers(count);
    const Numbers expected = drawn_here(8);
    CHECK(pool.map(options, Scaled{{1}}, items) == expected);
    CHECK(pool.map(options, Scaled{Numbers(1000, 1)}, items) == expected);  // large: sent once and kept
    CHECK(pool.map(options, Counting{{}}, items) == expected);
    CHECK(pool.map(options, Counting{Numbers(1000, 1)}, items) == expected);
    CHECK(pool.map(
              options,
              procpool::bind_front([](const Numbers& one, int i, Random& random) { return draw(i, random) * one[0]; },
                                   Numbers(1000, 1)),
              items) == expected);
    CHECK(pool.map(
              options, [](auto i, auto& random) { return draw(i, random); }, items) == expected);
    std::vector<Particle> particles;
    std::vector<std::string> texts;
    for (const int i : items) {
        particles.push_back({i});
        texts.push_back(std::to_string(i));
    }
    CHECK(pool.map(options, &Particle::moved, particles) == expected);
    std::vector<const char*> literals;
    for (const std::string& text : texts) { literals.push_back(text.c_str()); }
    CHECK(pool.map(
              options, [](const char* text, int, Random& random) { return draw_for_text(text, random); }, literals,
              items) == expected);
    CHECK(pool.map(
              options, [](std::string_view text, Random& random) { return draw(std::stoi(std::string(text)), random); },
              texts) == expected);
    CHECK(pool.map(
              options, [](const std::string& text, int n, Random& random) { return draw(std::stoi(text) + n, random); },
              texts, std::views::iota(0, 10'000) | std::views::transform([](int) { return 0; })) == expected);
    const auto stoppable = [](const std::stop_token& stop, int i, Random& random) {
        return stop.stop_requested() ? 0 : draw(i, random);
    };
    CHECK(pool.map(options, stoppable, items) == expected);
    CHECK(pool.map(
              options,
              [](std::stop_token stop, int i, int, const std::string& text, Random& random) {
                  return stop.stop_requested() ? 0 : draw(i + std::stoi(text), random);
              },
              items, items, repeat(std::string("0"))) == expected);
    // what can be called without a generator is
    CHECK(pool.map(
              options, [](int i, auto&... more) { return i + static_cast<int>(sizeof...(more)); }, items) == items);
}
ON_EVERY_ENGINE("Random: functions of every kind take a generator", drawn_by_any_function)

template <class P>
void changed_in_place() {
    SharedArray<std::uint64_t> numbers(count);
    P pool{2};
    const auto change = [](std::uint64_t& n, Random& random) { n = draw(static_cast<int>(n), random); };
    for (const std::size_t chunk : {0, 1, 50}) {
        std::iota(numbers.begin(), numbers.end(), 0);
        pool.for_each(MapOptions{.chunk_size = chunk, .seed = 4}, change, numbers);
        CHECK(Numbers(numbers.begin(), numbers.end()) == drawn_here(4));
    }
    std::iota(numbers.begin(), numbers.end(), 0);
    get_soon(pool.for_each_async(MapOptions{.seed = 4}, change, numbers));
    CHECK(Numbers(numbers.begin(), numbers.end()) == drawn_here(4));
    std::iota(numbers.begin(), numbers.end(), 0);
    pool.for_each(
        MapOptions{.seed = 4},
        [](std::uint64_t& n, int more, Random& random) { n = draw(static_cast<int>(n) + more, random); }, numbers,
        repeat(0));
    CHECK(Numbers(numbers.begin(), numbers.end()) == drawn_here(4));
}
ON_EVERY_ENGINE("Random: for_each changes items in place with the generator of each", changed_in_place)

TEST_CASE("Random: fork_map gives each item the stream of its index") {
    const std::vector<int> items = first_numbers(count);
    const auto more = std::make_unique<int>(0);  // what no other call could capture
    const MapOptions options{.seed = 6};
    CHECK(fork_map(
              {.workers = 2}, options, [&](int i, Random& random) { return draw(i + *more, random); }, items) ==
          drawn_here(6));
    CHECK(fork_map(
              {.workers = 2}, options,
              [&](std::stop_token, int i, int, Random& random) { return draw(i + *more, random); },
              Generator{static_cast<int>(count)}, repeat(1)) == drawn_here(6));
}

TEST_CASE("Random: distributions give the same for any number of workers") {
    const auto estimate = [](int, Random& random) {
        std::normal_distribution<> normal;
        double sum = 0;
        for (int i = 0; i < 100; ++i) { sum += normal(random); }
        return sum;
    };
    const auto with = [&](std::size_t workers) {
        Pool pool{workers};
        return pool.map_reduce(MapOptions{.seed = 1}, estimate, std::plus<>{}, 0.0, std::views::iota(0, 1000));
    };
    CHECK(with(1) == with(4));
}

template <class P>
void used_within_another() {
    P pool{1};
    const auto outer = [](int i, Random& random) {
        P inner{1};
        Numbers drawn{random()};
        for (const std::uint64_t n : inner.map(MapOptions{.seed = 99}, draw, first_numbers(3))) { drawn.push_back(n); }
        drawn.push_back(random());
        return std::pair{i, drawn};
    };
    const auto results = pool.map(MapOptions{.chunk_size = 2, .seed = 1}, outer, first_numbers(4));
    for (const auto& [i, drawn] : results) {
        Random random{1, static_cast<std::uint64_t>(i)};
        Numbers expected{random()};
        for (const std::uint64_t n : drawn_here(99, 3)) { expected.push_back(n); }
        expected.push_back(random());
        CHECK(drawn == expected);
    }
}
ON_EVERY_ENGINE("Random: a call within an item leaves the generator of the item alone", used_within_another)

template <class P>
void travels() {
    P pool{1};
    Random random{3, 4};
    random();
    const Random returned = pool.apply(
        [](Random given, const std::vector<Random>& more) {
            given();
            return more.empty() ? Random{} : given;
        },
        random, std::vector<Random>(2, random));
    random();
    CHECK(returned == random);
    CHECK(pool.map([](Random each) { return each(); }, std::vector<Random>{Random{1, 0}, Random{1, 1}}) ==
          Numbers{Random{1, 0}(), Random{1, 1}()});
}
ON_EVERY_ENGINE("Random: an engine travels as an argument and as a result", travels)

// ---- journals

bool five_hundred_fails = false;  // in workers that are forked while it is set

std::uint64_t run_draw(int i, Random& random) {
    if (i == 500 && five_hundred_fails) { throw std::runtime_error("five hundred"); }
    Runs::add(i);
    return draw(i, random);
}

TEST_CASE("Random: a rest that goes on with a journal draws what the whole would have") {
    const Numbers expected = drawn_here(17);
    Runs runs;
    for (const std::size_t chunk : {0, 1, 13}) {
        for (const int way : {0, 4, 5, 8, 9}) {
            CAPTURE(chunk, way);
            const TemporaryFolder folder;
            const MapOptions options{.chunk_size = chunk, .journal = folder.file(), .journal_version = "1", .seed = 17};
            five_hundred_fails = true;
            CHECK_THROWS_AS(draw_in_way(*std::make_unique<Pool>(2), way, options, run_draw), std::runtime_error);
            five_hundred_fails = false;
            CHECK(runs.take() != 0);
            CHECK(draw_in_way(*std::make_unique<Pool>(2), way, options, run_draw) == expected);
            CHECK(runs.take() < count);
        }
    }
}

TEST_CASE("Random: a journal is of one seed where the function takes a generator") {
    Runs runs;
    const TemporaryFolder folder;
    Pool pool{2};
    for (const char* const version : {"", "1"}) {
        const std::string path = folder.file(std::string("journal") + version);
        const auto call = [&](std::uint64_t seed) {
            return pool.map(MapOptions{.journal = path, .journal_version = version, .seed = seed}, run_draw,
                            first_numbers(count));
        };
        CHECK(call(1) == drawn_here(1));
        CHECK(runs.take() == count);
        CHECK_THROWS_AS(call(2), JournalMismatch);
        CHECK(call(1) == drawn_here(1));
        CHECK(runs.take() == 0);
    }
    const auto without = [&](std::uint64_t seed) {
        return pool.map(MapOptions{.journal = folder.file("without"), .seed = seed}, run_square, first_numbers(10));
    };
    CHECK(without(1) == without(2));
    CHECK(runs.take() == 10);
}

}  // namespace
}  // namespace random_test
