// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/lasting.hpp>

#include <procpool/codec/text.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/symbols.hpp>
#include <procpool/persist/checksum.hpp>

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace procpool::inline v0::detail::persist {

PROCPOOL_DECL codec::Visibility visibility_in_another_run(const void* address) {
    if (!os::may_be_address(address)) { return codec::Visibility::everywhere; }
    if (os::name_of(reinterpret_cast<std::uintptr_t>(address)) != 0) { return codec::Visibility::named; }
    return os::is_readable(address) ? codec::Visibility::this_process : codec::Visibility::everywhere;
}

PROCPOOL_DECL std::string name_of_code(std::uintptr_t address) {
    const os::CodeName name = os::name_of(address);
    if (name == 0) {
        throw CodecError(
            "procpool: the code of this call has no name in another run, since the build ids of two modules cannot be "
            "told apart: set MapOptions::journal_version");
    }
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%llx", static_cast<unsigned long long>(name & UINT32_MAX));
    return "build " + os::build_of(name) + offset;
}

PROCPOOL_DECL void write_function(Writer& out, std::uintptr_t address, bool by_version) {
    if (by_version) {
        if (const std::string symbol = os::function_at(address); !symbol.empty()) {
            return Codec<std::string>::encode(out, symbol);
        }
    }
    Codec<std::string>::encode(out, name_of_code(address));
}

PROCPOOL_DECL std::string text_of_function(std::span<const std::byte> bytes) {
    constexpr std::size_t few = 1024;
    if (bytes.size() <= few) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
    const std::uint64_t checksum = checksum_of(bytes);
    char text[128];
    std::snprintf(text, sizeof text, "%zu bytes with checksums %016llx and %016llx", bytes.size(),
                  static_cast<unsigned long long>(checksum),
                  static_cast<unsigned long long>(checksum_of(bytes, checksum)));
    return text;
}

PROCPOOL_DECL void write_words(Writer& out, std::span<std::byte> bytes,
                               core::FunctionRef<bool(std::size_t)> may_be_captured, bool by_version,
                               const std::type_info& type) {
    for (std::size_t offset = 0; offset + sizeof(std::uintptr_t) <= bytes.size(); offset += sizeof(std::uintptr_t)) {
        std::uintptr_t word = 0;
        std::memcpy(&word, bytes.data() + offset, sizeof word);
        const codec::Visibility visibility = visibility_in_another_run(reinterpret_cast<const void*>(word));
        if (!codec::differs_there(visibility) || !may_be_captured(offset)) { continue; }
        if (visibility == codec::Visibility::named) {
            word = os::name_of(word);
        } else if (by_version) {
            word = 0;
        } else {
            throw CodecError("procpool: " + type_name(type) +
                             " refers to memory, and a journal cannot tell whether that is the same in another run: "
                             "set MapOptions::journal_version, and change it when what is there changes");
        }
        std::memcpy(bytes.data() + offset, &word, sizeof word);
    }
    out.write(bytes.data(), bytes.size());
}

PROCPOOL_DECL void require_version_for_state(const std::type_info& type, bool by_version) {
    if (by_version) { return; }
    throw CodecError("procpool: a journal cannot tell whether the workers' " + type_name(type) +
                     " is the same in another run: set MapOptions::journal_version, and change it when that changes");
}

}  // namespace procpool::detail::persist
