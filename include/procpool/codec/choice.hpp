// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Values that may be there, or be one of several: optional, unique_ptr, variant.

#include <procpool/codec/codec.hpp>
#include <procpool/core/type_name.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

namespace procpool::inline v0 {

template <class T>
struct Codec<std::optional<T>> {
    using parts = TypeList<std::remove_cv_t<T>>;

    static void encode(Writer& out, const std::optional<T>& value) {
        Codec<bool>::encode(out, value.has_value());
        if (value) { Codec<std::remove_cv_t<T>>::encode(out, *value); }
    }
    static std::optional<T> decode(Reader& in) {
        if (!Codec<bool>::decode(in)) { return std::nullopt; }
        return std::optional<T>(std::in_place, Codec<std::remove_cv_t<T>>::decode(in));
    }
};

/// Null stays null. Throws: CodecError when it points to an object of a class derived from T, which would arrive cut
/// down to a T.
template <class T>
requires(!std::is_array_v<T> && !std::is_abstract_v<T>) struct Codec<std::unique_ptr<T>> {
    using parts = TypeList<std::remove_cv_t<T>>;

    static void encode(Writer& out, const std::unique_ptr<T>& pointer) {
        Codec<bool>::encode(out, pointer != nullptr);
        if (!pointer) { return; }
        if constexpr (std::is_polymorphic_v<T>) {
            const T& pointee = *pointer;
            if (typeid(pointee) != typeid(T)) {
                throw CodecError("procpool: a unique_ptr<" + type_name<T>() + "> to an object of the derived class " +
                                 type_name(typeid(pointee)) + " cannot travel");
            }
        }
        Codec<std::remove_cv_t<T>>::encode(out, *pointer);
    }
    static std::unique_ptr<T> decode(Reader& in) {
        if (!Codec<bool>::decode(in)) { return nullptr; }
        return std::unique_ptr<T>(new T(Codec<std::remove_cv_t<T>>::decode(in)));
    }
};

template <class... Alternatives>
struct Codec<std::variant<Alternatives...>> {
    using Variant = std::variant<Alternatives...>;
    using parts = TypeList<std::remove_cv_t<Alternatives>...>;

    static void encode(Writer& out, const Variant& variant) {
        if (variant.valueless_by_exception()) { throw CodecError("procpool: a variant without a value cannot travel"); }
        Codec<std::uint32_t>::encode(out, static_cast<std::uint32_t>(variant.index()));
        std::visit([&](const auto& value) { Codec<std::remove_cvref_t<decltype(value)>>::encode(out, value); },
                   variant);
    }
    static Variant decode(Reader& in) { return decode_alternative<0>(in, Codec<std::uint32_t>::decode(in)); }

private:
    template <std::size_t Index>
    static Variant decode_alternative(Reader& in, std::uint32_t index) {
        if constexpr (Index == sizeof...(Alternatives)) {
            throw CodecError("procpool: the bytes of a variant name no alternative of it");
        } else if (index == Index) {
            using Alternative = std::remove_cv_t<std::variant_alternative_t<Index, Variant>>;
            return Variant(std::in_place_index<Index>, Codec<Alternative>::decode(in));
        } else {
            return decode_alternative<Index + 1>(in, index);
        }
    }
};

}  // namespace procpool
