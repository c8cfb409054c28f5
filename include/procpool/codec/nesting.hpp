// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Nesting: stops values that nest so deeply that the stack would overflow.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::codec {

/// Measures how much stack encoding or decoding one value has used: the frames of its functions are of all sizes, so a
/// count of levels would say little. Called by: one thread.
class Nesting {
public:
    /// A Writer or Reader calls check() at least once in this many bytes, so that values of a few bytes never pay for
    /// it. Each level of a nested value has one byte at least, so the stack grows by at most as many levels in between.
    static constexpr std::size_t bytes_between_checks = 128;

    /// Returns: how many of `bytes` may pass before the next check().
    [[nodiscard]] static constexpr std::size_t bytes_to_check(std::size_t bytes) noexcept {
        return bytes < bytes_between_checks ? bytes : bytes_between_checks;
    }

    /// Effects: remembers where the stack is when it is called for the first time.
    /// Throws: CodecError when the stack has grown by more than a quarter of what was left then, or by 16 MB. The rest
    /// is for what is nested in between two checks, for the exception, and for the destructor of the value, which
    /// recurs as well and may have larger frames.
    void check();

    /// Returns: how deep a recursion may go that takes `frame` bytes of stack for each level, by the same rule.
    [[nodiscard]] static std::size_t levels_possible(std::size_t frame) noexcept;

private:
    std::uintptr_t start_ = 0;  // 0: not checked yet
};

}  // namespace procpool::detail::codec

#if PROCPOOL_BODIES
#include <procpool/codec/nesting.ipp>
#endif
