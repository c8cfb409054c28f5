// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// std::error_code and std::error_condition: a number, and the category that gives it a meaning.

#include <procpool/codec/codec.hpp>
#include <procpool/codec/error_category.hpp>

#include <system_error>

namespace procpool::inline v0::detail::codec {

/// Code: std::error_code or std::error_condition.
template <class Code>
struct ErrorCodeCodec {
    using parts = TypeList<>;

    static void encode(Writer& out, const Code& code) {
        encode_category(out, code.category());
        Codec<int>::encode(out, code.value());
    }
    static Code decode(Reader& in) {
        const std::error_category& category = decode_category(in);
        return {Codec<int>::decode(in), category};
    }
};

template <>
struct BuiltInCodec<std::error_code, StandardKind::other> : ErrorCodeCodec<std::error_code> {};
template <>
struct BuiltInCodec<std::error_condition, StandardKind::other> : ErrorCodeCodec<std::error_condition> {};

}  // namespace procpool::detail::codec
