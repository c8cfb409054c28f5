// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Codec<T>: how a T travels, and Encodable<T>: whether it does.

#include <procpool/codec/aggregate.hpp>
#include <procpool/codec/archive.hpp>
#include <procpool/codec/built_in.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/codec/values.hpp>
#include <procpool/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>

namespace procpool::inline v0::detail::codec {

/// A union, which cannot be looked into, but too small for a pointer.
template <class T>
inline constexpr bool is_small_union_v = std::is_union_v<T> && sizeof(T) < sizeof(void*);

struct NotPlain {
    template <class T>
    static constexpr bool holds =
        !is_plain_v<T> && !(is_small_union_v<T> && is_unnamed_union_v<T>);  // which GCC takes for immovable
};

template <class... Fields>
consteval bool any_is_reference(TypeList<Fields...>) {
    return (std::is_reference_v<Fields> || ...);
}

/// Whether a field may be a reference, which makes a class one that cannot be assigned to.
template <class T>
consteval bool may_hold_reference() {
    if constexpr (std::is_copy_assignable_v<T> || std::is_move_assignable_v<T>) {
        return false;
    } else if constexpr (Visitable<T>) {
        return any_is_reference(fields_t<T>{});
    } else {
        return true;
    }
}

template <class T>
consteval bool looks_plain() {
    if constexpr (std::is_pointer_v<T> || std::is_array_v<T> || !std::is_trivially_copyable_v<T> ||
                  !std::is_move_constructible_v<T>) {
        return false;
    } else if constexpr (HasSerialize<T> || RefersElsewhere<T>) {
        return false;
    } else if constexpr ((!std::is_class_v<T> && !std::is_union_v<T>) || std::is_empty_v<T> || enable_plain<T>) {
        return true;
    } else if constexpr (std::is_union_v<T>) {
        return is_small_union_v<T>;
    } else if constexpr (AggregateClass<T>) {
        return !may_have_field_that<T, NotPlain>() && !may_hold_reference<T>();
    } else {
        return false;
    }
}

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
    } else if constexpr (RefersElsewhere<T> || !Visitable<T>) {
        return NoEncoding{};
    } else if constexpr (any_is_array(fields_t<T>{}) && !std::is_default_constructible_v<T>) {
        return NoEncoding{};
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
    } else if constexpr (requires { requires Codec<T>::travels_by_address; }) {
        return true;
    } else if constexpr (requires { typename Codec<T>::parts; }) {
        return all_travel(typename Codec<T>::parts{}, TypeList<T, Seen...>{});
    } else {
        return requires(Writer & out, Reader & in, const T& value) {
            Codec<T>::encode(out, value);
            { Codec<T>::decode(in) } -> std::convertible_to<T>;
        };
    }
}

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Types that travel: their values can be turned into bytes and back. Const and a reference are ignored.
template <class T>
concept Encodable = detail::codec::travels<std::remove_cvref_t<T>>();

/// How a T travels. Unspecialised it takes a T's serialize(), its bytes, or its fields, in that order, and knows the
/// standard library's types. A specialisation for a type of your own comes before all that, and has
///
///     static void encode(Writer& out, const T& value);
///     static T decode(Reader& in);
///
/// Both may throw; decode() throws CodecError when the bytes are no T.
template <class T>
struct Codec : detail::codec::BuiltInCodec<T> {};

}  // namespace procpool

