// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/ledger.hpp>

#include "support/catch.hpp"

#include <procpool/codec/exception.hpp>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using procpool::detail::map::ChunkHead;
using procpool::detail::map::ChunkReport;
using procpool::detail::map::ChunkSize;
using procpool::detail::map::EndedChunk;
using procpool::detail::map::InFlightChunk;
using procpool::detail::map::Ledger;
using procpool::detail::map::ResultSink;

namespace {

using Bytes = std::vector<std::byte>;

Bytes chunk_bytes(const void* from, std::size_t size) {
    const auto* const begin = static_cast<const std::byte*>(from);
    return {begin, begin + size};
}

Bytes chunk_bytes(const std::exception_ptr& error) {
    Bytes bytes(4096);
    Writer out{
        bytes,
        [](void*, std::span<std::byte>, std::size_t, std::size_t) -> std::span<std::byte> { throw std::bad_alloc{}; },
        nullptr};
    encode_exception(out, error);
    bytes.resize(out.size());
    return bytes;
}

/// The result of a chunk whose items made their own numbers, up to `completed`.
Bytes result_of(std::uint64_t from, std::uint64_t completed, const std::exception_ptr& error = nullptr) {
    ChunkReport report{.completed = completed, .nanoseconds = 1000, .error_at = 0, .failed_item = 0};
    Bytes values;
    for (std::uint64_t i = from; i < completed; ++i) {
        const Bytes value = chunk_bytes(&i, sizeof i);
        values.insert(values.end(), value.begin(), value.end());
    }
    if (error) {
        report.error_at = sizeof report + values.size();
        report.failed_item = completed;
        const Bytes what = chunk_bytes(error);
        values.insert(values.end(), what.begin(), what.end());
    }
    Bytes result = chunk_bytes(&report, sizeof report);
    result.insert(result.end(), values.begin(), values.end());
    return result;
}

class Ended final : public EndedChunk {
public:
    Ended(Ending how, std::span<const std::byte> result, std::span<const std::byte> kept = {})
        : EndedChunk(false, how, result, kept, visibility_in_this_process) {}
    /// A chunk that was withdrawn.
    Ended() : EndedChunk(true, Ending::cancelled, {}, {}, visibility_in_this_process) {}
    [[nodiscard]] std::exception_ptr error(std::size_t item) const override {
        return std::make_exception_ptr(std::runtime_error("item " + std::to_string(item)));
    }
    void count_retry() const noexcept override { ++retries; }
    mutable int retries = 0;
};

/// Items that were taken, and those that failed.
class TakenItems final : public ResultSink {
public:
    void take(std::size_t first, std::size_t count, Reader& in) override {
        for (std::size_t i = 0; i < count; ++i) {
            std::uint64_t value = 0;
            in.read(&value, sizeof value);
            taken.emplace_back(first + i, value);
        }
    }
    void fail(std::size_t index, const std::exception_ptr&) override { failed.push_back(index); }

    std::vector<std::pair<std::size_t, std::uint64_t>> taken;
    std::vector<std::size_t> failed;
};

std::string what_of(const std::exception_ptr& error) {
    if (!error) { return "no error"; }
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) { return e.what(); }
}

/// A ledger without a pool. Its chunks hold 10 items, from item 100 on.
struct Books {
    explicit Books(Ledger::Rules rules) : ledger(rules, sink, sizes) {}

    [[nodiscard]] InFlightChunk chunk() const {
        InFlightChunk one{.first = 100};
        one.head.count = 10;
        one.arguments = chunk_bytes(&one.head, sizeof one.head);
        one.argument_bytes = one.arguments.size();
        return one;
    }
    /// The chunk that must be submitted again, as if it were in flight.
    [[nodiscard]] InFlightChunk resubmitted() {
        REQUIRE(ledger.has_resubmissions());
        const InFlightChunk& next = ledger.next_resubmission();
        InFlightChunk again{.first = next.first, .head = next.head, .casualty = next.casualty, .attempt = next.attempt};
        again.arguments = next.arguments;
        again.argument_bytes = next.argument_bytes;
        return again;
    }

    TakenItems sink;
    ChunkSize sizes{0, std::nullopt, 1, 0};
    Ledger ledger;
};

constexpr Ledger::Rules failing_fast{.goes_on = false, .keeps_errors = false, .folds = false, .retries = 0};
constexpr Ledger::Rules waiting_for_all{.goes_on = true, .keeps_errors = false, .folds = false, .retries = 0};
constexpr Ledger::Rules keeping_errors{.goes_on = false, .keeps_errors = true, .folds = false, .retries = 0};
constexpr Ledger::Rules two_retries{.goes_on = false, .keeps_errors = false, .folds = false, .retries = 2};

}  // namespace

