// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The promises of a file system: whether the memory of a mapped file is one for all processes, and since when it is
/// mounted for sure; whether it is full.

#include <procpool/core/config.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace procpool::inline v0::detail::os {

/// Returns: the name of a file system that machines share, or that may show a mapped file to processes differently, by
/// the number that statfs() has for its kind; empty for others.
[[nodiscard]] std::string_view name_of_shared_file_system(std::uint64_t kind) noexcept;

/// Returns: as above, of the one that `path` lies on. Throws: std::system_error.
[[nodiscard]] std::string_view shared_file_system_of(const char* path);

/// Whether nothing more can be written to the file system that `path` lies on.
[[nodiscard]] bool is_full(const char* path) noexcept;

/// Returns: a text that is another one each time the machine has started; empty where the system has none.
[[nodiscard]] std::string boot_name();

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/file_system.ipp>
#endif
