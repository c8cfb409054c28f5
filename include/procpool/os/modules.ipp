// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/modules.hpp>
#include <procpool/os/segments.hpp>

#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cerrno>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL Modules Modules::loaded_now() {
    Modules modules;
    any_segment([&](const Segment& segment) {
        if (segment.header.p_type == PT_LOAD) {
            modules.ranges_.push_back({segment.begin(), segment.begin() + segment.header.p_memsz});
        }
        return false;
    });
    return modules;
}

PROCPOOL_DECL bool Modules::contain(std::uintptr_t address) const noexcept {
    for (const Range& range : ranges_) {
        if (address >= range.begin && address < range.end) { return true; }
    }
    return false;
}

PROCPOOL_DECL bool in_loaded_module(const void* address) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    return any_segment([number](const Segment& segment) {
        return (segment.header.p_flags & (PF_R | PF_W | PF_X)) != 0 && segment.holds(number);
    });
}

PROCPOOL_DECL bool is_code(const void* address) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    return any_segment(
        [number](const Segment& segment) { return (segment.header.p_flags & PF_X) != 0 && segment.holds(number); });
}

PROCPOOL_DECL bool is_readable(const void* address) noexcept {
    char byte = 0;
    const iovec to{&byte, 1};
    const iovec from{const_cast<void*>(address), 1};
    if (::process_vm_readv(::getpid(), &to, 1, &from, 1, 0) == 1) { return true; }
    if (errno == EFAULT) { return false; }
    // A filter of system calls may refuse that. Then it is enough that something is mapped there.
    constexpr std::uintptr_t page = 4096;
    unsigned char resident = 0;
    void* const start = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(address) & ~(page - 1));
    return ::mincore(start, 1, &resident) == 0 || errno != ENOMEM;
}

}  // namespace procpool::detail::os
