// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MemoOptions, MemoStats: the limits of a memo, and what became of it.

#include <procpool/core/requirements.hpp>

#include <chrono>
#include <cstdint>

namespace procpool::inline v0 {

/// The limits of a Memo. They are of the object, and travel with its functions; the directory does not keep them: where
/// programs differ, each removes what is too much by its own.
struct MemoOptions {
    /// Bytes that the entries take on disk, with what LMDB adds. Beyond, those that were used longest ago make room, a
    /// hundredth at a time. A result that is larger by itself is not kept. The file may be larger: it has free pages.
    std::uint64_t most_bytes = std::uint64_t{10} << 30;
    /// Entries that were computed longer ago count as missing.
    std::chrono::hours oldest{24 * 90};
};

/// Counts of a Memo's directory since it was made, of all programs that use it, and the bytes now. They are added up
/// while others go on.
struct MemoStats {
    std::uint64_t hits = 0;       ///< calls whose result was there
    std::uint64_t misses = 0;     ///< calls that were made, those of damaged entries included
    std::uint64_t stores = 0;     ///< results that were kept
    std::uint64_t evictions = 0;  ///< entries that made room, or were too old
    std::uint64_t damaged = 0;    ///< entries whose checksum was wrong, or which did not decode
    std::uint64_t bytes = 0;      ///< that the entries take on disk
};

}  // namespace procpool
