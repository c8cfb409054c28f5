// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// add_value(), add_callable(): what a memo's key has of an argument, and of a function. Equal values give equal bytes:
/// padding is left out, unordered containers give the bytes that any order of theirs would. What has no such bytes does
/// not compile.

#include <procpool/codec/archive.hpp>
#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/persist/code_identity.hpp>
#include <procpool/persist/digest.hpp>
#include <procpool/persist/ignore.hpp>
#include <procpool/persist/lasting.hpp>

#include <algorithm>
#include <array>
#include <cfloat>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// The bytes of a key, as they are put together.
class KeyBytes {
public:
    KeyBytes() noexcept : writer_(few_, grow, this, visibility_in_another_run) {}
    KeyBytes(const KeyBytes&) = delete;
    KeyBytes& operator=(const KeyBytes&) = delete;

    [[nodiscard]] Writer& writer() noexcept { return writer_; }
    [[nodiscard]] Digest digest() const noexcept { return digest_of(writer_.buffer().first(writer_.size())); }

private:
    [[nodiscard]] static std::span<std::byte> grow(void* owner, std::span<std::byte> current, std::size_t used,
                                                   std::size_t need) {
        auto& many = static_cast<KeyBytes*>(owner)->many_;
        const bool is_first = many.empty();
        many.resize(std::max(need, 2 * current.size()));
        if (is_first && used != 0) { std::memcpy(many.data(), current.data(), used); }
        return many;
    }

    std::array<std::byte, 512> few_;
    std::vector<std::byte> many_;
    Writer writer_;
};

template <class T>
struct not_a_key {
    static_assert(
        codec::never<T>,
        "procpool: a memo cannot look up results by this type, whose bytes may differ where values are equal, "
        "for padding or a union that cannot be looked into: make it an aggregate of other types, give it a "
        "serialize(Archive&) member, specialise procpool::Codec<T> for it, or pass it as "
        "procpool::ignore(value)");
};
template <class T>
struct address_is_no_key {
    static_assert(codec::never<T>,
                  "procpool: a memo cannot look up results by a pointer, reference or view of what others may change, "
                  "since an address means nothing to the next run: pass the value, or procpool::ignore(value)");
};
template <class T>
constexpr auto refuse_key() {
    static_cast<void>(sizeof(not_a_key<T>));
}

template <class T>
constexpr auto refuse_address() {
    static_cast<void>(sizeof(address_is_no_key<T>));
}

template <class T>
inline constexpr bool refers_v = std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>;
template <class T>
inline constexpr bool refers_v<std::reference_wrapper<T>> = !std::is_function_v<T>;
template <class T, std::size_t Extent>
inline constexpr bool refers_v<std::span<T, Extent>> = !std::is_const_v<T>;

/// Whether the values of T have one representation each, but for floating-point numbers, which are taken by their bits.
template <class T>
consteval bool is_dense() {
    if constexpr (std::is_array_v<T>) {
        return is_dense<std::remove_all_extents_t<T>>();
    } else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
        return true;
    } else if constexpr (std::is_class_v<T> && !codec::is_plain_v<T> && !codec::Searched<T>) {
        return false;  // a Codec of the user's, or a member that is ignored
    } else {
        return std::has_unique_object_representations_v<T>;
    }
}

/// Whether a class of the standard library has nothing but values of one dense type, as std::complex and durations.
template <class T>
consteval bool is_dense_standard() {
    if constexpr (!codec::StandardValue<T>) {
        return false;
    } else if constexpr (requires { typename T::rep; }) {
        return sizeof(T) == sizeof(typename T::rep) && is_dense<typename T::rep>();
    } else if constexpr (codec::name_in_standard(type_text<T>()) == "complex") {
        return is_dense<typename T::value_type>();
    } else {
        return false;
    }
}

struct IsPaddedUnion {
    template <class T>
    static constexpr bool holds = std::is_union_v<T> && !std::has_unique_object_representations_v<T>;
};

template <class T>
consteval bool may_hold_padded_union() {
    if constexpr (std::is_union_v<T>) {
        return true;
    } else if constexpr (codec::AggregateClass<T>) {
        return codec::may_have_field_that<T, IsPaddedUnion>();
    } else {
        return false;
    }
}

/// Effects: writes the bytes of a value, those of its padding as zeros. Requires: CopiedAsBytes<T>.
template <class T>
void add_bytes(Writer& out, const T& value) {
    if constexpr (std::is_empty_v<T>) {
        return;
    } else if constexpr (is_dense<T>() || is_dense_standard<T>()) {
        out.write(std::addressof(value), sizeof(T));
    } else if constexpr (std::is_same_v<T, long double>) {
        out.write(std::addressof(value), LDBL_MANT_DIG == 64 ? 10 : sizeof(T));  // of the x87, the rest is padding
    } else if constexpr (may_hold_padded_union<T>()) {
        refuse_key<T>();
    } else {
#if defined(__has_builtin) && __has_builtin(__builtin_clear_padding)
        T copy = codec::value_from_bytes<T>(std::addressof(value));
        __builtin_clear_padding(std::addressof(copy));
        out.write(std::addressof(copy), sizeof(T));
#else
        if constexpr (is_closure_v<T> && sizeof(T) == alignof(T)) {  // one member of that size
            out.write(std::addressof(value), sizeof(T));
        } else {
            refuse_key<T>();
        }
#endif
    }
}

