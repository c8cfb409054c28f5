// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/span.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {
class Hidden {  // may be in a SharedArray
public:
    Hidden() = default;
    [[nodiscard]] int* get() const { return pointer_; }

private:
    int* pointer_ = nullptr;
};
struct Nest {
    int number;
    std::span<Nest> inner;
};
}  // namespace

TEST_CASE("a span of shared memory travels as an address") {
    std::vector<int> memory(10);
    const Sharing sharing{std::span(memory)};
    const auto copy = round_trip(std::span(memory).subspan(2, 3));
    CHECK(copy.data() == &memory[2]);
    CHECK(copy.size() == 3);
    CHECK(round_trip(std::span<const int, 4>(memory.data(), 4)).data() == memory.data());
}

TEST_CASE("the elements of any other span are copied and kept by the Reader") {
    std::vector<std::string> strings{"a", "b"};
    const auto bytes = to_bytes(std::span<const std::string>(strings));
    strings[0] = "changed";
    Reader reader(bytes);
    const auto copy = Codec<std::span<const std::string>>::decode(reader);
    REQUIRE(copy.size() == 2);
    CHECK(copy[0] == "a");

    int numbers[3]{1, 2, 3};
    const auto number_bytes = to_bytes(std::span(numbers));
    Reader number_reader(number_bytes);
    const std::span<int, 3> decoded = Codec<std::span<int, 3>>::decode(number_reader);
    CHECK(decoded.data() != numbers);
    CHECK(decoded[2] == 3);

    bool flags[]{true, false, true};
    const auto flag_bytes = to_bytes(std::span<const bool>(flags));
    Reader flag_reader(flag_bytes);
    const auto decoded_flags = Codec<std::span<const bool>>::decode(flag_reader);
    CHECK((decoded_flags[0] && !decoded_flags[1] && decoded_flags[2]));
}

TEST_CASE("an empty span stays empty") {
    CHECK(round_trip(std::span<int>()).empty());
    CHECK(round_trip(std::span<std::string, 0>()).empty());
}

TEST_CASE("a span of another extent is refused") {
    int numbers[3]{};
    const auto bytes = to_bytes(std::span<int>(numbers));
    CHECK_THROWS_AS((from_bytes<std::span<int, 4>>(bytes)), CodecError);
}

TEST_CASE("elements that cannot be copied travel in shared memory only") {
    std::array<std::atomic<int>, 4> atomics{};
    CHECK_THROWS_AS(to_bytes(std::span(atomics)), CodecError);
    const Sharing sharing{std::span(atomics)};
    CHECK(round_trip(std::span(atomics)).data() == atomics.data());
}

TEST_CASE("a span that a worker wrote is refused unless all of it is shared") {
    std::vector<int> memory(10);
    const Sharing sharing{std::span(memory)};
    const auto decode = [](const int* first, std::uint64_t count) {
        Bytes bytes;
        Codec<bool>::encode(bytes.writer, true);
        encode_plain(bytes.writer, count);
        encode_plain(bytes.writer, first);
        const auto written = bytes.written();
        Reader in{written, place};
        return Codec<std::span<const int>>::decode(in).size();
    };
    CHECK(decode(&memory[2], 8) == 8);
    CHECK(decode(nullptr, 0) == 0);
    CHECK_THROWS_AS(decode(&memory[2], 9), CodecError);
    CHECK_THROWS_AS(decode(&memory[2], ~std::uint64_t{0}), CodecError);
    CHECK_THROWS_AS(decode(&memory[2], ~std::uint64_t{0} / 4 + 2), CodecError);
    CHECK_THROWS_AS(decode(nullptr, 1), CodecError);
    CHECK_THROWS_AS(decode(reinterpret_cast<const int*>(&memory), 1), CodecError);
}

TEST_CASE("elements that may hide a pointer travel in shared memory only") {
    STATIC_REQUIRE_FALSE(Encodable<Hidden>);
    STATIC_REQUIRE(Encodable<std::span<Hidden>>);
    std::vector<Hidden> memory(3);
    CHECK_THROWS_AS(to_bytes(std::span(memory)), CodecError);
    const Sharing sharing{std::span(memory)};
    CHECK(round_trip(std::span(memory)).data() == memory.data());
    STATIC_REQUIRE_FALSE(Encodable<std::span<std::vector<int>::iterator>>);
    STATIC_REQUIRE_FALSE(Encodable<std::span<std::shared_ptr<int>>>);
}

TEST_CASE("a span may have elements that hold spans of their type") {
    STATIC_REQUIRE(Encodable<Nest>);
    Nest inner[2]{{1, {}}, {2, {}}};
    const auto bytes = to_bytes(Nest{3, inner});
    Reader reader(bytes);
    const auto copy = Codec<Nest>::decode(reader);
    CHECK(copy.number == 3);
    REQUIRE(copy.inner.size() == 2);
    CHECK(copy.inner[1].number == 2);
}