TEST_CASE("a chunk that is finished gives its results to the sink and its time to the chunk sizes") {
    Books books{failing_fast};
    const Bytes result = result_of(0, 10);
    books.ledger.settle(books.chunk(), Ended{Ending::value, result});
    REQUIRE(books.sink.taken.size() == 10);
    CHECK(books.sink.taken.front() == std::pair<std::size_t, std::uint64_t>{100, 0});
    CHECK(books.sink.taken.back() == std::pair<std::size_t, std::uint64_t>{109, 9});
    CHECK(books.ledger.settled() == 10);
    CHECK(std::lround(books.sizes.cost()) == 100);
    CHECK_FALSE(books.ledger.is_open());
    CHECK_FALSE(books.ledger.error());
}

TEST_CASE("items that a worker has left are submitted again") {
    Books books{failing_fast};
    const Bytes result = result_of(0, 4);
    books.ledger.settle(books.chunk(), Ended{Ending::value, result});
    CHECK(books.ledger.settled() == 4);
    CHECK(books.ledger.is_open());
    const InFlightChunk rest = books.resubmitted();
    CHECK(rest.head.skip == 4);
    CHECK(rest.head.count == 10);
    ChunkHead sent{};
    std::memcpy(&sent, rest.arguments.data(), sizeof sent);
    CHECK(sent.skip == 4);
}

TEST_CASE("the error of an item stops the call unless all items are to run") {
    const Bytes result = result_of(0, 4, std::make_exception_ptr(std::runtime_error("four")));
    {
        Books books{failing_fast};
        books.ledger.settle(books.chunk(), Ended{Ending::value, result});
        CHECK(books.ledger.is_stopped());
        CHECK_FALSE(books.ledger.has_resubmissions());
        CHECK(what_of(books.ledger.error()) == "four");
        CHECK(books.ledger.settled() == 5);
        CHECK(books.sink.taken.size() == 4);
    }
    {
        Books books{waiting_for_all};
        books.ledger.settle(books.chunk(), Ended{Ending::value, result});
        CHECK_FALSE(books.ledger.is_stopped());
        CHECK(books.resubmitted().head.skip == 5);
        CHECK(what_of(books.ledger.error()) == "four");
    }
}

TEST_CASE("of several errors that of the lowest item is kept") {
    Books books{waiting_for_all};
    books.ledger.fail(7, 1, std::make_exception_ptr(std::runtime_error("seven")));
    books.ledger.fail(3, 1, std::make_exception_ptr(std::runtime_error("three")));
    books.ledger.fail(5, 1, std::make_exception_ptr(std::runtime_error("five")));
    CHECK(what_of(books.ledger.error()) == "three");
}

TEST_CASE("a death costs the item that its worker was at and no other") {
    Books books{keeping_errors};
    const Bytes result = result_of(0, 4);
    const Ended end{Ending::died, result};
    books.ledger.settle(books.chunk(), end);
    CHECK(books.sink.taken.size() == 4);
    CHECK(books.sink.failed == std::vector<std::size_t>{104});
    CHECK(books.ledger.settled() == 5);
    CHECK(books.resubmitted().head.skip == 5);
    CHECK(end.retries == 0);
}

TEST_CASE("a worker that died before it left a report costs the first item") {
    Books books{keeping_errors};
    books.ledger.settle(books.chunk(), Ended{Ending::died, {}});
    CHECK(books.sink.failed == std::vector<std::size_t>{100});
    CHECK(books.resubmitted().head.skip == 1);
}

TEST_CASE("a chunk that is lost for no item's sake fails as a whole") {
    Books books{keeping_errors};
    const Bytes result = result_of(0, 8);
    books.ledger.settle(books.chunk(), Ended{Ending::terminated, result});
    CHECK(books.sink.taken.size() == 8);
    CHECK(books.sink.failed == std::vector<std::size_t>{108, 109});
    CHECK(books.ledger.settled() == 10);
    CHECK_FALSE(books.ledger.is_open());
}

TEST_CASE("an item is tried again as often as it may be and fails then") {
    Books books{two_retries};
    const Bytes first = result_of(0, 4);
    const Ended died{Ending::died, first};
    books.ledger.settle(books.chunk(), died);
    CHECK(died.retries == 1);
    CHECK(books.ledger.settled() == 4);

    for (const unsigned attempt : {1U, 2U}) {
        InFlightChunk again = books.resubmitted();
        CHECK(again.head.skip == 4);
        CHECK(again.head.attempt == attempt);
        const Bytes nothing = result_of(4, 4);
        const Ended end{Ending::timed_out, nothing};
        books.ledger.settle(std::move(again), end);
        CHECK(end.retries == (attempt == 1 ? 1 : 0));
    }
    CHECK(what_of(books.ledger.error()) == "item 104");
    CHECK(books.ledger.settled() == 5);
}

