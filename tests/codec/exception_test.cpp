// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception.hpp>

#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Custom : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Unknown : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Opaque {};

/// Runs outer() while what inner() throws is handled.
template <class Inner, class Outer>
void nest(Inner inner, Outer outer) {
    try {
        inner();
    } catch (...) { outer(); }
}

template <class E>
std::exception_ptr nested_within(const std::exception_ptr& thrown) {
    std::exception_ptr nested;
    caught_as<E>(thrown, [&](const E& e) { nested = thrown_by([&] { std::rethrow_if_nested(e); }); });
    return nested;
}

template <class F>
void check_remote(F f, const std::string& type, const std::string& part_of_what) {
    caught_as<RemoteError>(round_trip_thrown(thrown_by(f)), [&](const RemoteError& e) {
        CHECK(contains(e.type_name(), type));
        INFO(e.what());
        CHECK(contains(e.what(), part_of_what));
    });
}

}  // namespace

TEST_CASE("EXC-04: whatever is thrown is a failure and shows its value") {
    check_remote([] { throw 42; }, "int", "42");
    check_remote([] { throw -1L; }, "long", "-1");
    check_remote([] { throw true; }, "bool", "true");
    check_remote([] { throw 'c'; }, "char", "c");
    check_remote([] { throw 1.5; }, "double", "1.5");
    check_remote([] { throw "literal"; }, "char const*", "literal");
    check_remote([] { throw std::string("text"); }, "string", "text");
    check_remote([] { throw nullptr; }, "nullptr", "nullptr");
    check_remote([] { throw std::exception_ptr{}; }, "exception_ptr", "exception_ptr");
    check_remote([] { throw Opaque{}; }, "Opaque", "Opaque");
    check_remote([] { throw Unknown(""); }, "Unknown", "");
    check_remote([] {}, "exception_ptr", "null");
}

TEST_CASE("EXC-15: nested exceptions keep their types to any depth") {
    register_exception<Custom>();
    const auto thrown = thrown_by([] {
        nest(
            [] {
                nest([] { nest([] { throw 3; }, [] { std::throw_with_nested(Custom("third")); }); },
                     [] { std::throw_with_nested(Unknown("second")); });
            },
            [] { std::throw_with_nested(std::system_error(2, std::generic_category(), "first")); });
    });
    for (const auto& first : {round_trip_thrown(thrown), round_trip_thrown(round_trip_thrown(thrown))}) {
        caught_as<std::system_error>(
            first, [](const std::system_error& e) { CHECK(e.code() == std::errc::no_such_file_or_directory); });
        CHECK(contains(what_thrown(first), "first"));
        const auto second = nested_within<std::system_error>(first);
        caught_as<RemoteError>(second, [](const RemoteError& e) {
            CHECK(contains(e.type_name(), "Unknown"));
            CHECK_FALSE(contains(e.type_name(), "nested"));
            CHECK(e.what() == std::string("second"));
        });
        const auto third = nested_within<RemoteError>(second);
        CHECK(what_thrown(third) == "third");
        const auto fourth = nested_within<Custom>(third);
        caught_as<RemoteError>(fourth, [](const RemoteError& e) { CHECK(e.type_name() == "int"); });
        CHECK(nested_within<RemoteError>(fourth) == nullptr);
    }
}

TEST_CASE("a hundred nested exceptions arrive") {
    std::exception_ptr thrown = std::make_exception_ptr(std::out_of_range("0"));
    for (int i = 1; i != 100; ++i) {
        thrown = thrown_by([&] {
            nest([&] { std::rethrow_exception(thrown); },
                 [&] { std::throw_with_nested(std::runtime_error(std::to_string(i))); });
        });
    }
    auto at = round_trip_thrown(thrown);
    for (int i = 99; i != 0; --i) {
        REQUIRE(what_thrown(at) == std::to_string(i));
        at = nested_within<std::runtime_error>(at);
    }
    CHECK(type_thrown(at) == typeid(std::out_of_range));
}

TEST_CASE("EXC-07: a huge what() arrives") {
    const std::string text(8 << 20, 'x');
    CHECK(what_thrown(round_trip_thrown(std::make_exception_ptr(std::runtime_error(text)))) == text);
}

TEST_CASE("damaged bytes of exceptions end in an exception") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Bytes bytes;
    encode_exception(bytes.writer, thrown_by([] {
                         nest([] { throw std::out_of_range("inner"); },
                              [] { std::throw_with_nested(WorkerDied({}, 1, "a", "b")); });
                     }));
    const auto written = bytes.written();
    for (std::size_t size = 0; size != written.size(); ++size) {
        const std::vector<std::byte> cut(written.begin(), written.begin() + static_cast<std::ptrdiff_t>(size));
        Reader reader(cut);
        CHECK(type_thrown(decode_exception(reader)) == typeid(CodecError));
    }
    for (int i = 0; i != 2000; ++i) {
        auto changed = written;
        changed[random() % changed.size()] = static_cast<std::byte>(random());
        Reader reader(changed);
        CHECK(decode_exception(reader) != nullptr);
    }
    const std::vector<std::byte> nested_for_ever(100000, std::byte{1});
    Reader reader(nested_for_ever);
    CHECK(type_thrown(decode_exception(reader)) == typeid(CodecError));
}
