// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Sanitizers: whether the program runs under one, whatever the library's own source was compiled with.

extern "C" {
/// Of AddressSanitizer's run-time library; null where the program is linked without it.
[[gnu::weak]] void __asan_init();
/// The same of ThreadSanitizer's.
[[gnu::weak]] void __tsan_init();
/// Tells ThreadSanitizer of a release at the address; null without it.
[[gnu::weak]] void __tsan_release(void* address);
}

namespace procpool::inline v0::detail::os {

[[nodiscard]] inline bool has_thread_sanitizer() noexcept { return &::__tsan_init != nullptr; }

/// Tells ThreadSanitizer that this thread releases the atomic at the address, which the kernel is about to change.
inline void note_release(void* address) noexcept {
    if (&::__tsan_release != nullptr) { ::__tsan_release(address); }
}

/// Whether the program runs under AddressSanitizer or ThreadSanitizer.
[[nodiscard]] inline bool has_sanitizer() noexcept { return &::__asan_init != nullptr || has_thread_sanitizer(); }

}  // namespace procpool::detail::os
