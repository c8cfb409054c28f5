// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/entries.hpp>

#include <algorithm>
#include <chrono>

namespace procpool::inline v0::detail::persist {

inline Moment Moment::now() noexcept {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::seconds>(since).count()};
}

/// A record's key, as the table has it.
class RecordKey {
public:
    /// kind: 'e' or 'v'.
    RecordKey(char kind, const EntryKey& key) noexcept {
        add(kind);
        add_entry(key);
    }
    /// The record that says when an entry was used last. The hour's highest byte comes first, for the order.
    RecordKey(std::uint32_t hour, const EntryKey& key) noexcept {
        add('u');
        for (int shift = 24; shift >= 0; shift -= 8) { add(static_cast<char>(hour >> shift)); }
        add_entry(key);
    }
    /// The start of all keys of a group.
    [[nodiscard]] static RecordKey group(std::uint64_t group) noexcept {
        RecordKey key;
        key.add('e');
        key.add(group);
        return key;
    }
    /// The start of all keys of that kind.
    [[nodiscard]] static RecordKey first(char kind) noexcept {
        RecordKey key;
        key.add(kind);
        return key;
    }

    [[nodiscard]] MDB_val value() noexcept { return {size_, bytes_.data()}; }
    [[nodiscard]] bool begins(const MDB_val& other) const noexcept {
        return other.mv_size >= size_ && std::memcmp(other.mv_data, bytes_.data(), size_) == 0;
    }

    static constexpr std::size_t entry_size = 1 + sizeof(EntryKey);
    static constexpr std::size_t use_size = 1 + sizeof(std::uint32_t) + sizeof(EntryKey);

    /// Returns: the entry's key, at the end of a record's.
    [[nodiscard]] static EntryKey entry_at_end(const MDB_val& key) noexcept {
        EntryKey found;
        std::memcpy(&found, static_cast<const std::byte*>(key.mv_data) + key.mv_size - sizeof(found), sizeof(found));
        return found;
    }
    [[nodiscard]] static std::uint32_t hour_of(const MDB_val& key) noexcept {
        std::uint32_t hour = 0;
        for (std::size_t i = 1; i <= sizeof(hour); ++i) {
            hour = hour << 8 | static_cast<const unsigned char*>(key.mv_data)[i];
        }
        return hour;
    }

private:
    RecordKey() noexcept = default;

    template <class T>
    void add(const T& part) noexcept {
        std::memcpy(bytes_.data() + size_, &part, sizeof(T));
        size_ += sizeof(T);
    }
    void add_entry(const EntryKey& key) noexcept { add(key); }

    std::array<std::byte, use_size> bytes_;
    std::size_t size_ = 0;
};
static_assert(sizeof(EntryKey) == 24 && std::has_unique_object_representations_v<EntryKey>);

[[nodiscard]] inline std::uint64_t checksum_of_entry(const Entry& entry, const EntryKey& key) noexcept {
    return checksum_of(&entry.value_checksum, sizeof(Entry) - offsetof(Entry, value_checksum), key.digest.low ^ 1);
}

[[nodiscard]] inline bool is_too_old(const Entry& entry, const MemoOptions& options, Moment now) noexcept {
    return (now.seconds - entry.created) / 3600 >= options.oldest.count();
}

/// Returns: whether the record begins with an entry that is as it was written.
[[nodiscard]] inline bool read_entry(const MDB_val& record, const EntryKey& key, Entry& entry) noexcept {
    if (record.mv_size < sizeof(entry)) { return false; }
    std::memcpy(&entry, record.mv_data, sizeof(entry));
    return entry.checksum == checksum_of_entry(entry, key) &&
           record.mv_size == sizeof(entry) + (entry.is_inline() ? entry.size : 0);
}

inline Found Entries::find(const EntryKey& key, const MemoOptions& options, Moment now, Entry& entry,
                           FoundBytes& result) const {
    MDB_val record{};
    if (!get(RecordKey('e', key).value(), record)) { return Found::no; }
    if (!read_entry(record, key, entry)) { return Found::damaged; }
    if (is_too_old(entry, options, now)) { return Found::too_old; }
    const auto* bytes = static_cast<const std::byte*>(record.mv_data) + sizeof(entry);
    if (!entry.is_inline()) {
        if (!get(RecordKey('v', key).value(), record) || record.mv_size != entry.size) { return Found::damaged; }
        bytes = static_cast<const std::byte*>(record.mv_data);
    }
    const auto size = static_cast<std::size_t>(entry.size);
    std::byte* const to = result.resize(size);
    if (size != 0) { std::memcpy(to, bytes, size); }
    // Of the copy: what lies in the file could change between the sum and the copy.
    return checksum_of(to, size, key.digest.low) == entry.value_checksum ? Found::yes : Found::damaged;
}

inline bool Entries::has(const EntryKey& key, std::span<const std::byte> result, const MemoOptions& options,
                         Moment now) const {
    MDB_val record{};
    Entry entry;
    if (!get(RecordKey('e', key).value(), record) || !read_entry(record, key, entry) ||
        is_too_old(entry, options, now) || entry.size != result.size()) {
        return false;
    }
    const auto* bytes = static_cast<const std::byte*>(record.mv_data) + sizeof(entry);
    if (!entry.is_inline()) {
        if (!get(RecordKey('v', key).value(), record) || record.mv_size != entry.size) { return false; }
        bytes = static_cast<const std::byte*>(record.mv_data);
    }
    return result.empty() || std::memcmp(bytes, result.data(), result.size()) == 0;
}

