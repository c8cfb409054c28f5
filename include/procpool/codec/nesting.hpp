// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Nesting: stops values that nest so deeply that the stack would overflow.

#include <procpool/core/error.hpp>
#include <procpool/os/stack.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0 {

/// Measures how much stack encoding or decoding one value has used, whatever its functions are: their frames are of all
/// sizes, so that a count of levels would say little. Called by: one thread.
class Nesting {
public:
    /// A Writer or Reader calls check() at least once in so many bytes, so that values of a few bytes never pay for it.
    /// Each level of a nested value has one byte at least, so the stack grows by at most as many levels in between.
    static constexpr std::size_t bytes_between_checks = 128;

    /// Effects: remembers where the stack is when it is called for the first time.
    /// Throws: CodecError when the stack has grown by more than a quarter of what was left then, or by 16 MB. The rest
    /// is for what is nested in between two checks, for the exception, and for the destructor of the value, which
    /// recurs as well and may have larger frames.
    void check() {
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        if (start_ == 0) { start_ = here; }
        if (here < start_ && start_ - here > unasked) [[unlikely]] { look(here); }
    }

    /// Returns: how deep a recursion may go that takes so many bytes of stack for each level, by the same rule.
    [[nodiscard, gnu::noinline]] static std::size_t levels_possible(std::size_t frame) noexcept {
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        return allowed_from(here, detail::os::stack_that_holds(here)) / frame;
    }

private:
    static constexpr std::uintptr_t unasked = std::uintptr_t{8} << 10;  // used without a look at where the stack ends
    static constexpr std::uintptr_t most_of_unknown = std::uintptr_t{16} << 10;  // coroutines have 64 KB at least
    static constexpr std::uintptr_t most = std::uintptr_t{16} << 20;             // where `ulimit -s` is unlimited

    [[nodiscard]] static std::uintptr_t allowed_from(std::uintptr_t start, const detail::os::Stack& stack) noexcept {
        return stack.holds(start) ? std::min((start - stack.begin) / 4, most) : most_of_unknown;
    }

    [[gnu::noinline, gnu::cold]] void look(std::uintptr_t here) const {
        if (start_ - here > allowed_from(start_, detail::os::stack_that_holds(here))) {
            throw CodecError(
                "procpool: a value nests too deeply for the stack of the thread that encodes or decodes it");
        }
    }

    std::uintptr_t start_ = 0;  // 0: not checked yet
};

}  // namespace procpool
