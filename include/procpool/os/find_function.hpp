// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// find_function(): a function that the program may have.

#include <procpool/core/config.hpp>

#include <dlfcn.h>

namespace procpool::inline v0::detail::os {

/// A weak reference to dlsym(): see pin_this_module().
[[gnu::weakref("dlsym")]] static void* find_symbol(void* handle, const char* name);

/// Returns: null when no module of the program has it, or modules cannot be asked.
template <class Function>
[[nodiscard]] Function find_function(const char* name) noexcept {
    return &find_symbol != nullptr ? reinterpret_cast<Function>(find_symbol(RTLD_DEFAULT, name)) : nullptr;
}

}  // namespace procpool::detail::os
