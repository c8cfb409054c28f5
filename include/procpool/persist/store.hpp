// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Store: a memo's directory for all threads of a process, and for the processes that it forks.

#include <procpool/core/platform.hpp>
#include <procpool/core/requirements.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/persist/entries.hpp>
#include <procpool/persist/environment.hpp>
#include <procpool/persist/options.hpp>

#include <lmdb.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// One for each directory that the process has met, never destroyed. What is open in it belongs to the process that
/// opened it: a forked child leaves its parent's alone, and opens its own at the first use.
///
/// A look needs no lock that others might have: it takes a lane, a reader's transaction that is there already. A thread
/// that closes the directory, or makes its map larger, takes all lanes first.
///
/// find() and put() do not throw what befalls the files: without them calls go on, as if nothing was there, and the log
/// says so once.
class Store {
public:
    /// Returns: the store of a directory, which may not exist. Throws: std::bad_alloc.
    [[nodiscard]] static Store& of(const std::string& directory);
    /// As above, also by another of the directory's paths; makes the directory where there is none. Throws:
    /// std::system_error; std::bad_alloc.
    [[nodiscard]] static Store& made(const std::filesystem::path& directory);

    [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

    /// Effects: opens the directory in this process, anew where its files have been removed. Throws: as Environment,
    /// but Error for those of LMDB.
    void require_open();

    /// \{
    /// The directory stays open in this process as long as somebody holds it; without that, from its first use on.
    void hold();
    void let_go() noexcept;
    /// \}

    /// Returns: whether a usable entry is there; copies its result. Throws: std::bad_alloc.
    [[nodiscard]] bool find(const EntryKey& key, const MemoOptions& options, FoundBytes& result);
    /// Effects: keeps a result. Throws: std::bad_alloc.
    void put(const EntryKey& key, std::span<const std::byte> result, std::uint64_t cost, const MemoOptions& options);
    /// \{
    /// Counts what became of a look.
    void count_hit() noexcept { count(&Tally::hits); }
    void count_miss() noexcept { count(&Tally::misses); }
    void count_damaged() noexcept { count(&Tally::damaged); }
    /// \}

    /// \{
    /// As those of Memo. Throws: Error; as Environment.
    [[nodiscard]] MemoStats stats();
    void clear();
    std::size_t erase(std::uint64_t group);
    /// \}

private:
    static constexpr std::size_t lane_count = 64;
    static constexpr std::chrono::seconds longest_wait{2};
    static constexpr std::size_t most_touched = 128;
    static constexpr std::int64_t longest_unnoted = 10;  // seconds

    /// A reader's transaction, for one thread at a time.
    struct alignas(cache_line) Lane {
        std::atomic<bool> is_taken{false};
        MDB_txn* transaction = nullptr;
    };
    class Look;
    class Writing;
    struct Name;
    /// Entries whose use is to be noted. No memory of its own: a child may be forked in the middle of a change.
    struct Touched {
        std::array<EntryKey, most_touched> keys;
        std::size_t count = 0;
        [[nodiscard]] std::span<const EntryKey> all() const noexcept { return std::span{keys}.first(count); }
    };

    explicit Store(std::string directory) : directory_(std::move(directory)) {}

    [[nodiscard]] static Store* named(std::string_view directory) noexcept;
    static Store& add_name(std::string name, Store* store);

    template <class Act>
    bool write(std::uint64_t most_map, const Act& act);
    template <class Act>
    void change(const Act& act);
    template <class Resize>
    bool without_transactions(const Resize& resize);
    void count(std::atomic<std::uint64_t> Tally::*counter, std::uint64_t by = 1) noexcept;
    void note_use(const EntryKey& key, const MemoOptions& options, Moment now) noexcept;
    void note_uses(const MemoOptions& options) noexcept;
    [[nodiscard]] Touched take_touched() noexcept;

    [[nodiscard]] Environment& opened();
    [[nodiscard]] bool adopt_size() noexcept;
    void adopt();
    void close() noexcept;
    void take_lanes() noexcept;
    void free_lanes() noexcept;
    [[nodiscard]] std::string text_of(const LmdbError& error) const;
    void warn(const std::string& why) noexcept;
    void take_failure() noexcept;
    [[noreturn]] void throw_error(const LmdbError& error) const;
    [[nodiscard]] bool has_given_up() const noexcept;
    [[nodiscard]] static std::uint64_t largest_map(const MemoOptions& options) noexcept;

    const std::string directory_;

    std::atomic<os::Token> owner_{0};  // of what follows; another process has to adopt() it first
    os::ProgramLock lock_;             // of opening and closing
    std::atomic<Environment*> open_{nullptr};
    std::array<Lane, lane_count> lanes_;
    std::atomic<std::uint32_t> writers_{0};
    std::size_t holders_ = 0;
    bool is_kept_ = false;
    std::atomic<std::int64_t> failed_at_{0};  // when it could not be opened; 0: never
    std::atomic<bool> has_warned_{false};
    std::atomic<std::uint32_t> stuck_{0};  // the thread that did not let go of the lock in time

    std::vector<const void*> inherited_;  // a parent had these open; not to be closed here

    os::ProgramLock touched_lock_;  // of the two that follow
    Touched touched_;
    std::int64_t noted_at_ = 0;
};

/// Holds a store, if it is counted.
class HeldStore {
public:
    struct Uncounted {};
    explicit HeldStore(Store& store) : store_(&store), holder_(os::process_token()) { store.hold(); }
    HeldStore(Store& store, Uncounted) noexcept : store_(&store), holder_(0) {}
    HeldStore(const HeldStore& other) : store_(other.store_), holder_(other.counts() ? other.holder_ : 0) {
        if (holder_ != 0) { store_->hold(); }
    }
    HeldStore& operator=(const HeldStore& other) {
        HeldStore copy{other};
        std::swap(store_, copy.store_);
        std::swap(holder_, copy.holder_);
        return *this;
    }
    ~HeldStore() {
        if (counts()) { store_->let_go(); }
    }

    [[nodiscard]] Store& get() const noexcept { return *store_; }

private:
    /// A forked child's copy of an object that its parent holds by holds nothing.
    [[nodiscard]] bool counts() const noexcept { return holder_ != 0 && os::is_process(holder_); }

    Store* store_;
    os::Token holder_;
};

}  // namespace procpool::detail::persist

#include <procpool/persist/store.ipp>
