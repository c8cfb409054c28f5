// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Pointers and references: they travel as addresses where those mean the same for the receiver, and are refused
/// elsewhere.

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

[[noreturn]] void refuse_code(const std::type_info& function);
[[noreturn]] void refuse_bytes_of_code();

[[noreturn]] void refuse_null_reference();

template <class T>
requires(std::is_object_v<T> || std::is_void_v<T>) struct BuiltInCodec<T*, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, T* const& pointer) { encode_address(out, to_plain_address(pointer), typeid(T*)); }
    static T* decode(Reader& in) { return decode_address<T>(in, 1); }
};

/// Code is where it is in every process of the program.
template <class Function>
requires std::is_function_v<Function>
struct BuiltInCodec<Function*, StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, Function* const& function) {
        const auto* const code = reinterpret_cast<const void*>(function);
        if (code != nullptr && out.visibility_of(code) == Visibility::this_process) { refuse_code(typeid(Function)); }
        encode_plain(out, function);
    }
    static Function* decode(Reader& in) {
        const auto code = decode_plain<std::uintptr_t>(in);
        if (code != 0 && in.visibility_of(reinterpret_cast<const void*>(code)) == Visibility::this_process) {
            refuse_bytes_of_code();
        }
        return reinterpret_cast<Function*>(code);
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
        T* const referred = decode_address<T>(in, 1);
        if (referred == nullptr) { refuse_null_reference(); }
        return *referred;
    }
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/address.ipp>
#endif
