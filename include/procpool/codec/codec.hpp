// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codec<T>: how a T travels, and Encodable<T>: whether it does.

#include <procpool/codec/aggregate.hpp>
#include <procpool/codec/archive.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/plain.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace procpool {

/// Whether the bytes of a T are everything: no pointer, view or reference can be seen in it, and no Codec or
/// serialize() of the user's says otherwise. What is inside a class that is no aggregate cannot be seen.
template <class T>
inline constexpr bool is_plain_v = requires { requires Codec<T>::plain; };

struct NotPlain {
    template <class T>
    static constexpr bool holds = !std::is_union_v<T> && !is_plain_v<T>;  // nobody can look into a union
};

template <class T>
consteval bool looks_plain() {
    if constexpr (std::is_pointer_v<T> || std::is_array_v<T> || is_initializer_list_v<T> || !std::is_trivially_copyable_v<T> ||
                  !std::is_move_constructible_v<T>) {
        return false;
    } else if constexpr (HasSerialize<T>) {
        return false;
    } else if constexpr (PlainStruct<T> && !std::is_empty_v<T>) {
        if constexpr (initialisers_v<T> > most_initialisers) {
            return true;
        } else {
            return initialisers_v<T> > 0 && !has_field_that_v<T, NotPlain>;
        }
    } else {
        return true;
    }
}

/// What the Codec of a type that cannot travel names as its parts.
using Hopeless = TypeList<void>;

template <class... Fields>
consteval bool any_is_array(TypeList<Fields...>) {
    return (std::is_array_v<Fields> || ...);
}

template <class T>
consteval auto parts_of_structure() {
    if constexpr (HasSerialize<T>) {
        return TypeList<>{};
    } else if constexpr (looks_plain<T>()) {
        return TypeList<>{};
    } else if constexpr (!Visitable<T>) {
        return Hopeless{};
    } else if constexpr (any_is_array(fields_t<T>{}) && !std::is_default_constructible_v<T>) {
        return Hopeless{};
    } else {
        return fields_t<T>{};
    }
}

template <class T, class... Seen>
consteval bool travels();

template <class... Parts, class... Seen>
consteval bool all_travel(TypeList<Parts...>, TypeList<Seen...>) {
    return (travels<Parts, Seen...>() && ...);
}

/// Whether a T travels if all of Seen do, which are the types that T was met in: an aggregate may hold a vector of
/// itself.
template <class T, class... Seen>
consteval bool travels() {
    if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
        return false;
    } else if constexpr ((std::is_same_v<T, Seen> || ...)) {
        return true;
    } else if constexpr (std::is_array_v<T>) {
        return travels<std::remove_cv_t<std::remove_all_extents_t<T>>, Seen...>();
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return all_travel(typename Codec<T>::parts{}, TypeList<T, Seen...>{});
    } else {
        return requires(Writer& out, Reader& in, const T& value) {
            Codec<T>::encode(out, value);
            { Codec<T>::decode(in) } -> std::convertible_to<T>;
        };
    }
}

/// T, without const and reference, can be turned into bytes and back.
template <class T>
concept Encodable = travels<std::remove_cvref_t<T>>();

template <class T, class... Seen>
consteval bool holds_view();

template <class... Parts, class... Seen>
consteval bool any_holds_view(TypeList<Parts...>, TypeList<Seen...>) {
    return (holds_view<std::remove_cv_t<std::remove_all_extents_t<Parts>>, Seen...>() || ...);
}

/// Whether a decoded T may view memory that goes with the Reader it came from.
template <class T, class... Seen>
consteval bool holds_view() {
    if constexpr (std::is_void_v<T> || (std::is_same_v<T, Seen> || ...)) {
        return false;
    } else if constexpr (requires { requires Codec<T>::views_reader; }) {
        return true;
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return any_holds_view(typename Codec<T>::parts{}, TypeList<T, Seen...>{});
    } else {
        return false;
    }
}

