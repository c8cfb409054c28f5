// SPDX-License-Identifier: BSL-1.0
#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <csignal>
#include <list>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

/// An int that throws on one of its ways.
struct Touchy {
    int value = 0;
    static constexpr int in_encode = 1000;
    static constexpr int in_decode = 2000;
};

}  // namespace

template <>
struct procpool::Codec<Touchy> {
    static void encode(Writer& out, const Touchy& touchy) {
        if (touchy.value >= Touchy::in_encode && touchy.value < Touchy::in_decode) {
            throw std::range_error(std::to_string(touchy.value));
        }
        Codec<int>::encode(out, touchy.value);
    }
    static Touchy decode(Reader& in) {
        const int value = Codec<int>::decode(in);
        if (value >= Touchy::in_decode) { throw std::range_error(std::to_string(value)); }
        return {value};
    }
};

namespace {

template <class Call>
std::string text_of(Call call) {
    try {
        call();
    } catch (const WorkerDied&) { return "died"; } catch (const TaskTimedOut&) {
        return "timed out";
    } catch (const std::exception& error) { return error.what(); }
    return "nothing";
}

template <class P>
void runs_everything() {
    SharedPage page;
    const Counter ran{page};
    P pool{3};
    int calls = 0;
    for (const std::size_t chunk : {0, 1, 7, 1000}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .on_error = OnError::wait_all};
        const auto fail_some = snapshot([ran](int i) {
            ran.add();
            return i % 10 == 3 ? throw std::out_of_range(std::to_string(i)) : i;
        });
        CHECK(text_of([&] { pool.map(options, fail_some, first_numbers(100)); }) == "3");
        CHECK(text_of([&] { pool.map(options, fail_some, Generator{100}); }) == "3");
        CHECK(text_of([&] { pool.for_each(options, fail_some, std::list<int>{4, 13, 5, 3}); }) == "13");
        const auto text = snapshot([ran](int i) {
            ran.add();
            return i >= 50 ? throw std::out_of_range(std::to_string(i)) : std::to_string(i);
        });
        CHECK(text_of([&] { pool.map(options, text, first_numbers(100)); }) == "50");
        std::vector<int> output(100);
        CHECK(text_of([&] { pool.map_into(options, fail_some, first_numbers(100), output); }) == "3");
        SharedArray<int> shared(100);
        CHECK(text_of([&] { pool.map_into(options, fail_some, first_numbers(100), shared); }) == "3");
        CHECK(shared[99] == 99);
        std::ranges::copy(first_numbers(100), shared.begin());
        CHECK(text_of([&] {
                  pool.for_each(options, snapshot([ran](int& i) {
                                    ran.add();
                                    if (i == 99) { throw std::out_of_range("99"); }
                                    i = -i;
                                }),
                                shared);
              }) == "99");
        CHECK(shared[98] == -98);
        CHECK(text_of([&] {
                  pool.map(options, snapshot([ran](int i) -> int {
                               ran.add();
                               throw std::out_of_range(std::to_string(i));
                           }),
                           first_numbers(200));
              }) == "0");
        calls += 100 + 100 + 4 + 100 + 100 + 100 + 100 + 200;
        CHECK(ran.value() == calls);
        CHECK(pool.map(options, square, first_numbers(100)).at(99) == 9801);
    }
}
ON_EVERY_ENGINE("wait_all runs every item and throws the error of the lowest", runs_everything)

template <class P>
void codecs_that_throw() {
    P pool{2};
    for (const std::size_t chunk : {1, 4, 100}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .on_error = OnError::wait_all};
        SharedPage page;
        const Counter ran{page};
        P fresh{2};
        std::vector<Touchy> items(20);
        const auto count = snapshot([ran](Touchy) { ran.add(); });
        items[7].value = Touchy::in_encode;
        items[3].value = Touchy::in_decode;
        items[18].value = Touchy::in_decode;
        CHECK(text_of([&] { fresh.for_each(options, count, std::list(items.begin(), items.end())); }) == "2000");
        CHECK(ran.value() == 17);
        items[3].value = 0;
        CHECK(text_of([&] { fresh.for_each(options, count, std::list(items.begin(), items.end())); }) == "1000");
        CHECK(ran.value() == 35);
        // Results: one that does not encode, and one that does not decode.
        CHECK(text_of([&] {
                  pool.map(
                      options, [](int i) { return Touchy{i == 5 ? Touchy::in_encode : i}; }, first_numbers(20));
              }) == "1000");
        CHECK(text_of([&] {
                  pool.map(
                      options, [](int i) { return Touchy{i == 5 ? Touchy::in_decode : i}; }, first_numbers(20));
              }) == "2000");
    }
}
ON_EVERY_ENGINE("EXC-12 wait_all: items and results that do not travel are items that fail", codecs_that_throw)

template <class P>
void range_throws_last() {
    P pool{2};
    for (const std::size_t chunk : {0, 1, 4}) {
        const MapOptions options{.chunk_size = chunk, .on_error = OnError::wait_all};
        CHECK(text_of([&] { pool.map(options, square, Generator{10, 7}); }) == "bad item 7");
        CHECK(text_of([&] {
                  pool.map(
                      options, [](int i) { return i == 6 ? throw std::out_of_range("6") : i; }, Generator{10, 7});
              }) == "6");
    }
}
ON_EVERY_ENGINE("EXC-09 wait_all: what the range throws counts as an error at its place", range_throws_last)

TEST_CASE("wait_all: a dead worker or a timeout costs one item and the lowest error is thrown") {
    SharedPage page;
    const Counter ran{page};
    Pool pool{2};
    std::int64_t calls = 0;
    for (const std::size_t chunk : {1, 7, 100}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .on_error = OnError::wait_all};
        const auto dies_at = [&](int deadly, int throws) {
            return snapshot([ran, deadly, throws](int i) {
                if (i == deadly) { ::raise(SIGKILL); }
                ran.add();
                return i == throws ? throw std::out_of_range(std::to_string(i)) : i;
            });
        };
        CHECK(text_of([&] { pool.map(options, dies_at(30, 60), first_numbers(100)); }) == "died");
        CHECK(ran.value() == (calls += 99));
        CHECK(text_of([&] { pool.map(options, dies_at(60, 30), first_numbers(100)); }) ==
              "30");  // known before its worker died
        CHECK(ran.value() == (calls += 99));
        const MapOptions timed{.chunk_size = chunk,
                               .on_error = OnError::wait_all,
                               .timeout = 500ms};  // for the others: as long as a busy machine may stop one
        CHECK(text_of([&] {
                  pool.map(timed, snapshot([ran](int i) {
                               if (i == 4) { std::this_thread::sleep_for(20s); }
                               ran.add();
                               return std::to_string(i);
                           }),
                           first_numbers(10));
              }) == "timed out");
        CHECK(ran.value() == (calls += 9));
    }
    CHECK(pool.stats().workers_died == 6 + 3);
}

template <class P>
void fail_fast_is_the_default() {
    SharedPage page;
    const Counter ran{page};
    P pool{2};
    CHECK_THROWS_AS(pool.map(MapOptions{.chunk_size = 1}, snapshot([ran](int i) -> int {
                                 ran.add();
                                 throw std::out_of_range(std::to_string(i));
                             }),
                             first_numbers(10000)),
                    std::out_of_range);
    CHECK(ran.value() < 1000);
}
ON_EVERY_ENGINE("fail_fast spares what has not started", fail_fast_is_the_default)

}  // namespace
