// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Pointers and references: they travel as addresses where those mean the same for the receiver; functions by their
/// os::CodeName where the receiver has them elsewhere. Others are refused.

#include <procpool/codec/codec.hpp>
#include <procpool/core/config.hpp>
#include <procpool/os/code_name.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <typeinfo>

namespace procpool::inline v0::detail::codec {

/// Effects: writes the address, which a value of type `holder` holds. Throws: CodecError, unless it is null or in
/// memory that the receiver shares.
void encode_address(Writer& out, const void* address, const std::type_info& holder);

/// Returns: where `count` objects of this size and alignment lie, or null. Throws: CodecError unless that is null, or
/// aligned, and all in memory that the sender shares.
[[nodiscard]] void* decode_address(Reader& in, std::uint64_t count, std::size_t size, std::size_t alignment);

template <class T>
[[nodiscard]] const void* to_plain_address(T* address) noexcept {
    return const_cast<const void*>(static_cast<const volatile void*>(address));
}

template <class T>
[[nodiscard]] T* decode_address(Reader& in, std::uint64_t count) {
    if constexpr (requires { sizeof(T); } && std::is_object_v<T>) {  // it may be incomplete
        return reinterpret_cast<T*>(decode_address(in, count, sizeof(T), alignof(T)));
    } else {
        return reinterpret_cast<T*>(decode_address(in, count, 1, 1));
    }
}

/// Returns: what to write for the code at `address`, which differs_there(): its name. Throws: CodecError when it has
/// none, or the receiver does not have it.
[[nodiscard]] std::uintptr_t name_code(const Writer& out, std::uintptr_t address, const std::type_info& function);
/// Returns: the code that a name means here. Throws: CodecError when it is not loaded here.
[[nodiscard]] std::uintptr_t code_named(std::uint64_t name);
[[noreturn]] void refuse_bytes_of_code();

/// As name_code(), for any code: its address where that is the same there.
[[nodiscard]] inline std::uintptr_t write_code(const Writer& out, std::uintptr_t address,
                                               const std::type_info& function) {
    return differs_there(out.visibility_of(reinterpret_cast<const void*>(address))) ? name_code(out, address, function)
                                                                                    : address;
}
/// Returns: the address of the code for which write_code() returned `word`. Throws: CodecError when this process does
/// not have it.
[[nodiscard]] inline std::uintptr_t read_code(const Reader& in, std::uintptr_t word) {
    if (os::is_code_name(word)) [[unlikely]] { return code_named(word); }
    if (differs_there(in.visibility_of(reinterpret_cast<const void*>(word)))) { refuse_bytes_of_code(); }
    return word;
}

[[noreturn]] void refuse_null_reference();

template <class T>
requires(std::is_object_v<T> || std::is_void_v<T>) struct BuiltInCodec<T*, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, T* const& pointer) { encode_address(out, to_plain_address(pointer), typeid(T*)); }
    static T* decode(Reader& in) { return decode_address<T>(in, 1); }
};

template <class Function>
requires std::is_function_v<Function>
struct BuiltInCodec<Function*, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, Function* const& function) {
        encode_plain(out, write_code(out, reinterpret_cast<std::uintptr_t>(function), typeid(Function)));
    }
    static Function* decode(Reader& in) {
        return reinterpret_cast<Function*>(read_code(in, decode_plain<std::uintptr_t>(in)));
    }
};

/// A pointer to a member function, as the Itanium C++ ABI has it (2.3): the address of code, or something small that
/// leads to an entry in a table of virtual functions; and what to add to `this`. The entry is the same wherever the
/// build is loaded.
struct MethodWords {
    std::uintptr_t code;
    std::ptrdiff_t adjustment;

    [[nodiscard]] bool is_virtual() const noexcept {
#if defined(__arm__) || defined(__aarch64__)  // code may have odd addresses
        return (adjustment & 1) != 0;
#else
        return (code & 1) != 0;
#endif
    }
};

template <class Method>
requires std::is_member_function_pointer_v<Method>
struct BuiltInCodec<Method, StandardKind::other> {
    using parts = TypeList<>;
    static_assert(sizeof(Method) == sizeof(MethodWords));

    static void encode(Writer& out, const Method& method) {
        auto words = value_from_bytes<MethodWords>(std::addressof(method));
        if (!words.is_virtual()) { words.code = write_code(out, words.code, typeid(Method)); }
        encode_plain(out, words);
    }
    static Method decode(Reader& in) {
        auto words = decode_plain<MethodWords>(in);
        if (!words.is_virtual()) { words.code = read_code(in, words.code); }
        return value_from_bytes<Method>(std::addressof(words));
    }
};

template <class T>
struct BuiltInCodec<std::reference_wrapper<T>, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::reference_wrapper<T>& reference) {
        if constexpr (std::is_function_v<T>) {
            Codec<T*>::encode(out, std::addressof(reference.get()));
        } else {
            encode_address(out, to_plain_address(std::addressof(reference.get())), typeid(std::reference_wrapper<T>));
        }
    }
    static std::reference_wrapper<T> decode(Reader& in) {
        T* const referred = [&] {
            if constexpr (std::is_function_v<T>) {
                return Codec<T*>::decode(in);
            } else {
                return decode_address<T>(in, 1);
            }
        }();
        if (referred == nullptr) { refuse_null_reference(); }
        return *referred;
    }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/address.ipp>
#endif
