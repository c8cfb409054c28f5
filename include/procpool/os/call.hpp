// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The one way to call the operating system: errors become std::system_error with the call's name,
/// EINTR is retried, and tests can make any call fail.

#include <cerrno>
#include <string>
#include <system_error>

namespace procpool::inline v0::detail::os {

/// A test's hook: asked before each call by name, returns the errno the call shall fail with, or 0.
/// Inherited by forked children. Constinit, so it is safe to read in any of them.
using RefuseCall = int (*)(const char* name) noexcept;
inline constinit RefuseCall refuse_call = nullptr;

[[noreturn]] inline void throw_error(int error, const char* name) {
    throw std::system_error(error, std::system_category(), std::string("procpool: ") + name);
}

/// Returns: what `function` returns; -1 with errno set when it fails. EINTR is no failure.
template <class Function>
[[nodiscard]] auto try_call(const char* name, Function function) noexcept -> decltype(function()) {
    if (refuse_call != nullptr) {
        if (const int error = refuse_call(name); error != 0) {
            errno = error;
            return static_cast<decltype(function())>(-1);
        }
    }
    for (;;) {
        const auto result = function();
        if (result != -1 || errno != EINTR) { return result; }
    }
}

/// As try_call(); throws std::system_error when it fails.
template <class Function>
auto call(const char* name, Function function) -> decltype(function()) {
    const auto result = try_call(name, function);
    if (result == -1) { throw_error(errno, name); }
    return result;
}

}  // namespace procpool::detail::os