template <class T>
void add_value(Writer& out, const T& value);
template <class F>
void add_callable(Writer& out, const F& f, bool by_symbol = false);

/// The archive that serialize() gets for a key, where it takes any.
class KeyArchive : public codec::ArchiveSyntax<KeyArchive> {
public:
    using is_saving = std::true_type;
    using is_loading = std::false_type;

    explicit KeyArchive(Writer& out) noexcept : out_(out) {}

    template <class T>
    KeyArchive& operator<<(const T& value) {
        return (*this)(value);
    }

private:
    friend codec::ArchiveSyntax<KeyArchive>;
    template <class T>
    void one(const T& value) {
        add_value(out_, value);
    }
    void bytes(const void* data, std::size_t size) { out_.write(data, size); }

    Writer& out_;
};

/// Elements one after the other, numbers as a block.
template <class Elements>
void add_elements(Writer& out, const Elements& elements) {
    using Element = std::remove_cvref_t<decltype(*elements.begin())>;
    constexpr bool is_number = std::is_arithmetic_v<Element> || std::is_enum_v<Element>;
    if constexpr (requires { elements.data(); } && is_number && is_dense<Element>()) {
        out.write(elements.data(), elements.size() * sizeof(Element));
    } else {
        for (const auto& element : elements) { add_value<Element>(out, element); }
    }
}

/// Elements in the order of their digests, which does not depend on theirs.
template <class Container, class Add>
void add_unordered(Writer& out, const Container& container, const Add& add) {
    std::vector<Digest> digests;
    digests.reserve(container.size());
    for (const auto& element : container) {
        KeyBytes bytes;
        add(bytes.writer(), element);
        digests.push_back(bytes.digest());
    }
    std::ranges::sort(digests);
    out.write(digests.data(), digests.size() * sizeof(Digest));
}

template <class T>
concept TupleLike = requires {
    std::tuple_size<T>::value;
};
template <class T>
concept OptionalLike = requires(const T& value) {
    value.has_value();
    *value;
};
template <class T>
inline constexpr bool is_standard_array_v = false;
template <class T, std::size_t Size>
inline constexpr bool is_standard_array_v<std::array<T, Size>> = true;
template <class T>
inline constexpr bool is_unique_pointer_v = false;
template <class T, class Deleter>
inline constexpr bool is_unique_pointer_v<std::unique_ptr<T, Deleter>> = true;
template <class T>
inline constexpr bool is_bound_front_v = false;
template <class F, class... Values>
inline constexpr bool is_bound_front_v<codec::BoundFront<F, Values...>> = true;

template <class C, class Traits, class Allocator>
[[nodiscard]] std::basic_string_view<C, Traits> view_text(const std::basic_string<C, Traits, Allocator>& text) {
    return text;
}
template <class T>
concept Text = requires(const T& text) {
    view_text(text);
};

/// A Codec of the user's own, or of a header such as eigen.hpp.
template <class T>
inline constexpr bool has_own_codec_v = !std::is_base_of_v<codec::BuiltInCodec<T>, Codec<T>>;

template <class T>
concept ArchivesKeys = codec::HasSerialize<T> &&
    (codec::find_archiving<T, KeyArchive, LoadArchive>() == codec::find_archiving<T, SaveArchive, LoadArchive>());

template <class Adaptor>
struct Within : Adaptor {
    static const typename Adaptor::container_type& of(const Adaptor& adaptor) { return adaptor.*(&Within::c); }
};

template <class T>
void add_size(Writer& out, const T& container) {
    codec::encode_length(out, container.size());
}

/// A container, text or adaptor of the standard library.
template <class T>
consteval bool is_container() {
    constexpr codec::StandardKind kind = codec::standard_kind_v<T>;
    return Text<T> || codec::is_span_v<T> || kind == codec::StandardKind::sequence ||
           kind == codec::StandardKind::forward_list || kind == codec::StandardKind::set ||
           kind == codec::StandardKind::map || kind == codec::StandardKind::adaptor ||
           codec::name_in_standard(type_text<T>()) == "vector";
}

