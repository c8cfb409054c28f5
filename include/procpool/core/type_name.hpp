// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// type_name(), demangle(): types and functions as a person would write it.

#include <procpool/core/config.hpp>

#include <string>
#include <typeinfo>

namespace procpool::inline v0::detail {

/// Returns: a name as the source has it, or as it is when it is not mangled.
[[nodiscard]] std::string demangle(const char* mangled);

[[nodiscard]] std::string type_name(const std::type_info& type);

template <class T>
[[nodiscard]] std::string type_name() {
    return type_name(typeid(T));
}

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/core/type_name.ipp>
#endif
