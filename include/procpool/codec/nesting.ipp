// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/nesting.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/stack.hpp>

namespace procpool::inline v0::detail::codec {

inline constexpr std::uintptr_t stack_used_unasked = std::uintptr_t{8} << 10;  // without a look at where the stack ends
inline constexpr std::uintptr_t most_of_unknown_stack = std::uintptr_t{16} << 10;  // coroutines have 64 KB at least
inline constexpr std::uintptr_t most_of_stack = std::uintptr_t{16} << 20;          // where `ulimit -s` is unlimited

/// Returns: how much of the stack a value may use that began at `start`.
[[nodiscard]] PROCPOOL_DECL std::uintptr_t stack_allowed_from(std::uintptr_t start) noexcept {
    const os::Stack stack = os::stack_that_holds(start);
    if (!stack.holds(start)) { return most_of_unknown_stack; }
    const std::uintptr_t quarter = (start - stack.begin) / 4;
    return quarter < most_of_stack ? quarter : most_of_stack;
}

[[gnu::noinline]] PROCPOOL_DECL void Nesting::check() {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (start_ == 0) { start_ = here; }
    if (here < start_ && start_ - here > stack_used_unasked && start_ - here > stack_allowed_from(start_)) {
        throw CodecError("procpool: a value nests too deeply for the stack of the thread that encodes or decodes it");
    }
}

[[gnu::noinline]] PROCPOOL_DECL std::size_t Nesting::levels_possible(std::size_t frame) noexcept {
    return stack_allowed_from(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0))) / frame;
}

}  // namespace procpool::detail::codec
