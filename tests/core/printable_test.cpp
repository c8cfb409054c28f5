// SPDX-License-Identifier: BSL-1.0
#include <procpool/core/printable.hpp>

#include "support/catch.hpp"

#include <string>
#include <string_view>

using namespace procpool;

namespace {

std::string printable(std::string_view text) {
    std::string to;
    detail::core::append_printable(to, text);
    return to;
}

}  // namespace

TEST_CASE("text of any script is printable as it is") {
    for (const std::string_view text : {"", "plain, \"quoted\" and \\", "gr\xc3\xbc\xc3\x9f\x65",
                                        "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x90\x98", "\xc2\xa0\xef\xbf\xbd"}) {
        CHECK(printable(text) == text);
    }
}

TEST_CASE("control characters are escaped in one line") {
    CHECK(printable("a\nb\rc\td") == "a\\nb\\rc\\td");
    CHECK(printable("\x1b[2J\x1b]0;title\x07") == "\\x1b[2J\\x1b]0;title\\x07");
    CHECK(printable(std::string_view{"\0\x01\x1f\x7f", 4}) == "\\x00\\x01\\x1f\\x7f");
    CHECK(printable("\xc2\x9b"
                    "2J\xc2\x85") == "\\u009b2J\\u0085");
    CHECK(printable("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c") == "\\u202e\\u2066\\u2028\\u061c");
    std::string every_byte;
    for (int byte = 0; byte < 256; ++byte) { every_byte += static_cast<char>(byte); }
    for (const char c : printable(every_byte)) { CHECK((c >= 0x20 && c < 0x7f)); }
}

TEST_CASE("bytes that are no UTF-8 are escaped one by one") {
    CHECK(printable("\x80\xff") == "\\x80\\xff");
    CHECK(printable("\xc3") == "\\xc3");  // cut short
    CHECK(printable("\xc0\x9b\xe0\x82\x9b") ==
          "\\xc0\\x9b\\xe0\\x82\\x9b");                     // a control character in a form that is too long
    CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // half of a surrogate pair
    CHECK(printable("\xe2\x82ok") == "\\xe2\\x82ok");
}

TEST_CASE("a character in UTF-8 has a length and a number") {
    CHECK(detail::core::utf8_length("a") == 1);
    CHECK(detail::core::utf8_length("\xc3\xa4") == 2);
    CHECK(detail::core::utf8_length("\xe2\x82\xac") == 3);
    CHECK(detail::core::utf8_length("\xf0\x9f\x90\x98") == 4);
    CHECK(detail::core::utf8_length("") == 0);
    CHECK(detail::core::utf8_length("\xf5\x80\x80\x80") == 0);
    CHECK(detail::core::code_of("\xc3\xa4") == 0xe4);
    CHECK(detail::core::code_of("\xe2\x82\xac") == 0x20ac);
}
