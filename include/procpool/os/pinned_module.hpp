// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// pin_this_module(): keeps the plugin that this code is part of in memory.

#include <dlfcn.h>
#include <link.h>
#include <cstdint>
#include <string>

namespace procpool::inline v0::detail::os {

/// A weak reference to dlopen(): a program that is linked statically, or without the library that older systems have it
/// in, loads no plugins.
[[gnu::weakref("dlopen")]] static void* open_module(const char* path, int flags);

/// Effects: when this code was loaded with a library, dlclose() never removes it: threads, thread-specific keys and
/// functions given to atexit() point into it. Nothing in the program's own file, and nothing where the library cannot
/// be found. Called by: whatever is the first to leave such things; not in a child between its fork and the program's
/// code, since it takes the loader's lock.
inline void pin_this_module() {
    struct Search {
        std::uintptr_t address;
        std::string path;
    } search{reinterpret_cast<std::uintptr_t>(&pin_this_module), {}};
    // dladdr() would do, but takes a lock that a thread may hold which waits in a library's initialisation for this
    // one.
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto& wanted = *static_cast<Search*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                if (header.p_type != PT_LOAD || wanted.address < begin || wanted.address >= begin + header.p_memsz) {
                    continue;
                }
                wanted.path = info->dlpi_name;  // empty for the program
                return 1;
            }
            return 0;
        },
        &search);
    if (search.path.empty() || &open_module == nullptr) { return; }
    static_cast<void>(open_module(search.path.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace procpool::detail::os
