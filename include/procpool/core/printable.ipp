// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/printable.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::core {

PROCPOOL_DECL std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text.empty()) { return 0; }
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length > text.size()) { return 0; }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) { return 0; }
    }
    // Overlong forms, surrogates, and numbers beyond the last character.
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf0 && byte(1) < 0x90) ||
        (lead == 0xf4 && byte(1) >= 0x90)) {
        return 0;
    }
    return length;
}

PROCPOOL_DECL std::uint32_t code_of(std::string_view character) noexcept {
    std::uint32_t code = static_cast<unsigned char>(character[0]);
    if (character.size() == 2) { code &= 0x1f; }
    if (character.size() == 3) { code &= 0x0f; }
    for (const char next : character.substr(1)) { code = (code << 6) | (static_cast<unsigned char>(next) & 0x3f); }
    return code;
}

PROCPOOL_DECL bool is_control(std::string_view character) noexcept {
    if (character.size() > 3) { return false; }
    const std::uint32_t code = code_of(character);
    const auto within = [code](std::uint32_t first, std::uint32_t last) { return code >= first && code <= last; };
    return code < 0x20 || within(0x7f, 0x9f) || within(0x200e, 0x200f) || code == 0x061c || within(0x2028, 0x202e) ||
           within(0x2066, 0x2069);
}

PROCPOOL_DECL void append_hexadecimal(std::string& to, std::uint32_t number, int digits) {
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) { to += "0123456789abcdef"[(number >> shift) & 15]; }
}

PROCPOOL_DECL void append_printable(std::string& to, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view first = text.substr(0, std::max<std::size_t>(length, 1));
        if (length != 0 && !is_control(first)) {
            to += first;
        } else if (first == "\n" || first == "\r" || first == "\t") {
            to += first == "\n" ? "\\n" : first == "\r" ? "\\r" : "\\t";
        } else if (length > 1) {
            to += "\\u";
            append_hexadecimal(to, code_of(first), 4);
        } else {
            to += "\\x";
            append_hexadecimal(to, static_cast<unsigned char>(first[0]), 2);
        }
        text.remove_prefix(first.size());
    }
}

}  // namespace procpool::detail::core