template <class T>
struct not_encodable {
    static_assert(
        !std::is_same_v<T, T>,
        "procpool: this type cannot travel between processes: specialise procpool::Codec<T> for it, give it a "
        "serialize(Archive&) member, or make it an aggregate of encodable types");
};

template <class T, class... Seen>
consteval auto find_culprit();

template <class T, class... Seen, class Part, class... Parts>
consteval auto find_culprit_in(TypeList<Part, Parts...>) {
    if constexpr (std::is_void_v<Part>) {
        return TypeList<T>{};
    } else if constexpr (!travels<Part, T, Seen...>()) {
        return find_culprit<std::remove_cv_t<std::remove_all_extents_t<Part>>, T, Seen...>();
    } else {
        return find_culprit_in<T, Seen...>(TypeList<Parts...>{});
    }
}

/// The innermost part of T that is why T cannot travel.
template <class T, class... Seen>
consteval auto find_culprit() {
    if constexpr (requires { typename Codec<T>::parts; }) {
        return find_culprit_in<T, Seen...>(typename Codec<T>::parts{});
    } else {
        return TypeList<T>{};
    }
}

template <class Culprit>
constexpr auto reject(TypeList<Culprit>) {
    static_cast<void>(sizeof(not_encodable<Culprit>));
}

/// Does not compile, and says which type is to blame, unless T is Encodable.
template <class T>
constexpr auto require_encodable() {
    if constexpr (!Encodable<T>) { reject(find_culprit<T>()); }
}

/// How a T travels. Specialise it for types of your own with encode() and decode() as here; a specialisation comes
/// before everything else that is known of T. As it stands it takes a T's serialize(), its bytes, or its fields, in
/// that order.
template <class T>
struct Codec {
    static constexpr bool by_member = HasSerialize<T>;
    static constexpr bool plain = looks_plain<T>();
    using parts = decltype(parts_of_structure<T>());

    static void encode(Writer& out, const T& value) {
        if constexpr (by_member) {
            SaveArchive archive(out);
            call_serialize(archive, const_cast<T&>(value));  // one serialize() serves both ways, so it cannot be const
        } else if constexpr (plain) {
            encode_plain(out, value);
        } else if constexpr (Encodable<T>) {
            visit_fields(value, [&](const auto&... fields) { (encode_field(out, fields), ...); });
        } else {
            require_encodable<T>();
        }
    }

    static T decode(Reader& in) {
        if constexpr (by_member) {
            T value = Access::make<T>();
            LoadArchive archive(in);
            call_serialize(archive, value);
            return value;
        } else if constexpr (std::is_same_v<T, bool>) {
            const auto byte = decode_plain<unsigned char>(in);
            if (byte > 1) { throw CodecError("procpool: the bytes of a bool are neither true nor false"); }
            return byte == 1;
        } else if constexpr (plain) {
            return decode_plain<T>(in);
        } else if constexpr (!Encodable<T>) {
            require_encodable<T>();
        } else if constexpr (any_is_array(parts{})) {
            T value{};
            visit_fields(value, [&](auto&... fields) { (decode_field(in, fields), ...); });
            return value;
        } else {
            return decode_fields(in, parts{});
        }
    }

private:
    template <class Field>
    static void encode_field(Writer& out, const Field& field) {
        if constexpr (std::is_array_v<Field>) {
            for (const auto& element : field) { encode_field(out, element); }
        } else {
            Codec<Field>::encode(out, field);
        }
    }

    template <class Field>
    static void decode_field(Reader& in, Field& field) {
        if constexpr (std::is_array_v<Field>) {
            for (auto& element : field) { decode_field(in, element); }
        } else {
            field = Codec<Field>::decode(in);
        }
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"  // a bit-field gets back what came out of it
    template <class... Fields>
    static T decode_fields(Reader& in, TypeList<Fields...>) {
        return T{Codec<Fields>::decode(in)...};
    }
#pragma GCC diagnostic pop
};

}  // namespace procpool
