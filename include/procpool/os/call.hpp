// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The one way to call the operating system: errors become std::system_error with the call's name, EINTR is retried,
/// and tests can make any call fail.

#include <procpool/core/config.hpp>

#include <cerrno>

namespace procpool::inline v0::detail::os {

/// A test's hook: asked before each call by name, returns the errno that the call fails with, or 0.
/// Inherited by forked children. Constinit, so it is safe to read in any of them.
using RefuseCall = int (*)(const char* name) noexcept;
inline constinit RefuseCall refuse_call = nullptr;

/// Throws: std::system_error, always.
[[noreturn]] void throw_error(int error, const char* name);

/// Returns: the result of `function`; -1 with errno set when it fails. EINTR is no failure.
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

#if PROCPOOL_BODIES
#include <procpool/os/call.ipp>
#endif
