// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// JournalFile: the results of a call over many items on disk, record by record as they came.

#include <procpool/core/config.hpp>
#include <procpool/os/append_file.hpp>
#include <procpool/os/per_process.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// The call that a journal is of. Results of a call mean nothing to one of which any of this differs.
struct JournalIdentity {
    std::string call;      ///< of which kind
    std::string results;   ///< their type
    std::string items;     ///< their type
    std::string code;      ///< the build and the place in it, or the user's version
    std::string function;  ///< the function object's bytes
};

enum class RecordKind : std::uint32_t {
    values = 1,  ///< the results of items, one behind the other
    sums,        ///< of blocks of items that are folded together
    failures     ///< items that have failed: there are no results
};

/// Where a record lies, and what it is of.
struct JournalRecord {
    RecordKind kind;
    std::uint32_t age;     ///< counts up in the order in which records were written
    std::uint64_t first;   ///< item
    std::uint64_t count;   ///< items
    std::uint64_t offset;  ///< in the file
    std::uint64_t size;    ///< of the results, in bytes

    [[nodiscard]] std::uint64_t end() const noexcept { return first + count; }
};

/// A head that says what it is a journal of, then records: a head of 48 bytes, a checksum of each item, the results.
/// Each record has checksums of its own, which depend on the journal and on where it lies there, so that bytes of
/// another journal, which may be somebody's result, are none of this one's. Written by one system call, in the byte
/// order of the machine. Called by: one thread at a time, but for sync(); in a forked child only the destructor.
class JournalFile : public os::OfOneProcess {
public:
    /// Opens the file, or makes it; cuts off what a program left half written when it died. Throws: JournalMismatch;
    /// JournalBusy; std::invalid_argument when the path leads to no ordinary file; std::system_error.
    JournalFile(const std::string& path, const JournalIdentity& identity);
    JournalFile(const JournalFile&) = delete;
    JournalFile& operator=(const JournalFile&) = delete;
    ~JournalFile();

    /// Returns: the records that were there when the file was opened, in the order in which they were written. Their
    /// heads are whole; read() tells whether the rest is. Called once.
    [[nodiscard]] std::vector<JournalRecord> take_records() noexcept { return std::exchange(records_, {}); }

    /// The rest of a record.
    struct Body {
        std::vector<std::byte> bytes;
        std::size_t count = 0;

        [[nodiscard]] std::uint64_t checksum_of_item(std::size_t i) const noexcept;
        [[nodiscard]] std::span<const std::byte> items() const noexcept {
            return std::span{bytes}.first(count * sizeof(std::uint64_t));
        }
        [[nodiscard]] std::span<const std::byte> results() const noexcept {
            return std::span{bytes}.subspan(count * sizeof(std::uint64_t));
        }
    };
    /// Returns: whether the record is undamaged; the body has the rest of it then. Throws: std::bad_alloc.
    [[nodiscard]] bool read(const JournalRecord& record, Body& body) const;

    /// Effects: writes a record. items: a checksum for each. Returns: 0, or the error; the file is as before then.
    [[nodiscard]] int append(RecordKind kind, std::uint64_t first, std::span<const std::uint64_t> items,
                             std::span<const std::byte> results) noexcept;
    /// Blocks until all records are on the disk. Returns: 0, or the error. Called by: any thread.
    [[nodiscard]] int sync() const noexcept { return file_.sync(); }
    /// Effects: the file is gone. Returns: 0, or the error.
    [[nodiscard]] int remove() noexcept;

private:
    void open();
    void begin(std::span<const std::byte> head);
    [[noreturn]] void refuse(const JournalIdentity& identity) const;
    void scan();

    const std::string path_;
    os::AppendFile file_;
    std::uint64_t seed_ = 0;  // of the checksums of records
    std::uint64_t end_ = 0;   // of the file
    std::vector<JournalRecord> records_;
};

}  // namespace procpool::detail::persist

#if PROCPOOL_BODIES
#include <procpool/persist/journal_file.ipp>
#endif
