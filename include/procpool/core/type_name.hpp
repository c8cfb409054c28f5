// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// type_name(), demangle(): types and functions as a person would write it.

#include <cxxabi.h>
#include <cstdlib>
#include <memory>
#include <string>
#include <typeinfo>

namespace procpool::inline v0 {

/// Returns: a name as the source has it, or as it is when it is not mangled.
[[nodiscard]] inline std::string demangle(const char* mangled) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> name{abi::__cxa_demangle(mangled, nullptr, nullptr, &status),
                                                      std::free};
    return status == 0 ? name.get() : mangled;
}

[[nodiscard]] inline std::string type_name(const std::type_info& type) { return demangle(type.name()); }

template <class T>
[[nodiscard]] std::string type_name() {
    return type_name(typeid(T));
}

}  // namespace procpool
