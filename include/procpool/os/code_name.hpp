// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Code names: numbers for addresses in the program and its libraries that mean the same in every process that runs the
/// same build, wherever its modules are loaded there.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace procpool::inline v0::detail::os {

/// A name: the highest bit, which no address of a process has; the module's number, 31 bits of a hash of its build id;
/// and the offset from where the module begins, 32 bits. A module that was linked without a build id gets one from the
/// bytes of its segments that are not writable.
///
/// The number follows from the module alone, so processes need not exchange tables, and a process with other libraries
/// takes no name for that of another module. Where two modules of a process have the same number, which is a chance of
/// one in two billion for each pair, neither has names there, but the program keeps its own. If one build is loaded
/// twice, names mean the one that was loaded first.
///
/// All of this is called by any thread in the ordinary course of a program, and in forked children; not by signal
/// handlers. It waits for no lock but the loader's.
using CodeName = std::uint64_t;

/// Whether a word is a name: it is no address then. One look at the sign.
[[nodiscard]] constexpr bool is_code_name(std::uint64_t word) noexcept { return (word >> 63) != 0; }

/// The number of a name's module, as in what describe_modules() returns.
[[nodiscard]] constexpr std::uint32_t module_number(CodeName name) noexcept {
    return static_cast<std::uint32_t>(name >> 32) & 0x7fffffff;
}

/// Returns: the name of an address of code, a constant or a static; 0 when it is in no module that has names. Some
/// nanoseconds for the program itself; some dozens for libraries, where it is asked whether one has been loaded or
/// removed since.
[[nodiscard]] CodeName name_of(std::uintptr_t address) noexcept;

/// Returns: the address that a name means in this process; 0 when the module is not loaded here, or the offset is in no
/// segment of it. Costs: as name_of().
[[nodiscard]] std::uintptr_t address_of(CodeName name) noexcept;

/// As address_of(), and 0 unless there are instructions.
[[nodiscard]] std::uintptr_t code_of(CodeName name) noexcept;

/// Whether `address` lies in a program that is not position-independent: it is the same in all processes that run this
/// build, and may travel as it is, even in bytes that cannot be rewritten.
[[nodiscard]] bool is_where_linked(std::uintptr_t address) noexcept;

/// Returns: the modules loaded now, the program first, a line for each: its number in 8 hexadecimal digits, or
/// `--------` when it has no names; its build id; its file. For other processes, which can tell by it whether they run
/// the same program, and which module a name there means. Throws: std::bad_alloc.
[[nodiscard]] std::string describe_modules();

/// Whether `described`, which describe_modules() returned in another process, was the same build of the program.
[[nodiscard]] bool is_same_program(std::string_view described);

/// Returns: the file of the module that a name means, according to `described`; empty when it is not there.
[[nodiscard]] std::string_view module_of(CodeName name, std::string_view described) noexcept;

/// Returns: the build id of the module that a name means, which has a part of it; empty when it has been removed
/// meanwhile. Throws: std::bad_alloc.
[[nodiscard]] std::string build_of(CodeName name);

/// Effects: explain_name() knows from now on the modules of another process too. Throws: std::bad_alloc.
void remember_modules(std::string_view described);

/// Returns: words for a name that means nothing here, for messages: its module, if this process or one whose modules
/// were remembered has it, and its offset. Throws: std::bad_alloc.
[[nodiscard]] std::string explain_name(CodeName name);

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/code_name.ipp>
#endif
