// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/outcome.hpp>

#include "map/ranges.hpp"
#include "pool/engines.hpp"

#include <csignal>
#include <list>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool_test;

namespace {

TEST_CASE("an Outcome is a value or an error") {
    Outcome<std::string> good{"text"};
    CHECK(good.has_value());
    CHECK(good);
    CHECK(good.value() == "text");
    CHECK(*good == "text");
    CHECK(good->size() == 4);
    CHECK(good.error() == nullptr);
    const std::string taken = *std::move(good);
    CHECK(taken == "text");
    const auto bad = Outcome<int>::failed(std::make_exception_ptr(std::out_of_range("no")));
    CHECK_FALSE(bad.has_value());
    CHECK_FALSE(bad);
    CHECK_THROWS_AS(bad.value(), std::out_of_range);
    CHECK_THROWS_AS(*bad, std::out_of_range);
    CHECK_THROWS_AS(std::rethrow_exception(bad.error()), std::out_of_range);
    CHECK_NOTHROW(Outcome<void>{}.value());
    CHECK_THROWS_AS(Outcome<void>::failed(bad.error()).value(), std::out_of_range);
    Outcome<std::unique_ptr<int>> owned{std::make_unique<int>(3)};
    CHECK(*std::move(owned).value() == 3);
    const Outcome<std::exception_ptr> error_as_value{std::exception_ptr{}};
    CHECK(error_as_value.has_value());
}

template <class P>
void every_item_has_its_own() {
    P pool{3};
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
        for (const std::size_t chunk : {std::size_t{0}, std::size_t{1}, std::size_t{7}, n + 1}) {
            CAPTURE(n, chunk);
            const MapOptions options{.chunk_size = chunk};
            const auto check = [&](const auto& outcomes, auto value_of) {
                REQUIRE(outcomes.size() == n);
                bool right = true;
                for (std::size_t i = 0; right && i < n; ++i) {
                    if (i % 10 == 3) {
                        try {
                            static_cast<void>(outcomes[i].value());
                            right = false;
                        } catch (const std::out_of_range& error) {
                            right = std::string{error.what()} == std::to_string(i);
                        }
                    } else {
                        right = outcomes[i].has_value() && value_of(*outcomes[i]) == i;
                    }
                }
                CHECK(right);
            };
            const auto plain = [](int i) {
                return i % 10 == 3 ? throw std::out_of_range(std::to_string(i)) : static_cast<std::size_t>(i);
            };
            const auto text = [](int i) {
                return i % 10 == 3 ? throw std::out_of_range(std::to_string(i))
                                   : std::string(static_cast<std::size_t>(i), 'x');
            };
            const auto number = [](std::size_t i) { return i; };
            const auto size = [](const std::string& s) { return s.size(); };
            const int count = static_cast<int>(n);
            check(pool.map_outcomes(options, plain, first_numbers(n)), number);
            check(pool.map_outcomes(options, plain, Generator{count}), number);
            check(pool.map_outcomes(options, text, first_numbers(n)), size);
            check(pool.map_outcomes(
                      options, [plain](int i, const std::string&) { return plain(i); }, first_numbers(n),
                      std::vector<std::string>(n + 1)),
                  number);
            check(pool.map_outcomes(
                      options,
                      [](const std::string& s) {
                          return s.size() % 10 == 3 ? throw std::out_of_range(std::to_string(s.size())) : s;
                      },
                      first_numbers(n) |
                          std::views::transform([](int i) { return std::string(static_cast<std::size_t>(i), 'x'); })),
                  size);
        }
    }
    const auto nothings = pool.map_outcomes(
        [](int i) {
            if (i == 1) { throw std::out_of_range("1"); }
        },
        first_numbers(3));
    CHECK((nothings[0] && !nothings[1] && nothings[2]));
    auto pointers = pool.map_outcomes([](int i) { return std::make_unique<int>(i); }, first_numbers(3));
    CHECK(**pointers[2] == 2);
    CHECK(pool.map(square, first_numbers(3)).size() == 3);
}
ON_EVERY_ENGINE("EXC-05 map_outcomes tells every item's value or error", every_item_has_its_own)