template <class T>
void add_container(Writer& out, const T& container) {
    constexpr codec::StandardKind kind = codec::standard_kind_v<T>;
    constexpr bool is_unordered = requires { typename T::hasher; };
    if constexpr (Text<T>) {
        const auto text = view_text(container);
        add_size(out, text);
        out.write(text.data(), text.size() * sizeof(*text.data()));
    } else if constexpr (kind == codec::StandardKind::adaptor) {
        add_value(out, Within<T>::of(container));
    } else if constexpr (kind == codec::StandardKind::forward_list) {
        for (const auto& element : container) {
            out.write("+", 1);
            add_value(out, element);
        }
        out.write(".", 1);
    } else if constexpr (kind == codec::StandardKind::map) {
        const auto add = [](Writer& to, const auto& element) {
            add_value(to, element.first);
            add_value(to, element.second);
        };
        add_size(out, container);
        if constexpr (is_unordered) {
            add_unordered(out, container, add);
        } else {
            for (const auto& element : container) { add(out, element); }
        }
    } else if constexpr (is_unordered) {
        add_size(out, container);
        add_unordered(out, container, [](Writer& to, const auto& element) { add_value(to, element); });
    } else if constexpr (std::is_same_v<std::remove_cvref_t<typename T::value_type>, bool> && !codec::is_span_v<T>) {
        add_size(out, container);
        for (const bool element : container) { add_value(out, element); }
    } else {
        add_size(out, container);
        add_elements(out, container);
    }
}

/// Effects: writes what the value is to a key. T: the type of a value that travels. Throws: CodecError; what its Codec
/// throws.
template <class T>
void add_value(Writer& out, const T& value) {
    if constexpr (std::is_array_v<T>) {
        for (const auto& element : value) { add_value(out, element); }
    } else if constexpr (is_ignored_v<T> || std::is_same_v<T, std::stop_token> || std::is_null_pointer_v<T>) {
        return;
    } else if constexpr (refers_v<T>) {
        refuse_address<T>();
    } else if constexpr (is_bound_front_v<T>) {
        add_callable(out, value);
    } else if constexpr (has_own_codec_v<T>) {
        Codec<T>::encode(out, value);
    } else if constexpr (ArchivesKeys<T>) {
        KeyArchive archive(out);
        codec::call_serialize(archive, const_cast<T&>(value));  // as SaveArchive's
    } else if constexpr (codec::HasSerialize<T>) {
        Codec<T>::encode(out, value);
    } else if constexpr (codec::Searched<T> || is_closure_v<T>) {
        add_callable(out, value);
    } else if constexpr (is_container<T>()) {
        add_container(out, value);
    } else if constexpr (codec::standard_kind_v<T> == codec::StandardKind::variant) {
        codec::encode_length(out, value.index());
        if (value.valueless_by_exception()) { return; }
        visit([&](const auto& alternative) { add_value(out, alternative); }, value);
    } else if constexpr (codec::standard_kind_v<T> == codec::StandardKind::path) {
        add_value(out, value.native());
    } else if constexpr (is_unique_pointer_v<T>) {
        add_value(out, value != nullptr);
        if (value != nullptr) { add_value(out, *value); }
    } else if constexpr (OptionalLike<T> && !std::is_aggregate_v<T>) {
        add_value(out, value.has_value());
        if (value.has_value()) { add_value(out, *value); }
    } else if constexpr (codec::is_plain_v<T> && is_dense<T>() && !std::is_pointer_v<T>) {
        add_bytes(out, value);
    } else if constexpr (is_standard_array_v<T>) {
        add_elements(out, value);
    } else if constexpr (TupleLike<T>) {
        std::apply([&](const auto&... elements) { (add_value(out, elements), ...); }, value);
    } else if constexpr (codec::Visitable<T>) {
        codec::visit_fields(value, [&](const auto&... fields) { (add_value(out, fields), ...); });
    } else if constexpr (codec::is_plain_v<T>) {
        add_bytes(out, value);
    } else {
        Codec<T>::encode(out, value);
    }
}

/// Effects: writes what a function is to a key: its captures and members, and the code that a pointer names; by_symbol:
/// by the name that another build knows it by. Throws: as add_value().
template <class F>
void add_callable(Writer& out, const F& f, bool by_symbol) {
    constexpr codec::CallableKind kind = codec::callable_kind_v<F>;
    if constexpr (is_closure_v<F>) {
        if (!by_symbol) { codec::encode_plain(out, name_of_types<F>()); }
    }
    if constexpr (is_bound_front_v<F>) {
        add_callable(out, f.f, by_symbol);
        add_value(out, f.values);
    } else if constexpr (kind == codec::CallableKind::pointer && std::is_pointer_v<F>) {
        if (by_symbol) {
            add_value(out, name_of_function(reinterpret_cast<const void*>(f)));
        } else {
            const os::CodeName name = f == nullptr ? 0 : name_in_build(reinterpret_cast<const void*>(f));
            codec::encode_plain(out, name);
        }
    } else if constexpr (kind == codec::CallableKind::pointer) {
        Codec<F>::encode(out, f);
    } else if constexpr (codec::is_snapshot_v<F>) {
        static_assert(codec::never<F>,
                      "procpool: a memo cannot look up results of a snapshot(), which depend on memory of this run: "
                      "pass that as arguments, or bind it by procpool::bind_front(f, values...)");
    } else if constexpr (kind == codec::CallableKind::value) {
        add_value(out, f);
    } else if constexpr (codec::NamesStatic<F>) {
        codec::encode_callable(out, f);
    } else if constexpr (kind == codec::CallableKind::bytes) {
        codec::check_captures(f, visibility_in_another_run);
        add_bytes(out, f);
    }
}

}  // namespace procpool::detail::persist
