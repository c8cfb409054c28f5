// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// encode_category(), decode_category(): an error category is identified by its address, which travels as its
/// os::CodeName where it lies elsewhere for the receiver, and its functions are virtual.
/// An address in bytes may be anything, so nothing is called through it before it has proved to be a category of this
/// process.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <system_error>

namespace procpool::inline v0::detail::codec {

/// Whether an object of a class derived from std::error_category lies at `address`, found out by reading only what is
/// in modules.
[[nodiscard]] bool is_category(std::uintptr_t address) noexcept;

/// More of a category's name does not travel.
inline constexpr std::size_t longest_category_name = 200;

/// Throws: CodecError when the category is on this process's stack or heap.
void encode_category(Writer& out, const std::error_category& category);

/// Returns: the category that encode_category() wrote, or one that stands for it where this process does not have it.
[[nodiscard]] const std::error_category& decode_category(Reader& in);

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/error_category.ipp>
#endif
