// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/bytes.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <memory>
#include <stdexcept>
#include <string>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

TEST_CASE("a Writer keeps what it has when its buffer grows") {
    Bytes bytes;
    for (unsigned char i = 0; i != 100; ++i) { bytes.writer.write(&i, 1); }
    const auto written = bytes.written();
    REQUIRE(written.size() == 100);
    for (unsigned char i = 0; i != 100; ++i) { CHECK(written[i] == std::byte{i}); }
}

TEST_CASE("a Writer forgets what it is rewound over") {
    Bytes bytes;
    bytes.writer.write("abc", 3);
    bytes.writer.rewind(1);
    bytes.writer.write("x", 1);
    CHECK(bytes.written() == std::vector{std::byte{'a'}, std::byte{'x'}});
}

TEST_CASE("what does not fit into memory at all is refused") {
    Bytes bytes;
    bytes.writer.write("a", 1);
    CHECK_THROWS_AS(bytes.writer.reserve(SIZE_MAX), CodecError);
}

TEST_CASE("a Reader does not read past the end") {
    const std::byte bytes[3]{};
    Reader reader(bytes);
    static_cast<void>(reader.take(2));
    CHECK(reader.remaining() == 1);
    CHECK_THROWS_AS(reader.take(2), CodecError);
    CHECK(reader.remaining() == 1);
}

TEST_CASE("what a Reader keeps stays where it is and goes with it") {
    const auto alive = std::make_shared<int>(0);
    {
        Reader reader({});
        const std::string* const first = &reader.keep(std::string("first"));
        for (int i = 0; i != 100; ++i) { reader.keep(alive); }
        CHECK(*first == "first");
        CHECK(alive.use_count() == 101);
    }
    CHECK(alive.use_count() == 1);
}
