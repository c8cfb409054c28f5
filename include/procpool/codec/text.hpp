// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Strings, views of strings, and paths.

#include <procpool/codec/length.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace procpool::inline v0 {

template <class C, class Traits, class Allocator>
requires is_plain_v<C>
struct Codec<std::basic_string<C, Traits, Allocator>> {
    using Text = std::basic_string<C, Traits, Allocator>;
    using parts = TypeList<>;

    static void encode(Writer& out, const Text& text) { encode_block(out, text.data(), text.size()); }
    static Text decode(Reader& in) { return decode_block<Text>(in); }
};

/// Its characters travel. Lifetime: what is decoded views memory of the Reader.
template <class C, class Traits>
requires is_plain_v<C>
struct Codec<std::basic_string_view<C, Traits>> {
    using View = std::basic_string_view<C, Traits>;
    using parts = TypeList<>;
    static constexpr bool views_reader = true;

    static void encode(Writer& out, const View& view) { encode_block(out, view.data(), view.size()); }
    static View decode(Reader& in) { return in.keep(Codec<std::basic_string<C, Traits>>::decode(in)); }
};

template <>
struct Codec<std::filesystem::path> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::filesystem::path& path) {
        Codec<std::filesystem::path::string_type>::encode(out, path.native());
    }
    static std::filesystem::path decode(Reader& in) { return Codec<std::filesystem::path::string_type>::decode(in); }
};

}  // namespace procpool
