// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// text_of_file(), create_file(): files by name, with descriptors that no standard stream has: see Descriptor.

#include <procpool/core/config.hpp>

#include <cstdio>
#include <string>

namespace procpool::inline v0::detail::os {

/// Returns: the contents of the file, or as much of them as could be read.
[[nodiscard]] std::string text_of_file(const char* path);

/// Returns: a new, empty file for writing, which is closed when a program is executed; null, with errno set, when it
/// cannot be had.
[[nodiscard]] std::FILE* create_file(const char* path) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/file.ipp>
#endif
