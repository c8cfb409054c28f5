// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wire_type<T>: the type that an argument travels as, and the conversion to it.

#include <procpool/codec/text.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::codec {

template <class C>
concept Character = std::is_same_v<C, char> || std::is_same_v<C, wchar_t> || std::is_same_v<C, char8_t> ||
    std::is_same_v<C, char16_t> || std::is_same_v<C, char32_t>;

[[noreturn]] void refuse_null_text();

/// The type that an argument of decayed type T travels as: from() makes a `type` of it. Specialise it for types that
/// arrive as another.
template <class T>
struct wire_type {
    using type = T;
    static const T& from(const T& argument) noexcept { return argument; }
};

/// Text arrives as a string of its own. Throws: CodecError when there is none.
template <class C>
requires Character<std::remove_const_t<C>>
struct wire_type<C*> {
    using type = std::basic_string<std::remove_const_t<C>>;
    static type from(const C* text) {
        if (text == nullptr) [[unlikely]] { refuse_null_text(); }
        return text;
    }
};

template <class C, class Traits>
struct wire_type<std::basic_string_view<C, Traits>> {
    using type = std::basic_string<C, Traits>;
    static type from(std::basic_string_view<C, Traits> text) { return type(text); }
};

/// A proxy of one bit that a std::vector<bool> gives for its elements. std::vector<bool> is looked at only for types
/// that may be it, for that takes the compiler's time.
template <class T>
concept BitProxy = std::is_class_v<T> && requires(T& bit) {
    bit.flip();
} && std::is_same_v < T, typename std::vector < std::conditional_t < std::is_class_v<T>,
bool, T >> ::reference > ;

/// Travels as a bool.
template <BitProxy T>
struct wire_type<T> {
    using type = bool;
    static type from(const T& bit) noexcept { return bit; }
};

template <class Argument>
using wire_type_t = typename wire_type<std::decay_t<Argument>>::type;

/// Returns: the argument as the type that it travels as, by reference where that is its own type. An array or function
/// decays, so by value.
template <class Argument>
[[nodiscard]] decltype(auto) to_wire(const Argument& argument) {
    if constexpr (std::is_array_v<Argument>) {
        using C = std::remove_cv_t<std::remove_extent_t<Argument>>;
        if constexpr (Character<C>) {  // which need not end with a zero
            const std::basic_string_view<C> all(argument, std::extent_v<Argument>);
            return wire_type_t<Argument>(all.substr(0, all.find(C{})));
        } else {
            std::remove_extent_t<Argument>* const first = const_cast<std::remove_extent_t<Argument>*>(argument);
            return wire_type_t<Argument>(wire_type<std::decay_t<Argument>>::from(first));
        }
    } else if constexpr (std::is_function_v<Argument>) {
        Argument* const function = argument;
        return wire_type_t<Argument>(wire_type<Argument*>::from(function));
    } else {
        return wire_type<std::decay_t<Argument>>::from(argument);
    }
}

/// A string for functions that want a const C*.
template <class C>
class BasicTextArgument : public std::basic_string<C> {
public:
    BasicTextArgument() = default;
    explicit BasicTextArgument(std::basic_string<C> text) noexcept : std::basic_string<C>(std::move(text)) {}
    operator const C*() const noexcept { return this->c_str(); }
};

using TextArgument = BasicTextArgument<char>;

template <class C>
struct BuiltInCodec<BasicTextArgument<C>, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const BasicTextArgument<C>& text) {
        Codec<std::basic_string<C>>::encode(out, text);
    }
    static BasicTextArgument<C> decode(Reader& in) {
        return BasicTextArgument<C>(Codec<std::basic_string<C>>::decode(in));
    }
};

/// as_pointer: the type of an argument for a function that does not take the string it travels as: the same bytes,
/// another type.
template <class Argument, class Stored = wire_type_t<Argument>>
struct as_pointer {
    using type = Stored;
};
template <class C>
struct as_pointer<C*, std::basic_string<std::remove_const_t<C>>> {
    using type = BasicTextArgument<std::remove_const_t<C>>;
};
template <class C>
struct as_pointer<std::basic_string_view<C>, std::basic_string<C>> {
    using type = BasicTextArgument<C>;
};

template <class Argument>
using wire_type_as_pointer_t = typename as_pointer<std::decay_t<Argument>>::type;

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/wire_type.ipp>
#endif
