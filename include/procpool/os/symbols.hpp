// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// describe_address(): the function and module of a code address, from the symbol tables in the program's files.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <string>

namespace procpool::inline v0::detail::os {

/// Where an address of this process's code is.
struct CodePlace {
    std::uintptr_t offset;  ///< in its module
    std::string path;       ///< of the module's file; empty when it is in none

    static constexpr const char* program = "/proc/self/exe";
    [[nodiscard]] bool is_in_program() const noexcept { return path == program; }
};

[[nodiscard]] CodePlace place_of_code(std::uintptr_t address);

/// Returns: the mangled name of the function at `address`; empty when it cannot be found.
[[nodiscard]] std::string function_at(std::uintptr_t address);

/// Returns: "function at module+0x1234", without the parts that cannot be found. An os::CodeName, too, which stands for
/// an address in another process. Requires: the module is still loaded
/// where it was.
[[nodiscard]] std::string describe_address(std::uintptr_t address);

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/symbols.ipp>
#endif
