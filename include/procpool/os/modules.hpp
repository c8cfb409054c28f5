// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What an address of this process is: the program's code and constants, memory of this process alone, or no memory at
/// all.

#include <link.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::os {

/// The program's file and libraries as they are loaded now. A forked child has them at the same addresses.
class Modules {
public:
    [[nodiscard]] static Modules loaded_now() {
        Modules modules;
        ::dl_iterate_phdr(
            [](dl_phdr_info* info, std::size_t, void* self) {
                for (int i = 0; i < info->dlpi_phnum; ++i) {
                    const auto& header = info->dlpi_phdr[i];
                    if (header.p_type != PT_LOAD) { continue; }
                    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                    static_cast<Modules*>(self)->ranges_.push_back({begin, begin + header.p_memsz});
                }
                return 0;
            },
            &modules);
        return modules;
    }

    [[nodiscard]] bool contain(std::uintptr_t address) const noexcept {
        for (const Range& range : ranges_) {
            if (address >= range.begin && address < range.end) { return true; }
        }
        return false;
    }

private:
    struct Range {
        std::uintptr_t begin;
        std::uintptr_t end;
    };
    std::vector<Range> ranges_;
};

/// Whether `address` lies in a part of a module loaded now that has one of these flags of ELF: PF_R, PF_W, PF_X.
[[nodiscard]] inline bool in_part_of_module(const void* address, std::uint32_t flags) noexcept {
    struct Search {
        std::uintptr_t address;
        std::uint32_t flags;
        bool found;
    } search{reinterpret_cast<std::uintptr_t>(address), flags, false};
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
            auto& wanted = *static_cast<Search*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                if (header.p_type != PT_LOAD || (header.p_flags & wanted.flags) == 0) { continue; }
                const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                if (wanted.address >= begin && wanted.address < begin + header.p_memsz) { wanted.found = true; }
            }
            return wanted.found ? 1 : 0;
        },
        &search);
    return search.found;
}

/// Whether `address` lies in a module loaded now.
[[nodiscard]] inline bool in_loaded_module(const void* address) noexcept {
    return in_part_of_module(address, PF_R | PF_W | PF_X);
}
/// Whether `address` lies among the instructions of one.
[[nodiscard]] inline bool is_code(const void* address) noexcept { return in_part_of_module(address, PF_X); }

/// Whether a number can be the address of something. Most numbers in a closure cannot, which is cheap to see.
[[nodiscard]] inline bool may_be_address(const void* address) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    constexpr std::uintptr_t lowest = 0x10000;  // what the kernel keeps unmapped
    constexpr std::uintptr_t highest = std::uintptr_t{1} << 47;
    return number >= lowest && number < highest;
}

/// Whether there is memory at `address` that this process can read. Requires: may_be_address().
[[nodiscard]] inline bool is_readable(const void* address) noexcept {
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
