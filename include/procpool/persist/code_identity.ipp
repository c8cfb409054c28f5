// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/os/symbols.hpp>
#include <procpool/persist/code_identity.hpp>

namespace procpool::inline v0::detail::persist {

inline os::CodeName name_in_build(const void* address) {
    const os::CodeName name = os::name_of(reinterpret_cast<std::uintptr_t>(address));
    if (name == 0) {
        throw Error(
            "procpool: a memo cannot tell the build of a function's library from that of another one that is loaded: "
            "link it with a build id (-Wl,--build-id)");
    }
    return name;
}

inline std::string name_of_function(const void* code) {
    std::string symbol = os::function_at(reinterpret_cast<std::uintptr_t>(code));
    if (!symbol.empty()) { return symbol; }
    const os::CodeName name = name_in_build(code);
    return os::build_of(name) + '+' + std::to_string(name);
}

}  // namespace procpool::detail::persist
