// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/length.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstring>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Nothing {
    bool operator==(const Nothing&) const = default;
};

using Generator = std::mt19937_64;

struct Leaf {
    int number;
    std::string text;
    std::array<std::optional<double>, 2> maybe;
    bool operator==(const Leaf&) const = default;
};
using Value =
    std::map<std::string,
             std::vector<std::variant<std::monostate, std::list<Leaf>, std::tuple<bool, std::deque<std::u16string>>>>>;

std::size_t up_to(Generator& random, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
}

std::string random_text(Generator& random) {
    std::string text(up_to(random, 40), ' ');
    for (char& c : text) { c = static_cast<char>(up_to(random, 255)); }
    return text;
}

Leaf random_leaf(Generator& random) {
    Leaf leaf{static_cast<int>(random()), random_text(random), {}};
    if (up_to(random, 1) == 0) { leaf.maybe[up_to(random, 1)] = static_cast<double>(random()); }
    return leaf;
}

Value random_value(Generator& random) {
    Value value;
    for (std::size_t keys = up_to(random, 4); keys-- != 0;) {
        auto& choices = value[random_text(random)];
        for (std::size_t count = up_to(random, 4); count-- != 0;) {
            switch (up_to(random, 2)) {
                case 0: choices.emplace_back(); break;
                case 1: {
                    std::list<Leaf> leaves;
                    for (std::size_t n = up_to(random, 3); n-- != 0;) { leaves.push_back(random_leaf(random)); }
                    choices.emplace_back(std::move(leaves));
                    break;
                }
                default:
                    choices.emplace_back(
                        std::tuple(up_to(random, 1) == 0, std::deque<std::u16string>(up_to(random, 3), u"zwei")));
            }
        }
    }
    return value;
}

/// Decoding must end in a value or a CodecError, and must not ask for much more memory than there are bytes.
template <class T>
void decode_whatever(std::span<const std::byte> bytes) {
    try {
        Reader reader(bytes);
        static_cast<void>(Codec<T>::decode(reader));
    } catch (const CodecError&) {}
}

/// Changes, cuts and makes up bytes.
template <class T>
void corrupt(Generator& random, std::vector<std::byte> bytes) {
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 20) {
        // memory of its own, so that AddressSanitizer sees a step beyond
        const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        decode_whatever<T>(cut);
    }
    for (int i = 0; i != 20 && !bytes.empty(); ++i) {
        bytes[up_to(random, bytes.size() - 1)] = static_cast<std::byte>(up_to(random, 255));
        decode_whatever<T>(bytes);
    }
}

template <class T>
void corrupt_value(Generator& random, const T& value) {
    for (int i = 0; i != 10; ++i) { corrupt<T>(random, to_bytes(value)); }
}

template <class T>
std::vector<std::byte> length_only(std::uint64_t length) {
    std::vector<std::byte> bytes(sizeof length + 4);
    std::memcpy(bytes.data(), &length, sizeof length);
    CHECK_THROWS_AS(from_bytes<T>(bytes), CodecError);
    return bytes;
}

}  // namespace

TEST_CASE("random nested values arrive unchanged and their damaged bytes do no harm") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    Generator random(seed);
    for (int i = 0; i != 100; ++i) {
        const Value value = random_value(random);
        REQUIRE(round_trip(value) == value);
        corrupt<Value>(random, to_bytes(value));
    }
}

TEST_CASE("damaged bytes of other types do no harm") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    Generator random(seed);
    corrupt_value(random, std::unordered_map<std::string, std::forward_list<int>>{{"a", {1}}, {"b", {2, 3}}});
    corrupt_value(random, std::vector<bool>(20, true));
    corrupt_value(random, std::vector<Nothing>(7));
    corrupt_value(random, std::multiset<std::u32string>{U"a", U"b"});
    corrupt_value(random, std::priority_queue<int>({}, {1, 2, 3}));
    const std::string text = "text";
    corrupt_value(random, std::array<std::string_view, 3>{text, text, text});
    corrupt_value(random, std::optional<std::pair<std::string, std::vector<std::vector<int>>>>({"x", {{1}, {2, 3}}}));
}

TEST_CASE("a length beyond what follows is refused before any memory is asked for") {
    for (const std::uint64_t length :
         {std::uint64_t{5}, std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} / 8 + 1}) {
        length_only<std::string>(length);
        length_only<std::vector<int>>(length);
        length_only<std::vector<bool>>(length);
        length_only<std::vector<std::string>>(length);
        length_only<std::vector<Nothing>>(length);
        length_only<std::list<std::tuple<>>>(length);
        length_only<std::unordered_map<int, int>>(length);
    }
}

TEST_CASE("elements without bytes are counted all the same") {
    CHECK(round_trip(std::vector<Nothing>(1000)).size() == 1000);
    CHECK(round_trip(std::list<std::tuple<>>(3)).size() == 3);
    CHECK(round_trip(std::vector<std::array<Nothing, 0>>(4)).size() == 4);
    CHECK(round_trip(std::map<int, std::vector<Nothing>>{{1, std::vector<Nothing>(2)}})[1].size() == 2);
}

TEST_CASE("a block is read wherever it lies") {
    const std::vector<double> values{1, 2, 3};
    const auto bytes = to_bytes(values);
    for (std::size_t shift = 0; shift != 8; ++shift) {
        std::vector<std::byte> shifted(shift);
        shifted.insert(shifted.end(), bytes.begin(), bytes.end());
        CHECK(from_bytes<std::vector<double>>(std::span(shifted).subspan(shift)) == values);
    }
}
