// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/callable.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>
#include <procpool/os/code_name.hpp>

#include <string>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_captures(const std::type_info& function) {
    std::string text =
        "procpool: " + type_name(function) +
        " captured a reference or pointer to memory that only this process has: capture by value (instead "
        "of `this`, the members that it needs), pass it as an argument, bind it with "
        "procpool::bind_front(f, values...), put it in shared memory (SharedArray, Shared), use "
        "fork_map, or wrap the function in procpool::snapshot(); a task that needs a pool builds its own";
    if (!numbers_are_told_apart) {
        text +=
            "; or, if it is a number that only looks like such an address, pass it as an argument or through "
            "procpool::bind_front()";
    }
    throw CodecError(text);
}

[[gnu::cold]] PROCPOOL_DECL void refuse_named_captures(const std::type_info& function) {
    throw CodecError("procpool: " + type_name(function) +
                     " captured a pointer to static data (or a function), which lies elsewhere on other machines: let "
                     "the function name it instead of capturing it, capture the value, pass it as an argument, or bind "
                     "it with procpool::bind_front(f, values...)");
}

PROCPOOL_DECL void encode_static(Writer& out, const void* object, std::size_t size, const std::type_info& type) {
    const void* address = nullptr;
    std::memcpy(&address, object, sizeof(address));
    const Visibility visibility = out.visibility_of(address);
    if (visibility == Visibility::this_process) { refuse_captures(type); }
    auto word = reinterpret_cast<std::uintptr_t>(address);
    if (visibility == Visibility::named) { word = os::name_of(word); }
    if (word == 0 && address != nullptr) { refuse_named_captures(type); }
    out.write(&word, sizeof(word));
    out.write(static_cast<const std::byte*>(object) + sizeof(word), size - sizeof(word));
}

PROCPOOL_DECL void decode_static(Reader& in, void* object, std::size_t size) {
    in.read(object, size);
    std::uintptr_t word = 0;
    std::memcpy(&word, object, sizeof(word));
    if (!os::is_code_name(word)) { return; }
    const std::uintptr_t address = os::address_of(word);
    if (address == 0) {
        throw CodecError("procpool: what a value names is not loaded in this process, or is of another build: " +
                         os::explain_name(word));
    }
    std::memcpy(object, &address, sizeof(address));
}

[[gnu::cold]] PROCPOOL_DECL void refuse_snapshot(const std::type_info& function) {
    throw CodecError("procpool: " + type_name(function) +
                     ", given to procpool::snapshot(), refers to memory that is newer than the workers: build the "
                     "pool after that memory has been filled, or call refork() then");
}

}  // namespace procpool::detail::codec
