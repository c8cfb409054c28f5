// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Journal: the results that a call over many items has found in its file, item by item, and those that it adds.

#include <procpool/core/config.hpp>
#include <procpool/persist/disk_sync.hpp>
#include <procpool/persist/journal_file.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// Called by: one thread at a time; in a forked child only the destructor.
class Journal {
public:
    /// Throws: as JournalFile.
    Journal(const std::string& path, const JournalIdentity& identity);

    // ---- what was there

    /// The items from some item on that have one record, the newest that each has, or none.
    struct Stretch {
        const JournalRecord* record = nullptr;  ///< null: they have none
        std::uint64_t end = 0;                  ///< the item behind them
        std::uint64_t offset = 0;               ///< of the first of them, among the items of the record
    };
    /// Returns: that of items from `at` on, which never goes back. Valid until the next call.
    [[nodiscard]] Stretch find(std::uint64_t at);
    /// Returns: the rest of the newest stretch's record, valid until the next call; null when it is damaged, and then
    /// it counts no more. Throws: std::bad_alloc.
    [[nodiscard]] const JournalFile::Body* load();

    // ---- what is added

    /// Effects: what is new is on the disk within about two seconds. A record that cannot be written is lost. The log
    /// is told the first of such errors.
    void append(RecordKind kind, std::uint64_t first, std::span<const std::uint64_t> items,
                std::span<const std::byte> results);
    /// Effects: the file is gone.
    void remove();

private:
    void warn(int error) noexcept;

    const std::string path_;
    JournalFile file_;
    std::vector<JournalRecord> records_;  // by their first item
    std::size_t next_ = 0;                // the first record that begins behind the last `at`
    std::vector<std::size_t> open_;       // a heap of those that began before and may not have ended, the newest first
    static constexpr std::size_t nothing = SIZE_MAX;
    std::size_t loaded_ = nothing;  // the record whose body that is
    JournalFile::Body body_;
    std::atomic<bool> warned_{false};
    DiskSync sync_;  // goes before the file
};

}  // namespace procpool::detail::persist

#if PROCPOOL_BODIES
#include <procpool/persist/journal.ipp>
#endif
