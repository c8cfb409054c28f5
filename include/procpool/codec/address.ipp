// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/address.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>

namespace procpool::inline v0::detail::codec {

PROCPOOL_DECL void encode_address(Writer& out, const void* address, const std::type_info& holder) {
    if (address != nullptr && out.visibility_of(address) != Visibility::shared) {
        throw CodecError("procpool: " + type_name(holder) +
                         " holds the address of memory that only this process has: pass or return the value itself, "
                         "which is copied, or put it in shared memory (SharedArray, Shared), whose addresses mean the "
                         "same everywhere; fork_map() may use all that this process has");
    }
    encode_plain(out, address);
}

PROCPOOL_DECL void* decode_address(Reader& in, std::uint64_t count, std::size_t size, std::size_t alignment) {
    const auto address = decode_plain<std::uintptr_t>(in);
    if (address == 0) { return nullptr; }
    const auto is_shared = [&](std::uintptr_t at) {
        return in.visibility_of(reinterpret_cast<const void*>(at)) == Visibility::shared;
    };
    if (address % alignment != 0 || count > (UINTPTR_MAX - address) / size || !is_shared(address) ||
        (count != 0 && !is_shared(address + static_cast<std::size_t>(count) * size - 1))) {
        throw CodecError("procpool: the bytes of an address name no memory that is shared with the sender");
    }
    return reinterpret_cast<void*>(address);
}

[[gnu::cold]] PROCPOOL_DECL std::uintptr_t name_code(const Writer& out, std::uintptr_t address,
                                                     const std::type_info& function) {
    if (address == 0) { return 0; }
    if (out.visibility_of(reinterpret_cast<const void*>(address)) == Visibility::this_process) {
        throw CodecError("procpool: the function of type " + type_name(function) +
                         " is code that the receiver does not have, such as a library loaded later");
    }
    const os::CodeName name = os::name_of(address);
    if (name == 0) {
        throw CodecError("procpool: the function of type " + type_name(function) +
                         " is in a library whose build id cannot be told from that of another one that is loaded");
    }
    return name;
}

[[gnu::cold]] PROCPOOL_DECL std::uintptr_t code_named(std::uint64_t name) {
    if (const std::uintptr_t code = os::code_of(name); code != 0) { return code; }
    if (os::address_of(name) != 0) { refuse_bytes_of_code(); }
    throw CodecError("procpool: the code of a function is not loaded in this process, or is of another build: " +
                     os::explain_name(name));
}

[[gnu::cold]] PROCPOOL_DECL void refuse_bytes_of_code() {
    throw CodecError("procpool: the bytes of a function's address name no code that this process has");
}

[[gnu::cold]] PROCPOOL_DECL void refuse_null_reference() {
    throw CodecError("procpool: the bytes of a reference refer to nothing");
}

}  // namespace procpool::detail::codec