inline bool Entries::put(const EntryKey& key, std::span<const std::byte> result, std::uint64_t cost,
                         const MemoOptions& options, Moment now) {
    if (has(key, result, options, now)) { return false; }
    erase(key);
    Entry entry{.checksum = 0,
                .value_checksum = checksum_of(result.data(), result.size(), key.digest.low),
                .size = result.size(),
                .created = now.seconds,
                .cost = cost,
                .used = now.hour(),
                .unused = 0};
    entry.checksum = checksum_of_entry(entry, key);
    std::array<std::byte, sizeof(Entry) + Entry::most_inline> record;
    std::memcpy(record.data(), &entry, sizeof(entry));
    std::size_t size = sizeof(entry);
    if (!entry.is_inline()) {
        set(RecordKey('v', key).value(), {result.size(), const_cast<std::byte*>(result.data())});
    } else if (!result.empty()) {
        std::memcpy(record.data() + size, result.data(), result.size());
        size += result.size();
    }
    set(RecordKey('e', key).value(), {size, record.data()});
    set(RecordKey(entry.used, key).value(), {});
    return true;
}

inline void Entries::touch(const EntryKey& key, Moment now) {
    MDB_val found{};
    Entry entry;
    if (!get(RecordKey('e', key).value(), found) || !read_entry(found, key, entry) || entry.used == now.hour()) {
        return;
    }
    std::array<std::byte, sizeof(Entry) + Entry::most_inline> record;
    const std::size_t size = found.mv_size;
    std::memcpy(record.data(), found.mv_data, size);
    remove(RecordKey(entry.used, key).value());
    entry.used = now.hour();
    entry.checksum = checksum_of_entry(entry, key);
    std::memcpy(record.data(), &entry, sizeof(entry));
    set(RecordKey('e', key).value(), {size, record.data()});
    set(RecordKey(entry.used, key).value(), {});
}

inline bool Entries::erase(const EntryKey& key) {
    MDB_val found{};
    if (!get(RecordKey('e', key).value(), found)) { return false; }
    Entry entry;
    // The record of a damaged entry's last use stays until its turn comes: evict() finds no entry for it then.
    const bool is_known = read_entry(found, key, entry);
    if (is_known) { remove(RecordKey(entry.used, key).value()); }
    if (!is_known || !entry.is_inline()) { remove(RecordKey('v', key).value()); }
    return remove(RecordKey('e', key).value());
}

/// A cursor of the table, for a scope.
class Cursor {
public:
    Cursor(MDB_txn* transaction, MDB_dbi table) { check(::mdb_cursor_open(transaction, table, &cursor_)); }
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;
    ~Cursor() { ::mdb_cursor_close(cursor_); }

    /// Returns: whether there is a record whose key begins so; `key` is that of the first.
    [[nodiscard]] bool find(RecordKey start, MDB_val& key) {
        MDB_val nothing{};
        key = start.value();
        return check_found(::mdb_cursor_get(cursor_, &key, &nothing, MDB_SET_RANGE)) && start.begins(key);
    }

private:
    MDB_cursor* cursor_ = nullptr;
};

inline std::size_t Entries::evict(const MemoOptions& options, Moment now) {
    const std::uint64_t room = options.most_bytes / 100;
    const bool is_full = bytes() > options.most_bytes;
    std::size_t evicted = 0;
    for (std::size_t i = 0; i != batch; ++i) {
        MDB_val key{};
        const bool there_is_one = [&] {
            Cursor cursor{transaction_, table_};
            return cursor.find(RecordKey::first('u'), key);
        }();
        if (!there_is_one) { break; }
        if (key.mv_size != RecordKey::use_size) {
            remove(key);
            continue;
        }
        const std::uint32_t hour = RecordKey::hour_of(key);
        const bool is_old = std::int64_t{now.hour()} - hour >= options.oldest.count();
        if (!is_old && !(is_full && bytes() > options.most_bytes - room)) { break; }
        const EntryKey entry = RecordKey::entry_at_end(key);
        MDB_val record{};
        Entry noted;
        const bool was_used_since =
            get(RecordKey('e', entry).value(), record) && read_entry(record, entry, noted) && noted.used != hour;
        if (!was_used_since && erase(entry)) { ++evicted; }
        static_cast<void>(remove(RecordKey(hour, entry).value()));
    }
    return evicted;
}

inline std::size_t Entries::erase_some(std::uint64_t group) {
    std::size_t erased = 0;
    for (; erased != batch; ++erased) {
        MDB_val key{};
        EntryKey entry;
        {
            Cursor cursor{transaction_, table_};
            if (!cursor.find(RecordKey::group(group), key)) { break; }
            entry = RecordKey::entry_at_end(key);
        }
        if (key.mv_size != RecordKey::entry_size || !erase(entry)) { break; }
    }
    return erased;
}

inline std::uint64_t Entries::bytes() const {
    MDB_stat stat{};
    check(::mdb_stat(transaction_, table_, &stat));
    return (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * std::uint64_t{stat.ms_psize};
}

}  // namespace procpool::detail::persist