TEST_CASE("retries are counted for each item by itself") {
    Books books{two_retries};
    const Bytes first = result_of(0, 4);
    books.ledger.settle(books.chunk(), Ended{Ending::died, first});
    const Bytes second = result_of(4, 7);
    books.ledger.settle(books.resubmitted(), Ended{Ending::died, second});
    const InFlightChunk again = books.resubmitted();
    CHECK(again.head.skip == 7);
    CHECK(again.head.attempt == 1);
    CHECK_FALSE(books.ledger.error());
}

TEST_CASE("a report that no chunk can have left loses the chunk") {
    Books books{failing_fast};
    const Bytes result = result_of(0, 11);
    books.ledger.settle(books.chunk(), Ended{Ending::value, result});
    CHECK(books.sink.taken.empty());
    CHECK_THAT(what_of(books.ledger.error()),
               Catch::ContainsSubstring("item 100") && Catch::ContainsSubstring("has written"));
    CHECK(books.ledger.settled() == 10);
}

TEST_CASE("arguments that are not whole any more lose the rest of their chunk") {
    Books books{waiting_for_all};
    InFlightChunk chunk = books.chunk();
    chunk.arguments = {};  // its slot has kept them
    const Bytes result = result_of(0, 4);
    const Bytes kept(3);
    books.ledger.settle(std::move(chunk), Ended{Ending::value, result, kept});
    CHECK(books.sink.taken.size() == 4);
    CHECK_FALSE(books.ledger.has_resubmissions());
    CHECK(books.ledger.settled() == 10);
    CHECK(books.ledger.error());
}

TEST_CASE("a chunk that cannot be submitted again fails") {
    Books books{waiting_for_all};
    const Bytes result = result_of(0, 4);
    books.ledger.settle(books.chunk(), Ended{Ending::value, result});
    books.ledger.resubmission_failed(std::make_exception_ptr(std::runtime_error("closed")));
    CHECK_FALSE(books.ledger.is_open());
    CHECK(books.ledger.settled() == 10);
    CHECK(what_of(books.ledger.error()) == "closed");
}

TEST_CASE("what does not end by itself once the total timeout has passed ends in that") {
    constexpr Ledger::Rules timed{.goes_on = false,
                                  .keeps_errors = true,
                                  .folds = false,
                                  .retries = 2,
                                  .total_timeout = std::chrono::seconds{2},
                                  .label = "all"};
    const Bytes result = result_of(0, 7);
    const std::vector<std::size_t> last_three{107, 108, 109};
    {  // a chunk that waits to be submitted again
        Books books{timed};
        books.ledger.settle(books.chunk(), Ended{Ending::died, result});
        CHECK(books.ledger.settled() == 7);
        books.ledger.expire();
        CHECK_FALSE(books.ledger.is_open());
        CHECK(books.sink.failed == last_three);
        CHECK(books.ledger.settled() == 10);
    }
    for (const Ending ending : {Ending::cancelled, Ending::value, Ending::died, Ending::timed_out}) {
        Books books{timed};
        books.ledger.expire();
        const Ended end{ending, result};
        books.ledger.settle(books.chunk(), end);
        CHECK(end.retries == 0);
        CHECK_FALSE(books.ledger.is_open());
        CHECK(books.sink.taken.size() == 7);
        CHECK(books.sink.failed == last_three);
        CHECK(books.ledger.settled() == 10);
    }
    for (const bool stopped : {false, true}) {
        Ledger::Rules rules = timed;
        rules.keeps_errors = false;
        Books books{rules};
        if (stopped) { books.ledger.stop(); }
        books.ledger.expire();
        books.ledger.settle(books.chunk(), Ended{});
        CHECK(what_of(books.ledger.error()) ==
              (stopped ? "no error" : "procpool: task 'all, item 100' exceeded its timeout of 2 s"));
        books.ledger.settle(books.chunk(), Ended{Ending::cancelled, {}});  // killed
        CHECK_THAT(what_of(books.ledger.error()), Catch::ContainsSubstring("item 100'"));
    }
}

TEST_CASE("a task that got to no item fails all of its chunk") {
    Books books{keeping_errors};
    const Bytes error = chunk_bytes(std::make_exception_ptr(std::runtime_error("no room")));
    books.ledger.settle(books.chunk(), Ended{Ending::exception, error});
    CHECK(books.sink.failed.size() == 10);
    CHECK(books.ledger.settled() == 10);
}
