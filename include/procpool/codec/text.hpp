// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Strings, views of strings, and paths.

#include <procpool/codec/length.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::codec {

template <class C, class Traits, class Allocator>
requires is_plain_v<C>
struct BuiltInCodec<std::basic_string<C, Traits, Allocator>, StandardKind::other> {
    using Text = std::basic_string<C, Traits, Allocator>;
    using parts = TypeList<>;

    static void encode(Writer& out, const Text& text) { encode_block(out, text.data(), text.size()); }
    static Text decode(Reader& in) { return decode_block<Text>(in); }
};

/// Its characters travel. Lifetime: a decoded view refers to memory of the Reader.
template <class C, class Traits>
requires is_plain_v<C>
struct BuiltInCodec<std::basic_string_view<C, Traits>, StandardKind::other> {
    using View = std::basic_string_view<C, Traits>;
    using parts = TypeList<>;
    static constexpr bool views_reader = true;

    static void encode(Writer& out, const View& view) { encode_block(out, view.data(), view.size()); }
    static View decode(Reader& in) { return in.keep(Codec<std::basic_string<C, Traits>>::decode(in)); }
};

template <class T>
inline constexpr bool is_string_v = false;
template <class C, class Traits, class Allocator>
inline constexpr bool is_string_v<std::basic_string<C, Traits, Allocator>> = true;

/// Effects: decodes the next value to the end of the vector. A string is decoded where it stays, since moving it from
/// where it has just been written is slow: see decodes_where_passed_v.
template <class T>
void decode_to_end(std::vector<T>& values, Reader& in) {
    if constexpr (is_string_v<T>) {
        struct Next {
            Reader& in;
            operator T() const { return Codec<T>::decode(in); }
        };
        values.emplace_back(Next{in});
    } else {
        values.push_back(Codec<T>::decode(in));
    }
}

template <class Path>
struct BuiltInCodec<Path, StandardKind::path> {
    using Text = typename Path::string_type;
    using parts = TypeList<>;

    static void encode(Writer& out, const Path& path) { Codec<Text>::encode(out, path.native()); }
    static Path decode(Reader& in) { return Codec<Text>::decode(in); }
};

}  // namespace procpool::detail::codec
