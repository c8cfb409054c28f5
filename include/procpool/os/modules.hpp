// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Modules: which addresses of this process are the program's code and constants, and which are memory at all.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::os {

/// The program's file and libraries as they are loaded now. A forked child has them at the same addresses.
class Modules {
public:
    [[nodiscard]] static Modules loaded_now();

    [[nodiscard]] bool contain(std::uintptr_t address) const noexcept;

private:
    struct Range {
        std::uintptr_t begin;
        std::uintptr_t end;
    };
    std::vector<Range> ranges_;
};

/// Whether `address` lies in a module loaded now.
[[nodiscard]] bool in_loaded_module(const void* address) noexcept;
/// Whether `address` lies among the instructions of one.
[[nodiscard]] bool is_code(const void* address) noexcept;

/// Whether a number can be the address of something. Most numbers in a closure cannot, which is cheap to see.
[[nodiscard]] inline bool may_be_address(const void* address) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    constexpr std::uintptr_t lowest = 0x10000;  // the kernel keeps those below unmapped
    constexpr std::uintptr_t highest = std::uintptr_t{1} << 47;
    return number >= lowest && number < highest;
}

/// Whether there is memory at `address` that this process can read. Requires: may_be_address().
[[nodiscard]] bool is_readable(const void* address) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/modules.ipp>
#endif
