// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The entries of a memo in LMDB's one table, as functions of one transaction.
///
/// Three kinds of records, told apart by the first byte of their keys:
///
///     e group digest         an Entry, and behind it the result where it is small
///     v group digest         the result where it is larger: touching an entry does not write it once more
///     u hour group digest    nothing: the entries by when they were used last, the first to go first

#include <procpool/core/requirements.hpp>
#include <procpool/persist/digest.hpp>
#include <procpool/persist/options.hpp>

#include <lmdb.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

namespace procpool::inline v0::detail::persist {

/// An error of LMDB's, as its functions return them. It does not leave persist/.
class LmdbError {
public:
    explicit LmdbError(int code) noexcept : code_(code) {}
    [[nodiscard]] int code() const noexcept { return code_; }
    [[nodiscard]] std::string text() const { return ::mdb_strerror(code_); }

private:
    int code_;
};
/// Throws: LmdbError.
inline void check(int code) {
    if (code != MDB_SUCCESS) { throw LmdbError(code); }
}
/// Returns: whether something was found. Throws: LmdbError.
[[nodiscard]] inline bool check_found(int code) {
    if (code == MDB_NOTFOUND) { return false; }
    check(code);
    return true;
}

/// Names an entry: those of one function are side by side.
struct EntryKey {
    std::uint64_t group = 0;  ///< of the function's name, or of its code
    Digest digest;

    [[nodiscard]] bool operator==(const EntryKey&) const = default;
};

/// The notes on a result.
struct Entry {
    std::uint64_t checksum;        ///< of what follows, and of the key
    std::uint64_t value_checksum;  ///< of the result's bytes, and of the key
    std::uint64_t size;            ///< of the result
    std::int64_t created;          ///< seconds since 1970
    std::uint64_t cost;            ///< nanoseconds that the call took
    std::uint32_t used;            ///< hours since 1970, as of the last note of a use
    std::uint32_t unused;

    static constexpr std::size_t most_inline = 1024;
    [[nodiscard]] bool is_inline() const noexcept { return size <= most_inline; }
};
static_assert(sizeof(Entry) == 48);

/// Bytes of a result: few lie in the object itself.
class FoundBytes {
public:
    FoundBytes() noexcept = default;

    /// Returns: room for that many bytes, not set to anything. Throws: std::bad_alloc.
    [[nodiscard]] std::byte* resize(std::size_t size) {
        size_ = size;
        if (size > few_.size()) { many_.reset(new std::byte[size]); }
        return data();
    }
    [[nodiscard]] std::span<const std::byte> get() const noexcept { return {many_ ? many_.get() : few_.data(), size_}; }

private:
    [[nodiscard]] std::byte* data() noexcept { return many_ ? many_.get() : few_.data(); }

    std::size_t size_ = 0;
    std::unique_ptr<std::byte[]> many_;
    std::array<std::byte, Entry::most_inline> few_;
};

/// The result of a look for an entry.
enum class Found : std::uint8_t { no, damaged, too_old, yes };

/// A point in time, in the units of entries.
struct Moment {
    std::int64_t seconds;

    [[nodiscard]] static Moment now() noexcept;
    [[nodiscard]] std::uint32_t hour() const noexcept { return static_cast<std::uint32_t>(seconds / 3600); }
};

/// The table, within a transaction.
class Entries {
public:
    Entries(MDB_txn* transaction, MDB_dbi table) noexcept : transaction_(transaction), table_(table) {}

    /// Effects: copies the entry and the result, if both are there and as they were written. Throws: LmdbError;
    /// std::bad_alloc.
    [[nodiscard]] Found find(const EntryKey& key, const MemoOptions& options, Moment now, Entry& entry,
                             FoundBytes& result) const;

    /// \{
    /// In a transaction that writes. Throws: LmdbError.
    /// Effects: writes an entry in the place of one that is there. Returns: false when the same was there, and may
    /// stay.
    bool put(const EntryKey& key, std::span<const std::byte> result, std::uint64_t cost, const MemoOptions& options,
             Moment now);
    /// Effects: notes that an entry was used now, if it is there.
    void touch(const EntryKey& key, Moment now);
    /// Effects: removes an entry, if it is there. Returns: whether it was.
    bool erase(const EntryKey& key);
    /// Effects: removes entries that were used longest ago as long as all take more than they may, then one hundredth
    /// of that more; and those that nobody used since they became too old. No more than a batch. Returns: how many.
    std::size_t evict(const MemoOptions& options, Moment now);
    /// Effects: removes some entries of a group. Returns: how many; 0 when there is none left.
    std::size_t erase_some(std::uint64_t group);
    void clear() { check(::mdb_drop(transaction_, table_, 0)); }
    /// \}

    /// Bytes of all pages that the table has. Throws: LmdbError.
    [[nodiscard]] std::uint64_t bytes() const;

private:
    static constexpr std::size_t batch = 2000;  // what one transaction removes, so that others need not wait for long

    [[nodiscard]] bool has(const EntryKey& key, std::span<const std::byte> result, const MemoOptions& options,
                           Moment now) const;
    [[nodiscard]] bool get(MDB_val key, MDB_val& value) const {
        return check_found(::mdb_get(transaction_, table_, &key, &value));
    }
    void set(MDB_val key, MDB_val value) { check(::mdb_put(transaction_, table_, &key, &value, 0)); }
    bool remove(MDB_val key) { return check_found(::mdb_del(transaction_, table_, &key, nullptr)); }

    MDB_txn* transaction_;
    MDB_dbi table_;
};

}  // namespace procpool::detail::persist

#include <procpool/persist/entries.ipp>
