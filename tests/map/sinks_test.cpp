// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/sinks.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace procpool;
using procpool::detail::map::AssignedResults;
using procpool::detail::map::DecodedResults;
using procpool::detail::map::Outcomes;
using procpool::detail::map::Piece;
using procpool::detail::map::Pieces;
using procpool::detail::map::PlainResults;

namespace {

struct CountedPiece final : Piece {
    CountedPiece(std::size_t from, int& counter) noexcept : Piece(from), alive(counter) { ++alive; }
    ~CountedPiece() override { --alive; }
    int& alive;
};

/// Effects: gives a sink plain results that follow each other from `first` on.
template <class Sink>
void give_plain(Sink& sink, std::size_t first, const std::vector<int>& results) {
    Reader in{std::as_bytes(std::span{results})};
    sink.take(first, results.size(), in);
}

}  // namespace

TEST_CASE("pieces come in the order of their items and those that are left go with their owner") {
    int alive = 0;
    {
        Pieces pieces;
        CHECK(pieces.lowest() == nullptr);
        for (const std::size_t first : {30, 0, 20, 40, 10}) {
            pieces.add(std::make_unique<CountedPiece>(first, alive));
        }
        for (const std::size_t first : {0, 10, 20}) {
            REQUIRE(pieces.lowest() != nullptr);
            CHECK(pieces.lowest()->first == first);
            CHECK(pieces.take_lowest()->first == first);
        }
        CHECK(alive == 2);
    }
    CHECK(alive == 0);
}

TEST_CASE("results that come in any order are a vector in the order of their items") {
    PlainResults<int> plain{std::size_t{6}};
    DecodedResults<int> decoded{std::nullopt};
    const auto give_out_of_order = [](auto& sink) {
        give_plain(sink, 4, {4, 5});
        give_plain(sink, 0, {0, 1, 2});
        give_plain(sink, 3, {3});
    };
    give_out_of_order(plain);
    give_out_of_order(decoded);
    const std::vector<int> expected{0, 1, 2, 3, 4, 5};
    CHECK(std::move(plain).vector() == expected);
    CHECK(std::move(decoded).vector() == expected);
}

TEST_CASE("outcomes hold the errors of items in their places") {
    Outcomes<int> sink;
    sink.fail(1, std::make_exception_ptr(std::runtime_error("one")));
    sink.fail(0, std::make_exception_ptr(std::out_of_range("zero")));
    const std::vector<Outcome<int>> outcomes = std::move(sink).vector();
    REQUIRE(outcomes.size() == 2);
    CHECK_THROWS_AS(*outcomes[0], std::out_of_range);
    CHECK_THROWS_AS(*outcomes[1], std::runtime_error);
}

TEST_CASE("results behind the end of an output are refused") {
    std::array<long, 3> output{};
    AssignedResults<int, long> sink{output};
    give_plain(sink, 1, {1, 2});
    CHECK_FALSE(sink.is_full());
    give_plain(sink, 0, {0});
    CHECK(sink.is_full());
    CHECK(output == std::array<long, 3>{0, 1, 2});
    CHECK_THROWS_AS(give_plain(sink, 3, {3}), std::invalid_argument);
}
