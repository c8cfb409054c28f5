// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codecs of optional, unique_ptr and variant: values that may be absent, or be one of several.

#include <procpool/codec/codec.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace procpool::inline v0::detail::codec {

[[noreturn]] void refuse_derived(const std::type_info& base, const std::type_info& derived);
[[noreturn]] void refuse_variant_without_value();
[[noreturn]] void refuse_bytes_of_variant();

template <class T>
struct BuiltInCodec<std::optional<T>, StandardKind::other> {
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
requires(!std::is_array_v<T> && !std::is_abstract_v<T>) struct BuiltInCodec<std::unique_ptr<T>, StandardKind::other> {
    using parts = TypeList<std::remove_cv_t<T>>;

    static void encode(Writer& out, const std::unique_ptr<T>& pointer) {
        Codec<bool>::encode(out, pointer != nullptr);
        if (!pointer) { return; }
        if constexpr (std::is_polymorphic_v<T>) {
            const T& pointee = *pointer;
            if (typeid(pointee) != typeid(T)) { refuse_derived(typeid(T), typeid(pointee)); }
        }
        Codec<std::remove_cv_t<T>>::encode(out, *pointer);
    }
    static std::unique_ptr<T> decode(Reader& in) {
        if (!Codec<bool>::decode(in)) { return nullptr; }
        return std::unique_ptr<T>(new T(Codec<std::remove_cv_t<T>>::decode(in)));
    }
};

template <template <class...> class Variant, class... Alternatives>
struct BuiltInCodec<Variant<Alternatives...>, StandardKind::variant> {
    using Value = Variant<Alternatives...>;
    using parts = TypeList<std::remove_cv_t<Alternatives>...>;

    static void encode(Writer& out, const Value& variant) {
        if (variant.valueless_by_exception()) { refuse_variant_without_value(); }
        Codec<std::uint32_t>::encode(out, static_cast<std::uint32_t>(variant.index()));
        encode_alternative(out, variant, std::index_sequence_for<Alternatives...>{});
    }
    static Value decode(Reader& in) {
        return decode_alternative<0, Alternatives...>(in, Codec<std::uint32_t>::decode(in));
    }

private:
    template <std::size_t... Indexes>
    static void encode_alternative(Writer& out, const Value& variant, std::index_sequence<Indexes...>) {
        ((variant.index() == Indexes
              ? Codec<std::remove_cv_t<Alternatives>>::encode(out, *get_if<Indexes>(std::addressof(variant)))
              : void()),
         ...);
    }
    template <std::size_t Index>
    [[noreturn]] static Value decode_alternative(Reader&, std::uint32_t) {
        refuse_bytes_of_variant();
    }
    template <std::size_t Index, class Alternative, class... Others>
    static Value decode_alternative(Reader& in, std::uint32_t index) {
        if (index == Index) {
            return Value(std::in_place_index<Index>, Codec<std::remove_cv_t<Alternative>>::decode(in));
        }
        return decode_alternative<Index + 1, Others...>(in, index);
    }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/choice.ipp>
#endif
