// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// any_segment(): searches the parts of the program's file and libraries as they are loaded now.

#include <link.h>
#include <cstddef>
#include <cstdint>

namespace procpool::inline v0::detail::os {

/// A part of a module: of the program's file or a library.
struct Segment {
    const dl_phdr_info& module;
    const ElfW(Phdr) & header;

    [[nodiscard]] std::uintptr_t begin() const noexcept { return module.dlpi_addr + header.p_vaddr; }
    /// Whether `address` lies in it, and it is loaded.
    [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
        return header.p_type == PT_LOAD && address >= begin() && address < begin() + header.p_memsz;
    }
};

/// Effects: calls f(segment) for each segment of each module, until it returns true. Takes the loader's lock. Returns:
/// whether f returned true.
template <class F>
bool any_segment(F f) {
    return ::dl_iterate_phdr(
               [](dl_phdr_info* module, std::size_t, void* data) {
                   for (int i = 0; i < module->dlpi_phnum; ++i) {
                       if ((*static_cast<F*>(data))(Segment{*module, module->dlpi_phdr[i]})) { return 1; }
                   }
                   return 0;
               },
               &f) != 0;
}

}  // namespace procpool::detail::os
