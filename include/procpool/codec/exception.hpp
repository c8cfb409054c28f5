// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// encode_exception(), decode_exception(), copy_exception(): any object that a task threw, and the exceptions nested in
/// it.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception_type.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <exception>
#include <string>

namespace procpool::inline v0::detail::codec {

/// Exceptions nested more deeply than this arrive without those further in.
inline constexpr std::size_t deepest_nesting = 1000;

/// Effects: writes the thrown object, null included, which is a failure like any other, and where it was thrown, if
/// that was recorded. If it cannot be written, writes a RemoteError that says why. Throws: only when there is no room
/// even for that.
void encode_exception(Writer& out, const std::exception_ptr& thrown);

/// Returns: the exception that encode_exception() wrote, never null; a CodecError when it cannot be decoded.
[[nodiscard]] std::exception_ptr decode_exception(Reader& in);

/// Returns: the exception nested in `thrown`, or null.
[[nodiscard]] std::exception_ptr nested_in(const std::exception_ptr& thrown);

/// Returns: a copy of the exception, as far as it travels: several threads that rethrow it should not share one object.
[[nodiscard]] std::exception_ptr copy_exception(const std::exception_ptr& thrown);

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/exception.ipp>
#endif
