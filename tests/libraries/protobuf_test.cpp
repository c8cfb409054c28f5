// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include "protobuf_message.pb.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace procpool_test;
using library::Measurement;

namespace {

Measurement example(int id) {
    Measurement made;
    made.set_id(id);
    made.set_name("name");
    made.add_values(1.5);
    made.add_values(-2);
    (*made.mutable_counts())["a"] = std::int64_t{1} << 40;
    made.mutable_inner()->set_id(id + 1);
    made.set_raw(std::string("\0\1", 2));
    return made;
}

/// A message is a member like any other.
struct Job {
    int number = 0;
    Measurement message;
    std::vector<Measurement> more;
};

}  // namespace

TEST_CASE("protocol buffers travel - also in containers and aggregates") {
    const Measurement message = example(5);
    CHECK(round_trip(message).SerializeAsString() == message.SerializeAsString());
    CHECK(round_trip(message).counts().at("a") == std::int64_t{1} << 40);
    const Job job{1, message, {message, example(7)}};
    CHECK(round_trip(job).message.inner().id() == 6);
    CHECK(round_trip(job).more[1].id() == 7);
    CHECK(round_trip(std::optional{message})->id() == 5);
    STATIC_REQUIRE_FALSE(procpool::detail::codec::is_plain_v<Measurement>);
    STATIC_REQUIRE_FALSE(procpool::Encodable<google::protobuf::Message>);
}

TEST_CASE("protocol buffers are arguments/items/results and bound values") {
    procpool::Pool pool{2};
    const auto renamed = [](Measurement message, const std::string& name) {
        message.set_name(name);
        return message;
    };
    CHECK(pool.apply(renamed, example(5), "other").name() == "other");
    const std::vector<Measurement> items{example(1), example(2), example(3)};
    const std::vector<Measurement> results = pool.map(
        [](Measurement message) {
            message.add_values(message.id());
            return message;
        },
        items);
    REQUIRE(results.size() == 3);
    CHECK(results[2].values(2) == 3);
    CHECK(pool.map(procpool::bind_front([](const Measurement& bound, int n) { return bound.id() + n; }, example(10)),
                   std::vector{1, 2}) == std::vector{11, 12});
}

TEST_CASE("a protocol buffer that lacks a required field is refused with its name - on both sides") {
    const auto lacks = [](const std::string& text) {
        return contains(text, "library.Measurement") && contains(text, "id");
    };
    CHECK(lacks(text_thrown<procpool::CodecError>([] { static_cast<void>(to_bytes(Measurement{})); })));
    procpool::Pool pool{1};
    CHECK(lacks(text_thrown<procpool::CodecError>(
        [&] { static_cast<void>(pool.apply([](const Measurement& m) { return m.id(); }, Measurement{})); })));
    CHECK(
        lacks(text_thrown<procpool::CodecError>([&] { static_cast<void>(pool.apply([] { return Measurement{}; })); })));
    CHECK(pool.apply([](const Measurement& m) { return m.id(); }, example(4)) == 4);
}

TEST_CASE("bytes that are no protocol buffer are refused") {
    auto bytes = to_bytes(example(5));
    for (std::size_t at = sizeof(std::uint64_t); at < bytes.size(); ++at) { bytes[at] = std::byte{0xff}; }
    CHECK_THROWS_AS(from_bytes<Measurement>(bytes), procpool::CodecError);
    bytes.resize(bytes.size() - 1);
    CHECK_THROWS_AS(from_bytes<Measurement>(bytes), procpool::CodecError);
}