/// Does not travel, in one direction or the other.
struct Sticky {
    int value = 0;
};

}  // namespace

template <>
struct procpool::Codec<Sticky> {
    static void encode(Writer& out, const Sticky& sticky) {
        detail::codec::encode_plain(out, sticky.value);
        if (sticky.value == 1) { throw std::range_error("encode"); }
    }
    static Sticky decode(Reader& in) {
        const int value = detail::codec::decode_plain<int>(in);
        if (value == 2) { throw std::range_error("decode"); }
        if (value == 3) { return {detail::codec::decode_plain<int>(in)}; }  // reads beyond its end
        return {value};
    }
};

/// Does not arrive in a worker.
struct Unreadable {
    int operator()(int i) const { return i; }
};
template <>
struct procpool::Codec<Unreadable> {
    static void encode(Writer& out, const Unreadable&) { detail::codec::encode_plain(out, 0); }
    static Unreadable decode(Reader&) { throw std::range_error("decode"); }
};

namespace {

template <class Outcomes>
std::string summary(const Outcomes& outcomes) {
    std::string text;
    for (const auto& outcome : outcomes) {
        try {
            static_cast<void>(outcome.value());
            text += '.';
        } catch (const std::range_error& error) { text += error.what()[0]; } catch (const CodecError&) {
            text += 'C';
        } catch (const WorkerDied&) { text += 'W'; } catch (const TaskTimedOut&) {
            text += 'T';
        } catch (const std::exception&) { text += '?'; }
    }
    return text;
}

template <class P>
void codecs() {
    P pool{2};
    for (const std::size_t chunk : {1, 4, 100}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk};
        std::vector<Sticky> items(10);
        for (const int i : {1, 2, 3}) { items[static_cast<std::size_t>(i)].value = i; }
        items[9].value = 2;
        CHECK(summary(pool.map_outcomes(
                  options, [](Sticky s) { return s.value; }, std::list(items.begin(), items.end()))) == ".edC.....d");
        CHECK(summary(pool.map_outcomes(
                  options, [](int i) { return Sticky{i}; }, std::vector<int>{0, 1, 2, 3, 0, 0, 1})) == ".edC..e");
        CHECK(summary(pool.map_outcomes(
                  options, [](int i) { return Sticky{i}; }, std::vector<int>(50, 2))) == std::string(50, 'd'));
    }
}
ON_EVERY_ENGINE("EXC-12 EXC-13 EXC-14 an item or result that does not travel costs one item", codecs)

TEST_CASE("DTH-02 one bad item costs one item: throwing - killing its worker - exiting - timing out") {
    Pool pool{2};
    for (const std::size_t chunk : {0, 1, 5, 100}) {
        CAPTURE(chunk);
        const MapOptions options{.chunk_size = chunk, .timeout = 1s};
        const auto behave = [](int i) {
            switch (i) {
                case 3: throw std::range_error("r");
                case 10: ::raise(SIGKILL); break;
                case 11: ::_exit(0); break;
                case 20: std::this_thread::sleep_for(20s); break;
                case 39: ::raise(SIGSEGV); break;
                default: break;
            }
            return std::to_string(i);
        };
        CHECK(summary(pool.map_outcomes(options, behave, first_numbers(40))) ==
              "...r......WW........T..................W");
        const auto plain = [](int i) { return i == 0 || i == 7 ? ::raise(SIGKILL) : i; };
        CHECK(summary(pool.map_outcomes(MapOptions{.chunk_size = chunk}, plain, first_numbers(12))) == "W......W....");
    }
    const auto again = pool.map_outcomes(
        MapOptions{.retries = 2},
        [](int i) {
            if (i % 5 == 0 && this_task::attempt() < 2) { ::raise(SIGKILL); }
            return i;
        },
        first_numbers(20));
    CHECK(summary(again) == std::string(20, '.'));
}

