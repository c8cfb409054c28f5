// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// is_whole(): whether LMDB can work with a file of its own. LMDB believes what it reads: a length that a damage has
/// changed sends it outside of its pages.

#include <procpool/core/requirements.hpp>

#include <cstddef>
#include <span>

namespace procpool::inline v0::detail::persist {

/// Whether the bytes are a file of LMDB 0.9 with one table without duplicates, of which every page is where it should
/// be, once, every length keeps within its page, and keys are in order: then reads and writes keep within the file, as
/// many as may come. Values are not looked at: entries have checksums. Costs: a look at each page that holds keys.
/// Throws: std::bad_alloc.
[[nodiscard]] bool is_whole(std::span<const std::byte> file);

}  // namespace procpool::detail::persist

#include <procpool/persist/check_file.ipp>
