// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/captured.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

using namespace procpool;
using namespace procpool::detail::codec;

namespace {

enum class CapturedColour : std::uint8_t { red };
struct Numbers {
    int number;
    char letter;
    double real;
};
struct CapturedPointer {
    const int* pointer;
};
struct CapturedReference {
    int& number;
};
union NumberOrPointer {
    long number;
    int* pointer;
};
class CapturedHiddenPointer {
public:
    explicit constexpr CapturedHiddenPointer(const int* pointer) : pointer_(pointer) {}
    int get() const { return *pointer_; }

private:
    const int* pointer_;
};

template <class T>
constexpr bool holds_no_address_when_captured(const T& value) {
    return holds_no_address_v<decltype([value] { return value; })>;
}

}  // namespace

TEST_CASE("closures of numbers are known to hold no address") {
    STATIC_REQUIRE(holds_no_address_when_captured(1));
    STATIC_REQUIRE(holds_no_address_when_captured(std::uint64_t{1}));
    STATIC_REQUIRE(holds_no_address_when_captured(1.5));
    STATIC_REQUIRE(holds_no_address_when_captured(true));
    STATIC_REQUIRE(holds_no_address_when_captured(CapturedColour::red));
    STATIC_REQUIRE(holds_no_address_when_captured(Numbers{1, 'c', 1.5}));
    STATIC_REQUIRE(holds_no_address_when_captured(std::array<long, 3>{}));
    STATIC_REQUIRE(holds_no_address_when_captured(std::array<Numbers, 2>{}));
    auto mixed = [letter = 'x', number = 1L, real = 1.5] { return real > 1 ? number : letter; };
    STATIC_REQUIRE(holds_no_address_v<decltype(mixed)>);
    auto within = [mixed, number = 1L] { return mixed() + number; };
    STATIC_REQUIRE(holds_no_address_v<decltype(within)>);
}

TEST_CASE("closures that hold a pointer or reference at any depth are not") {
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(static_cast<int*>(nullptr)));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(CapturedPointer{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(CapturedHiddenPointer{nullptr}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::string_view{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::span<int>{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(NumberOrPointer{1}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::array<const char*, 2>{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::array<std::array<int*, 1>, 1>{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::array<std::span<int>, 2>{}));
    STATIC_REQUIRE_FALSE(holds_no_address_when_captured(std::array<CapturedPointer, 1>{}));
    STATIC_REQUIRE_FALSE(
        holds_no_address_when_captured(std::array<CapturedHiddenPointer, 1>{CapturedHiddenPointer{nullptr}}));
    int number = 1;
    int* pointers[2] = {&number, &number};
    CapturedReference references[1] = {{number}};
    auto by_reference = [&number] { return number; };
    auto array = [pointers] { return *pointers[0]; };
    auto array_of_references = [references] { return references[0].number; };
    auto within = [by_reference, letter = 'c'] { return by_reference() + letter; };
    STATIC_REQUIRE_FALSE(holds_no_address_v<decltype(by_reference)>);
    STATIC_REQUIRE_FALSE(holds_no_address_v<decltype(array)>);
    STATIC_REQUIRE_FALSE(holds_no_address_v<decltype(array_of_references)>);
    STATIC_REQUIRE_FALSE(holds_no_address_v<decltype(within)>);
}

TEST_CASE("a word with padding in it is no captured address and a pointer may be one") {
    int number = 1;
    auto closure = [letter = 'x', pointer = &number, flag = true] { return letter + *pointer + flag; };
    STATIC_REQUIRE(sizeof(closure) == 3 * sizeof(void*));
    CHECK_FALSE(may_be_captured(closure, 0));
    CHECK(may_be_captured(closure, sizeof(void*)));
    CHECK_FALSE(may_be_captured(closure, 2 * sizeof(void*)));
    auto reference = [&number, letter = 'x'] { return number + letter; };
    CHECK(may_be_captured(reference, 0));
    CHECK_FALSE(may_be_captured(reference, sizeof(void*)));
}
