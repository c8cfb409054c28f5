// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/values.hpp>

#include <procpool/codec/standard.hpp>
#include <procpool/core/exit_status.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <bitset>
#include <chrono>
#include <compare>
#include <complex>
#include <cstddef>
#include <filesystem>
#include <ios>
#include <random>
#include <ranges>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

class Hidden {
public:
    Hidden() = default;
    [[nodiscard]] int* get() const { return pointer_; }

private:
    int* pointer_ = nullptr;
};

}  // namespace

TEST_CASE("trivially copyable classes of the library are their bytes") {
    CHECK(round_trip(std::complex<double>(1, 2)) == std::complex<double>(1, 2));
    CHECK(round_trip(std::bitset<70>(5)) == std::bitset<70>(5));
    CHECK(round_trip(std::byte{7}) == std::byte{7});
    CHECK(round_trip(std::strong_ordering::less) == std::strong_ordering::less);
    CHECK(round_trip(std::weak_ordering::greater) == std::weak_ordering::greater);
    CHECK(round_trip(std::partial_ordering::unordered) == std::partial_ordering::unordered);
    CHECK(round_trip(std::streampos(1'000)) == std::streampos(1'000));
    CHECK(round_trip(std::filesystem::file_status(std::filesystem::file_type::directory)).type() ==
          std::filesystem::file_type::directory);
    CHECK(round_trip(ExitStatus::from_signal(9)) == ExitStatus::from_signal(9));
}

TEST_CASE("the types of chrono are their bytes") {
    CHECK(round_trip(1500ms) == 1500ms);
    CHECK(round_trip(std::chrono::duration<double>(0.5)).count() == 0.5);
    const auto now = std::chrono::system_clock::now();
    CHECK(round_trip(now) == now);
    using namespace std::chrono;
    CHECK(round_trip(year(2024) / 2 / 29) == year(2024) / 2 / 29);
    STATIC_REQUIRE(is_plain_v<steady_clock::time_point>);
    STATIC_REQUIRE(is_plain_v<sys_days>);
    STATIC_REQUIRE(is_plain_v<hh_mm_ss<milliseconds>>);
    STATIC_REQUIRE((is_plain_v<day> && is_plain_v<month> && is_plain_v<year> && is_plain_v<weekday> &&
                    is_plain_v<weekday_indexed> && is_plain_v<weekday_last>));
    STATIC_REQUIRE((is_plain_v<month_day> && is_plain_v<month_day_last> && is_plain_v<month_weekday> &&
                    is_plain_v<month_weekday_last> && is_plain_v<year_month>));
    STATIC_REQUIRE(
        (is_plain_v<year_month_day_last> && is_plain_v<year_month_weekday> && is_plain_v<year_month_weekday_last>));
}

TEST_CASE("random number engines and distributions arrive in the state they were in") {
    std::mt19937 engine{5};
    static_cast<void>(engine());
    auto copy = round_trip(engine);
    CHECK(copy == engine);
    CHECK(copy() == engine());
    STATIC_REQUIRE((is_plain_v<std::minstd_rand> && is_plain_v<std::ranlux48> && is_plain_v<std::knuth_b>));
    CHECK(round_trip(std::uniform_int_distribution<int>(2, 5)).b() == 5);
    CHECK(round_trip(std::normal_distribution<>(2, 5)).stddev() == 5);
    CHECK(round_trip(std::bernoulli_distribution(0.25)).p() == 0.25);
    STATIC_REQUIRE_FALSE(Encodable<std::discrete_distribution<>>);
}

TEST_CASE("a range of numbers is one; of iterators it is none") {
    int sum = 0;
    for (const int i : round_trip(std::views::iota(3, 6))) { sum += i; }
    CHECK(sum == 12);
    STATIC_REQUIRE_FALSE(Encodable<std::ranges::iota_view<std::vector<int>::iterator, std::vector<int>::iterator>>);
}

TEST_CASE("values of what cannot be looked into cannot either") {
    STATIC_REQUIRE_FALSE(Encodable<std::complex<Hidden>>);
    STATIC_REQUIRE_FALSE(Encodable<std::chrono::duration<Hidden>>);
}
