// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/file.hpp>
#include <procpool/os/file_system.hpp>

#include <sys/vfs.h>
#include <array>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::string_view name_of_shared_file_system(std::uint64_t kind) noexcept {
    struct Known {
        std::uint32_t kind;
        std::string_view name;
    };
    constexpr std::array<Known, 17> all{{{0x6969, "NFS"},
                                         {0x517B, "SMB"},
                                         {0xFF534D42, "CIFS"},
                                         {0xFE534D42, "SMB2"},
                                         {0x5346414F, "AFS"},
                                         {0x73757245, "Coda"},
                                         {0x00C36400, "Ceph"},
                                         {0x0BD00BD0, "Lustre"},
                                         {0x01021997, "9P"},
                                         {0x65735546, "FUSE"},
                                         {0x47504653, "GPFS"},
                                         {0x7461636F, "OCFS2"},
                                         {0x01161970, "GFS2"},
                                         {0x19830326, "BeeGFS"},
                                         {0x20030528, "OrangeFS"},
                                         {0xAAD7AAEA, "PanFS"},
                                         {0x786F4256, "a folder of VirtualBox's host"}}};
    for (const Known& known : all) {
        if (known.kind == (kind & UINT32_MAX)) { return known.name; }
    }
    return {};
}

PROCPOOL_DECL std::string_view shared_file_system_of(const char* path) {
    struct statfs found {};
    call("statfs", [&] { return ::statfs(path, &found); });
    return name_of_shared_file_system(static_cast<std::uint64_t>(found.f_type));
}

PROCPOOL_DECL bool is_full(const char* path) noexcept {
    struct statfs found {};
    return ::statfs(path, &found) == 0 && found.f_bavail == 0;
}

PROCPOOL_DECL std::string boot_name() {
    std::string text = text_of_file("/proc/sys/kernel/random/boot_id");
    while (!text.empty() && text.back() == '\n') { text.pop_back(); }
    return text;
}

}  // namespace procpool::detail::os
