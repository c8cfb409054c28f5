// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception_type.hpp>

#include <procpool/core/type_name.hpp>

#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct WithFields : std::runtime_error {
    WithFields(const std::string& text, int f) : std::runtime_error(text), field(f) {}
    int field;
};
struct FromText : std::logic_error {
    explicit FromText(const std::string& text) : std::logic_error("decorated: " + text) {}
};
struct Unregistered : std::out_of_range {
    using std::out_of_range::out_of_range;
};
struct NoException {
    int number;
    std::string text;
};
template <int>
struct Numbered : std::runtime_error {
    using std::runtime_error::runtime_error;
};
class ThrowingCodec : public std::exception {
public:
    const char* what() const noexcept override { return "the original"; }
};
class Undecodable : public std::exception {};

}  // namespace

template <>
struct procpool::Codec<WithFields> {
    static void encode(Writer& out, const WithFields& e) {
        Codec<std::string>::encode(out, e.what());
        Codec<int>::encode(out, e.field);
    }
    static WithFields decode(Reader& in) {
        const auto text = Codec<std::string>::decode(in);
        return WithFields(text, Codec<int>::decode(in));
    }
};
template <>
struct procpool::Codec<ThrowingCodec> {
    static void encode(Writer& out, const ThrowingCodec&) {
        Codec<std::string>::encode(out, std::string(100000, 'x'));
        throw std::runtime_error("disk full");
    }
    static ThrowingCodec decode(Reader&) { return {}; }
};
template <>
struct procpool::Codec<Undecodable> {
    static void encode(Writer&, const Undecodable&) {}
    static Undecodable decode(Reader&) { throw std::runtime_error("message raised in decoder"); }
};

TEST_CASE("EXC-02: registered exceptions arrive as themselves") {
    register_exception<WithFields>();
    register_exception<FromText>();
    register_exception<NoException>();
    caught_as<WithFields>(round_trip_thrown(std::make_exception_ptr(WithFields("text", 5))), [](const WithFields& e) {
        CHECK(e.what() == std::string("text"));
        CHECK(e.field == 5);
    });
    const auto from_text = round_trip_thrown(round_trip_thrown(std::make_exception_ptr(FromText("x"))));
    CHECK(type_thrown(from_text) == typeid(FromText));
    CHECK(what_thrown(from_text) == "decorated: x");
    caught_as<NoException>(round_trip_thrown(std::make_exception_ptr(NoException{3, "abc"})), [](const NoException& e) {
        CHECK(e.number == 3);
        CHECK(e.text == "abc");
    });
}

TEST_CASE("EXC-02: other exceptions arrive as RemoteError with their type's name and what()") {
    caught_as<RemoteError>(round_trip_thrown(std::make_exception_ptr(Unregistered("index 7"))),
                           [](const RemoteError& e) {
                               CHECK(contains(e.type_name(), "Unregistered"));
                               CHECK(e.what() == std::string("index 7"));
                           });
}

TEST_CASE("registering twice and from many threads lists a type once", "[thread]") {
    std::vector<std::thread> threads;
    for (int i = 0; i != 8; ++i) {
        threads.emplace_back([] {
            register_exception<Numbered<0>>();
            register_exception<Numbered<1>>();
            register_exception<Numbered<2>>();
        });
    }
    for (auto& thread : threads) { thread.join(); }
    int listed = 0;
    static_cast<void>(find_registered([&](const std::type_info& type) {
        if (type == typeid(Numbered<0>) || type == typeid(Numbered<1>) || type == typeid(Numbered<2>)) { ++listed; }
        return false;
    }));
    CHECK(listed == 3);
}

TEST_CASE("when encoding an exception throws: a RemoteError says so") {
    register_exception<ThrowingCodec>();
    Bytes bytes;
    bytes.writer.write("before", 6);
    encode_exception(bytes.writer, std::make_exception_ptr(ThrowingCodec()));
    CHECK(bytes.writer.size() < 1000);
    const auto written = bytes.written();
    Reader reader(std::span<const std::byte>(written).subspan(6));
    caught_as<RemoteError>(decode_exception(reader), [](const RemoteError& e) {
        CHECK(contains(e.type_name(), "ThrowingCodec"));
        CHECK(contains(e.what(), "disk full"));
    });
}

TEST_CASE("when decoding an exception throws: a CodecError says so") {
    register_exception<Undecodable>();
    const auto after = round_trip_thrown(std::make_exception_ptr(Undecodable()));
    CHECK(type_thrown(after) == typeid(CodecError));
    CHECK(contains(what_thrown(after), "message raised in decoder"));
}
