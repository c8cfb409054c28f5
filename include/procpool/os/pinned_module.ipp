// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/pinned_module.hpp>
#include <procpool/os/segments.hpp>

#include <dlfcn.h>
#include <cstdint>
#include <string>

namespace procpool::inline v0::detail::os {

/// A weak reference to dlopen(): a program that is linked statically, or without the library that older systems have it
/// in, loads no plugins.
[[gnu::weakref("dlopen")]] static void* open_module(const char* path, int flags);

PROCPOOL_DECL void pin_this_module() {
    const auto here = reinterpret_cast<std::uintptr_t>(&pin_this_module);
    std::string path;
    // dladdr() would do, but takes a lock that a thread may hold which waits in a library's initialisation for this
    // one.
    any_segment([&](const Segment& segment) {
        if (!segment.holds(here)) { return false; }
        path = segment.module.dlpi_name;  // empty for the program
        return true;
    });
    if (path.empty() || &open_module == nullptr) { return; }
    static_cast<void>(open_module(path.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE));
}

}  // namespace procpool::detail::os
