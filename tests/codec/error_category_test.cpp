// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/error_category.hpp>

#include <procpool/codec/error_code.hpp>
#include <procpool/codec/standard_exceptions.hpp>

#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <typeinfo>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

struct Climate : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "climate"; }
    [[nodiscard]] std::string message(int) const override { return "warm"; }
};
struct LocalClimate : Climate {};
const Climate climate;
const LocalClimate local_climate;

/// Constructed when it is first used, which is in this process or in the other one.
struct LateClimate : Climate {
    LateClimate() { static_cast<void>(std::string(100, 'x')); }
};
const std::error_category& late_climate() {
    static const LateClimate late;
    return late;
}

struct NotACategory {
    virtual ~NotACategory() = default;
    virtual const char* name() const noexcept { return "climate"; }
};
NotACategory not_a_category;
std::uintptr_t words[4];

/// The bytes that encode_category() writes for a category of the program at `address`.
std::vector<std::byte> bytes_of(std::uintptr_t address, const std::string& name) {
    Bytes bytes;
    Codec<std::uint8_t>::encode(bytes.writer, 4);
    encode_plain(bytes.writer, address);
    Codec<std::string>::encode(bytes.writer, name);
    Codec<int>::encode(bytes.writer, 7);
    return bytes.written();
}
std::vector<std::byte> bytes_of(const void* address, const std::string& name = "climate") {
    return bytes_of(reinterpret_cast<std::uintptr_t>(address), name);
}

void check_absent(const std::vector<std::byte>& bytes, const std::string& name) {
    const auto code = from_bytes<std::error_code>(bytes);
    CHECK(code.value() == 7);
    CHECK(code.category().name() == name);
    CHECK(contains(code.message(), name));
    CHECK(contains(code.message(), "does not have"));
    CHECK(code == from_bytes<std::error_code>(bytes));
}

}  // namespace

TEST_CASE("a category of the program arrives as itself") {
    CHECK(&round_trip(std::error_code(7, climate)).category() == &climate);
    CHECK(&round_trip(std::error_code(7, local_climate)).category() == &local_climate);
    CHECK(&round_trip(std::error_condition(7, climate)).category() == &climate);
    CHECK(&from_bytes<std::error_code>(bytes_of(&late_climate())).category() == &late_climate());
}

TEST_CASE("a worker's categories arrive although its statics are its own") {
    Bytes bytes(visibility_unknown);
    Codec<std::error_code>::encode(bytes.writer, std::error_code(7, climate));
    CHECK(&from_bytes<std::error_code>(bytes.written()).category() == &climate);
}

TEST_CASE("nothing is called through an address that is no category") {
    const Climate on_the_stack;
    const auto on_the_heap = std::make_unique<Climate>();
    std::memcpy(&words[1], static_cast<const void*>(&not_a_category), sizeof(void*));
    words[2] = reinterpret_cast<std::uintptr_t>(&words[0]);
    words[3] = reinterpret_cast<std::uintptr_t>(&typeid(Climate));
    for (const void* const address :
         {static_cast<const void*>(nullptr), static_cast<const void*>(&on_the_stack),
          static_cast<const void*>(on_the_heap.get()), static_cast<const void*>(&not_a_category),
          static_cast<const void*>(&words[0]), static_cast<const void*>(&words[1]), static_cast<const void*>(&words[2]),
          static_cast<const void*>(&words[3]), static_cast<const void*>(&typeid(Climate))}) {
        CAPTURE(address);
        check_absent(bytes_of(address), "climate");
    }
    const auto real = reinterpret_cast<std::uintptr_t>(&climate);
    for (const std::uintptr_t address : {real + 1, real + sizeof(void*) / 2, ~std::uintptr_t{0}, ~std::uintptr_t{7},
                                         std::uintptr_t{0x1000}, real ^ (std::uintptr_t{1} << 46)}) {
        CAPTURE(address);
        check_absent(bytes_of(address, "climate"), "climate");
    }
    check_absent(bytes_of(&climate, "weather"), "weather");  // the name of another one
}

TEST_CASE("an error with a category that is absent says all the same") {
    const auto bytes = [] {
        Bytes all;
        Codec<std::uint8_t>::encode(all.writer, 0);  // frames
        Codec<bool>::encode(all.writer, false);
        std::uint8_t number = 0;
        while (*standard_exceptions[number].type != typeid(std::system_error)) { ++number; }
        Codec<std::uint8_t>::encode(all.writer, number);
        for (const std::byte byte : bytes_of(nullptr, "elsewhere")) { all.writer.write(&byte, 1); }
        Codec<std::string>::encode(all.writer, "the words of the worker");
        return all.written();
    }();
    Reader in{bytes};
    const auto check = [](const std::exception_ptr& thrown) {
        REQUIRE(type_thrown(thrown) == typeid(std::system_error));
        caught_as<std::system_error>(thrown, [](const std::system_error& e) {
            CHECK(e.code().value() == 7);
            CHECK(e.code().category().name() == std::string("elsewhere"));
            CHECK(e.what() == std::string("the words of the worker"));
        });
    };
    const auto decoded = decode_exception(in);
    check(decoded);
    check(round_trip_thrown(decoded));  // on to the parent's parent
}

TEST_CASE("damaged names of categories do not fill memory") {
    check_absent(bytes_of(nullptr, std::string(longest_category_name, 'x')), std::string(longest_category_name, 'x'));
    CHECK_THROWS_AS(from_bytes<std::error_code>(bytes_of(nullptr, std::string(longest_category_name + 1, 'x'))),
                    CodecError);
    bool refused = false;
    for (int i = 0; i != 200; ++i) {
        try {
            static_cast<void>(from_bytes<std::error_code>(bytes_of(nullptr, std::to_string(i))));
        } catch (const CodecError&) { refused = true; }
    }
    CHECK(refused);
}
