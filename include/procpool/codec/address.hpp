// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Pointers and references: they travel as addresses where those mean the same for the receiver, and are refused
/// elsewhere.

#include <procpool/codec/codec.hpp>
#include <procpool/core/type_name.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace procpool::inline v0 {

/// What a CodecError about an address says its reader can do instead.
inline constexpr const char* ways_out =
    "capture by value, pass it as an argument, bind it with procpool::bind_front(f, values...), put it in shared "
    "memory "
    "(SharedArray, Shared), use fork_map, or wrap the function in procpool::snapshot()";

/// Throws: CodecError, unless `address` is null or in memory that the receiver shares.
template <class T>
void encode_address(Writer& out, const volatile void* address) {
    const void* const plain = const_cast<const void*>(address);
    if (plain != nullptr && out.place_of(plain) != Place::shared) {
        throw CodecError("procpool: " + type_name<T>() + " names memory that only this process has: " + ways_out);
    }
    encode_plain(out, plain);
}

/// Returns: where `count` Ts lie, or null. Throws: CodecError unless that is null, or aligned for a T and all in memory
/// that the sender shares.
template <class T>
[[nodiscard]] T* decode_address(Reader& in, std::uint64_t count) {
    const auto address = decode_plain<std::uintptr_t>(in);
    if (address == 0) { return nullptr; }
    std::size_t size = 1;
    std::size_t alignment = 1;
    if constexpr (requires { sizeof(T); } && std::is_object_v<T>) {  // it may be incomplete
        size = sizeof(T);
        alignment = alignof(T);
    }
    const auto is_shared = [&](std::uintptr_t at) {
        return in.place_of(reinterpret_cast<const void*>(at)) == Place::shared;
    };
    if (address % alignment != 0 || count > (UINTPTR_MAX - address) / size || !is_shared(address) ||
        (count != 0 && !is_shared(address + static_cast<std::size_t>(count) * size - 1))) {
        throw CodecError("procpool: the bytes of an address name no memory that is shared with the sender");
    }
    return reinterpret_cast<T*>(address);
}

template <class T>
requires(std::is_object_v<T> || std::is_void_v<T>) struct Codec<T*> {
    using parts = TypeList<>;

    static void encode(Writer& out, T* const& pointer) { encode_address<T*>(out, pointer); }
    static T* decode(Reader& in) { return decode_address<T>(in, 1); }
};

/// Code is where it is in every process of the program.
template <class Function>
requires std::is_function_v<Function>
struct Codec<Function*> {
    using parts = TypeList<>;

    static void encode(Writer& out, Function* const& function) {
        if (function != nullptr && out.place_of(reinterpret_cast<const void*>(function)) == Place::private_) {
            throw CodecError("procpool: the function of type " + type_name<Function>() +
                             " is code that the receiver does not have, such as a library loaded later");
        }
        encode_plain(out, function);
    }
    static Function* decode(Reader& in) {
        const auto address = decode_plain<std::uintptr_t>(in);
        if (address != 0 && in.place_of(reinterpret_cast<const void*>(address)) == Place::private_) {
            throw CodecError("procpool: the bytes of a function's address name no code that this process has");
        }
        return reinterpret_cast<Function*>(address);
    }
};

template <class T>
struct Codec<std::reference_wrapper<T>> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::reference_wrapper<T>& reference) {
        if constexpr (std::is_function_v<T>) {
            Codec<T*>::encode(out, std::addressof(reference.get()));
        } else {
            encode_address<std::reference_wrapper<T>>(out, std::addressof(reference.get()));
        }
    }
    static std::reference_wrapper<T> decode(Reader& in) {
        T* const referred = decode_address<T>(in, 1);
        if (referred == nullptr) { throw CodecError("procpool: the bytes of a reference refer to nothing"); }
        return *referred;
    }
};

}  // namespace procpool