TEST_CASE("a million items - three of them deadly") {
    const auto n = static_cast<int>(times(1000000));
    Pool pool{2};
    const auto outcomes = pool.map_outcomes(
        [n](int i) {
            if (i == 0 || i == n / 2 || i == n - 1) { ::raise(SIGKILL); }
            return i;
        },
        std::views::iota(0, n));
    std::size_t failed = 0;
    bool right = true;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i]) {
            right = right && *outcomes[i] == static_cast<int>(i);
        } else {
            ++failed;
        }
    }
    CHECK(right);
    CHECK(failed == 3);
}

template <class P>
void call_level_errors() {
    P pool{2};
    CHECK_THROWS_AS(pool.map_outcomes(square, Generator{10, 7}), std::domain_error);
    CHECK_THROWS_AS(pool.map_outcomes(MapOptions{.priority = 9}, square, first_numbers(1)), std::invalid_argument);
    pool.close();
    CHECK_THROWS_AS(pool.map_outcomes(square, first_numbers(1)), PoolClosed);
    CHECK_THROWS_AS(pool.map_outcomes(square, first_numbers(0)), PoolClosed);
}
ON_EVERY_ENGINE("map_outcomes throws what concerns no single item", call_level_errors)

TEST_CASE("EXC-06 items that are lost together have an error each") {
    std::set<const void*> errors;
    const auto collect = [&](const auto& outcomes, auto expected) {
        for (const auto& outcome : outcomes) {
            try {
                static_cast<void>(outcome.value());
            } catch (const decltype(expected)& error) { errors.insert(&error); }
        }
    };
    SharedPage page;
    const Counter started{page};
    Pool pool{{.workers = 1, .terminate_grace = 0ms}};
    const auto unread = pool.map_outcomes(MapOptions{.chunk_size = 10}, Unreadable{}, first_numbers(10));
    collect(unread, std::range_error{""});
    CHECK(errors.size() == 10);
    std::jthread ender{[&] {
        started.wait_for(1);
        pool.terminate();
    }};
    const auto lost = pool.map_outcomes(MapOptions{.chunk_size = 10}, snapshot([started](int) {
                                            started.add();
                                            std::this_thread::sleep_for(20s);
                                        }),
                                        first_numbers(10));
    ender.join();
    collect(lost, PoolTerminated{});
    CHECK(errors.size() == 20);
}

template <class P>
void outcomes_of_the_function() {
    P pool{2};
    const auto f = [](int i) {
        if (i == 3) { throw std::out_of_range("3"); }
        return i == 4 ? Outcome<int>::failed(std::make_exception_ptr(std::domain_error("4"))) : Outcome<int>{i};
    };
    const auto of_text = [f](const std::string& text) { return f(static_cast<int>(text.size())); };
    CHECK_THROWS_AS(pool.map(f, first_numbers(6)), std::out_of_range);
    CHECK_THROWS_AS(pool.map(of_text, std::vector<std::string>{"", "aaa"}), std::out_of_range);
    CHECK_THROWS_AS(get_soon(pool.map_async(f, first_numbers(6))), std::out_of_range);
    const auto returned = pool.map(f, std::vector{5, 4});
    CHECK(*returned[0] == 5);
    CHECK_THROWS_AS(*returned[1], std::domain_error);
    const auto kept = pool.map_outcomes(f, std::vector{5, 4, 3});
    CHECK(**kept[0] == 5);
    CHECK_THROWS_AS(**kept[1], std::domain_error);
    CHECK(kept[1].has_value());
    CHECK_THROWS_AS(*kept[2], std::out_of_range);
}
ON_EVERY_ENGINE("what a function throws that returns an Outcome is an error like any other", outcomes_of_the_function)

}  // namespace
