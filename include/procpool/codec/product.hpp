// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codecs of pair, tuple and array: values side by side.

#include <procpool/codec/codec.hpp>

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// A Product is plain when all its Elements and itself are, and travels element by element otherwise.
template <class Product, class... Elements>
struct ProductCodec {
    static constexpr bool plain = (is_plain_v<std::remove_cv_t<Elements>> && ...) &&
                                  std::is_trivially_copyable_v<Product> && std::is_move_constructible_v<Product>;
    using parts = TypeList<std::remove_cv_t<Elements>...>;

    static void encode(Writer& out, const Product& product) {
        if constexpr (plain) {
            encode_plain(out, product);
        } else {
            std::apply(
                [&](const auto&... elements) {
                    (Codec<std::remove_cvref_t<decltype(elements)>>::encode(out, elements), ...);
                },
                product);
        }
    }
    static Product decode(Reader& in) {
        if constexpr (plain) {
            return decode_plain<Product>(in);
        } else {
            return Product{Codec<std::remove_cv_t<Elements>>::decode(in)...};  // braces decode from left to right
        }
    }
};

template <class First, class Second>
struct BuiltInCodec<std::pair<First, Second>, StandardKind::other>
    : ProductCodec<std::pair<First, Second>, First, Second> {};

template <class... Elements>
struct BuiltInCodec<std::tuple<Elements...>, StandardKind::other> : ProductCodec<std::tuple<Elements...>, Elements...> {
};

template <class T, std::size_t Count>
struct BuiltInCodec<std::array<T, Count>, StandardKind::other> {
    using Array = std::array<T, Count>;
    using parts = TypeList<std::remove_cv_t<T>>;
    static constexpr bool plain = is_plain_v<std::remove_cv_t<T>> && std::is_trivially_copyable_v<Array>;

    static void encode(Writer& out, const Array& array) {
        if constexpr (plain) {
            encode_plain(out, array);
        } else {
            for (const T& element : array) { Codec<std::remove_cv_t<T>>::encode(out, element); }
        }
    }

    static Array decode(Reader& in) {
        if constexpr (plain) {
            return decode_plain<Array>(in);
        } else if constexpr (std::is_default_constructible_v<T> && std::is_move_assignable_v<T>) {
            Array array;
            for (T& element : array) { element = Codec<T>::decode(in); }
            return array;
        } else {
            return decode_in_place(in, std::make_index_sequence<Count>{});
        }
    }

private:
    template <std::size_t... At>
    static Array decode_in_place(Reader& in, std::index_sequence<At...>) {
        return Array{{Each<At, Codec<std::remove_cv_t<T>>>::decode(in)...}};
    }
};

}  // namespace procpool::detail::codec
