// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/scope.hpp>
#include <procpool/core/type_name.hpp>

#include <cxxabi.h>
#include <cstdlib>

namespace procpool::inline v0::detail {

PROCPOOL_DECL std::string demangle(const char* mangled) {
    int status = 0;
    char* const name = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
    const detail::core::OnExit release{[name] { std::free(name); }};
    return status == 0 ? name : mangled;
}

PROCPOOL_DECL std::string type_name(const std::type_info& type) { return demangle(type.name()); }

}  // namespace procpool::detail
