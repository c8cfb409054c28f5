// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// append_printable(): text from anywhere, for a terminal: nothing in it ends the line or drives the terminal.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace procpool::inline v0::detail::core {

/// How many bytes at the start of the text are one character in UTF-8; 0: none are.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

/// Returns: the number of the character that the text is. Requires: it is one, of at most three bytes in UTF-8.
[[nodiscard]] std::uint32_t code_of(std::string_view character) noexcept;

/// Whether a character in UTF-8 cannot be seen, but acts on others: it ends a line, moves the cursor, begins a command
/// of the terminal, or makes text run the other way.
[[nodiscard]] bool is_control(std::string_view character) noexcept;

void append_hexadecimal(std::string& to, std::uint32_t number, int digits);

/// Effects: appends the text with control characters, and bytes that are no UTF-8, as \n, \r, \t, \x1b or \u009b: one
/// line.
void append_printable(std::string& to, std::string_view text);

}  // namespace procpool::detail::core

#if PROCPOOL_BODIES
#include <procpool/core/printable.ipp>
#endif
