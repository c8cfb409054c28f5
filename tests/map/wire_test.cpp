// SPDX-License-Identifier: BSL-1.0
#include <procpool/map/wire.hpp>

#include "support/catch.hpp"

#include <procpool/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

using namespace procpool;
using procpool::detail::map::ChunkHead;
using procpool::detail::map::ChunkReport;
using procpool::detail::map::encode_framed;
using procpool::detail::map::encode_item;
using procpool::detail::map::Pack;
using procpool::detail::map::skip_framed;
using procpool::detail::map::take_framed;

namespace {

/// A buffer that grows by what is asked for, up to a limit.
struct ItemBuffer {
    std::size_t most = SIZE_MAX;
    std::vector<std::byte> bytes = {};
    Writer out{bytes, grow, this};

    static std::span<std::byte> grow(void* self, std::span<std::byte>, std::size_t, std::size_t need) {
        auto& buffer = *static_cast<ItemBuffer*>(self);
        if (need > buffer.most) { throw SharedMemoryExhausted{}; }
        buffer.bytes.resize(need);
        return buffer.bytes;
    }
    [[nodiscard]] std::span<const std::byte> written() const { return std::span{bytes}.first(out.size()); }
};

template <class Item>
Item decode_framed_as(Reader& in) {
    Reader item = take_framed(in);
    return Codec<Item>::decode(item);
}

}  // namespace

TEST_CASE("framed items are told apart and one that cannot be encoded costs no other") {
    ItemBuffer buffer;
    encode_framed(buffer.out, false, [&] { encode_item<std::string>(buffer.out, std::string("first")); });
    encode_framed(buffer.out, false, [&] {
        encode_item<std::string>(buffer.out, std::string("half of it"));
        throw std::out_of_range("second");
    });
    encode_framed(buffer.out, false, [&] { encode_item<std::string>(buffer.out, std::string("third")); });

    Reader in{buffer.written()};
    CHECK(decode_framed_as<std::string>(in) == "first");
    CHECK_THROWS_AS(decode_framed_as<std::string>(in), std::out_of_range);
    CHECK(decode_framed_as<std::string>(in) == "third");
    CHECK(in.remaining() == 0);

    Reader again{buffer.written()};
    skip_framed(again);
    skip_framed(again);
    CHECK(decode_framed_as<std::string>(again) == "third");
}

TEST_CASE("an item without room is an error of its own only where there will never be more room") {
    ItemBuffer small{.most = 4096};
    const auto encode = [&] { encode_item<std::string>(small.out, std::string(10'000, 'x')); };
    CHECK_THROWS_AS(encode_framed(small.out, false, encode), SharedMemoryExhausted);
    small.out.rewind(0);
    encode_framed(small.out, true, encode);
    Reader in{small.written()};
    CHECK_THROWS_AS(decode_framed_as<std::string>(in), SharedMemoryExhausted);
}

TEST_CASE("the elements of a pack arrive as a tuple") {
    ItemBuffer buffer;
    const std::string text = "text";
    encode_item<std::tuple<int, std::string>>(buffer.out, Pack<std::tuple<int, const std::string&>>{{7, text}});
    encode_item<std::tuple<int, int>>(buffer.out, Pack<std::tuple<int, int>>{{1, 2}});
    Reader in{buffer.written()};
    CHECK(Codec<std::tuple<int, std::string>>::decode(in) == std::tuple{7, text});
    CHECK(Codec<std::tuple<int, int>>::decode(in) == std::tuple{1, 2});
}

TEST_CASE("a report is believed only if a chunk with that head can have left it") {
    ChunkHead head{};
    head.skip = 2;
    head.count = 10;
    constexpr std::size_t bytes = 1000;
    const auto is_credible = [&](std::uint64_t completed, std::uint64_t error_at, std::uint64_t failed_item) {
        return ChunkReport{completed, 0, error_at, failed_item}.is_credible(head, bytes);
    };
    CHECK(is_credible(2, 0, 0));
    CHECK(is_credible(10, 0, 0));
    CHECK_FALSE(is_credible(1, 0, 0));
    CHECK_FALSE(is_credible(11, 0, 0));
    CHECK(is_credible(4, sizeof(ChunkReport), 4));
    CHECK_FALSE(is_credible(4, sizeof(ChunkReport) - 1, 4));
    CHECK_FALSE(is_credible(4, sizeof(ChunkReport), 1));
    CHECK_FALSE(is_credible(10, sizeof(ChunkReport), 10));
    CHECK(is_credible(4, bytes, 99));  // the error is yet to come
}