namespace procpool::inline v0::detail::codec {

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

/// Why a type does not travel that is no composition of others, or one that cannot be taken apart.
enum class Obstacle {
    no_codec,      ///< nothing is known of it
    reference,     ///< it is a reference
    refers,        ///< it is an iterator, a view or the like of a pointer
    hidden,        ///< its bytes can be copied, but may hide a pointer
    closure,       ///< what it captured cannot be copied as bytes
    not_visitable  ///< it is an aggregate whose fields cannot be found
};

template <class T>
consteval Obstacle find_obstacle() {
    if constexpr (std::is_reference_v<T>) {
        return Obstacle::reference;
    } else if constexpr ((RefersElsewhere<T> && (!PointerLike<T> || std::is_trivially_copyable_v<T>)) ||
                         LooksLikeView<T>) {
        return Obstacle::refers;  // a std::shared_ptr and its like may get a Codec
    } else if constexpr (is_closure_v<T>) {
        return Obstacle::closure;
    } else if constexpr ((std::is_class_v<T> || std::is_union_v<T>)&&std::is_trivially_copyable_v<T> &&
                         std::is_move_constructible_v<T>) {
        return Obstacle::hidden;
    } else if constexpr (AggregateClass<T>) {
        return Obstacle::not_visitable;
    } else {
        return Obstacle::no_codec;
    }
}

template <class T>
struct not_encodable {
    static constexpr Obstacle obstacle = find_obstacle<T>();
    static_assert(
        obstacle != Obstacle::no_codec,
        "procpool: this type cannot travel between processes: give it a serialize(Archive&) member, specialise "
        "procpool::Codec<T> for it, or make it an aggregate of encodable types (public members, no constructors, no "
        "virtual functions)");
    static_assert(
        obstacle != Obstacle::reference,
        "procpool: a reference cannot travel between processes, for it means nothing to another one: use a value");
    static_assert(obstacle != Obstacle::refers,
                  "procpool: an iterator, a view or a pointer-like type cannot travel between processes, for what it "
                  "refers to stays behind: "
                  "give the elements themselves, as a std::vector or std::string, or a std::span or SharedArray of "
                  "them; a type that only looks "
                  "like one of those needs a procpool::Codec<T>");
    static_assert(obstacle != Obstacle::hidden,
                  "procpool: this type cannot travel between processes as it is, for nobody can look into it, and it "
                  "may hide a pointer: "
                  "if it holds no pointer or reference, write "
                  "template <> inline constexpr bool procpool::enable_plain<T> = true; with this type for T; "
                  "otherwise specialise procpool::Codec<T> for it, or give it a serialize(Archive&) member");
    static_assert(obstacle != Obstacle::closure,
                  "procpool: this closure cannot travel between processes: it captured a string, a container or "
                  "another value that is more than its bytes. Write a struct with an operator(), whose members travel, "
                  "or procpool::bind_front(f, values...)");
    static_assert(obstacle != Obstacle::not_visitable,
                  "procpool: this aggregate cannot travel between processes, for it cannot be taken apart, with a base "
                  "class, a reference, an unnamed union, or more than 32 members that are not trivially copyable: give "
                  "it a serialize(Archive&) member, specialise procpool::Codec<T> for it, or make the base a member");
};

/// How a type was met: path<Outer, member<2, std::vector<Inner>>, part<1, Inner>> is the elements of Outer's second
/// member. Compilers print it.
template <class Outermost, class... Steps>
struct path {};
/// A member of an aggregate, counted from 1.
template <std::size_t number, class T>
struct member {};
/// A part of a container, pair, optional or other Codec, counted from 1.
template <std::size_t number, class T>
struct part {};

/// A type that does not travel, and where it is.
template <class T, class Where>
struct Culprit {};

template <class T, class Path, class... Seen>
consteval auto find_culprit();

template <class T, std::size_t Number, class... Steps, class... Seen, class Part, class... Parts>
consteval auto find_culprit_in(path<Steps...>, TypeList<Seen...>, TypeList<Part, Parts...>) {
    if constexpr (std::is_void_v<Part>) {
        return Culprit<T, path<Steps...>>{};
    } else if constexpr (!travels<Part, T, Seen...>()) {
        using Bare = std::remove_cv_t<std::remove_all_extents_t<Part>>;
        using Step = std::conditional_t < AggregateClass<T>&& requires { Codec<T>::by_member; }
        , member<Number, Part>, part < Number, Part >> ;
        return find_culprit<Bare, path<Steps..., Step>, T, Seen...>();
    } else {
        return find_culprit_in<T, Number + 1>(path<Steps...>{}, TypeList<Seen...>{}, TypeList<Parts...>{});
    }
}

/// The innermost part of T that is why T cannot travel.
template <class T, class Path, class... Seen>
consteval auto find_culprit() {
    if constexpr (requires { typename Codec<T>::parts; }) {
        return find_culprit_in<T, 1>(Path{}, TypeList<Seen...>{}, typename Codec<T>::parts{});
    } else {
        return Culprit<T, Path>{};
    }
}

template <class T, class Where>
constexpr auto reject(Culprit<T, Where>) {
    static_cast<void>(sizeof(not_encodable<T>));
}

/// Does not compile, and says which type is to blame, unless T is Encodable.
template <class T>
constexpr auto require_encodable() {
    if constexpr (!Encodable<T>) { reject(find_culprit<T, path<T>>()); }
}

[[noreturn]] void refuse_bool();

template <class T, StandardKind>
struct BuiltInCodec {
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
            if (byte > 1) [[unlikely]] { refuse_bool(); }
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

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/codec.ipp>
#endif
