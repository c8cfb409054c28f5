// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/message.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

/// Has the functions of a protocol buffer, and a pointer that its bytes would take along.
class Looks {
public:
    std::string text;
    bool complete = true;
    bool writes = true;
    std::size_t claims = 0;  // to be larger than it is

    [[nodiscard]] std::size_t ByteSizeLong() const { return text.size() + claims; }
    bool SerializeToArray(void* to, int size) const {
        if (!writes || static_cast<std::size_t>(size) != text.size()) { return false; }
        if (!text.empty()) { std::memcpy(to, text.data(), text.size()); }
        return true;
    }
    bool ParseFromArray(const void* from, int size) {
        text.assign(static_cast<const char*>(from), static_cast<std::size_t>(size));
        return text != "no message";
    }
    [[nodiscard]] bool IsInitialized() const { return complete; }
    [[nodiscard]] std::string InitializationErrorString() const { return "a, b"; }
    [[nodiscard]] std::string GetTypeName() const { return "test.Looks"; }
};

/// The least that is a message, and trivially copyable.
struct Bare {
    explicit Bare(int value) : n(value) {}
    Bare() = default;
    [[nodiscard]] std::size_t ByteSizeLong() const { return 1; }
    bool SerializeToArray(void* to, int) const {
        *static_cast<unsigned char*>(to) = static_cast<unsigned char>(n);
        return true;
    }
    bool ParseFromArray(const void* from, int) {
        n = *static_cast<const unsigned char*>(from);
        return true;
    }
    int n = 0;
};

/// Lacks one of the functions.
class NoParser {
public:
    [[nodiscard]] std::size_t ByteSizeLong() const { return 0; }
    bool SerializeToArray(void*, int) const { return true; }

private:
    [[maybe_unused]] int* hidden_ = nullptr;
};

Looks with(const std::string& text) {
    Looks made;
    made.text = text;
    return made;
}

}  // namespace

TEST_CASE("what has the functions of a protocol buffer travels by them and not as bytes") {
    CHECK(round_trip(with("text")).text == "text");
    CHECK(round_trip(Looks{}).text.empty());
    CHECK(round_trip(std::vector{with("a"), with(std::string(1'000, 'b'))})[1].text.size() == 1'000);
    CHECK(round_trip(Bare{300}).n == 300 % 256);
    STATIC_REQUIRE_FALSE(procpool::detail::codec::is_plain_v<Bare>);
    STATIC_REQUIRE_FALSE(procpool::Encodable<NoParser>);
}

TEST_CASE("a message that cannot be written or parsed is refused with the reason") {
    Looks incomplete;
    incomplete.complete = false;
    CHECK(text_thrown<procpool::CodecError>([&] { static_cast<void>(to_bytes(incomplete)); }) ==
          "procpool: the protocol buffer test.Looks cannot be written, for it lacks fields: a, b");
    Looks stubborn;
    stubborn.writes = false;
    CHECK(text_thrown<procpool::CodecError>([&] { static_cast<void>(to_bytes(stubborn)); }) ==
          "procpool: the protocol buffer test.Looks cannot be written");
    Looks huge;
    huge.claims = std::size_t{1} << 31;
    CHECK(text_thrown<procpool::CodecError>([&] { static_cast<void>(to_bytes(huge)); }) ==
          "procpool: a protocol buffer of 2 GB or more cannot travel");
    const auto bytes = to_bytes(with("no message"));
    CHECK(text_thrown<procpool::CodecError>([&] { static_cast<void>(from_bytes<Looks>(bytes)); }) ==
          "procpool: the bytes are no protocol buffer test.Looks");
}
