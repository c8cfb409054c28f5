// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BuiltInCodec<T>: how a T travels where the program has no Codec<T> of its own.

#include <procpool/codec/fields.hpp>
#include <procpool/codec/standard_kind.hpp>

namespace procpool::inline v0 {

class Reader;
class Writer;

namespace detail::codec {

/// The primary template takes a T's serialize(), its bytes, or its fields; specialisations are for the classes of the
/// standard library.
template <class T, StandardKind = standard_kind_v<T>>
struct BuiltInCodec;

/// The parts of a type that cannot be encoded.
using NoEncoding = TypeList<void>;

}  // namespace detail::codec

}  // namespace procpool
