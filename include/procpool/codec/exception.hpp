// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// encode_exception(), decode_exception(), copy_exception(): whatever a task threw, and the exceptions nested in it.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception_type.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <exception>
#include <string>

namespace procpool::inline v0::detail::codec {

/// Exceptions nested more deeply than this arrive without those further in.
inline constexpr std::size_t deepest_nesting = 1000;

/// Effects: writes what was thrown, null included, which is a failure like any other. When that does not work, a
/// RemoteError says why. Throws: only when there is not even room for that.
void encode_exception(Writer& out, const std::exception_ptr& thrown);

/// Returns: what encode_exception() wrote, never null; a CodecError when that cannot be had.
[[nodiscard]] std::exception_ptr decode_exception(Reader& in);

/// Returns: the exception nested in `thrown`, or null.
[[nodiscard]] std::exception_ptr nested_in(const std::exception_ptr& thrown);

/// Returns: another object that says the same, as far as it travels: what several threads rethrow they should not
/// share.
[[nodiscard]] std::exception_ptr copy_exception(const std::exception_ptr& thrown);

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/exception.ipp>
#endif
