// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Names for code that mean the same in every run of a program: the build that it is in, and where.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/os/code_name.hpp>

#include <atomic>
#include <cstdint>
#include <string>

namespace procpool::inline v0::detail::persist {

/// Returns: the address as an os::CodeName. Throws: Error when its module's build cannot be told from another one's.
[[nodiscard]] os::CodeName name_in_build(const void* address);

/// Returns: the function's name in the program's symbols, which another build has too; build and place where there is
/// none.
[[nodiscard]] std::string name_of_function(const void* code);

/// One variable for each list of types, of which the place names the list: no two types have one, where their names
/// may be the same, as those of two closures are. Not a function: linkers may merge those. It keeps its own name.
template <class... Types>
inline constinit std::atomic<os::CodeName> type_anchor{0};

/// Returns: a number that differs for other types and other builds.
template <class... Types>
[[nodiscard]] os::CodeName name_of_types() {
    std::atomic<os::CodeName>& anchor = type_anchor<Types...>;
    os::CodeName name = anchor.load(std::memory_order_relaxed);
    if (name == 0) [[unlikely]] {
        name = name_in_build(&anchor);
        anchor.store(name, std::memory_order_relaxed);
    }
    return name;
}

}  // namespace procpool::detail::persist

#include <procpool/persist/code_identity.ipp>
