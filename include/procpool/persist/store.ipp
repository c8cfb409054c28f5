// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/file_system.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/persist/store.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace procpool::inline v0::detail::persist {

/// A path that leads to a store. There may be several.
struct Store::Name {
    std::string directory;
    Store* store;
    Name* next;

    /// The newest name; a directory that was made anew has one before its old one.
    static inline constinit std::atomic<Name*> newest{nullptr};
};

/// A lane, with a transaction that reads, for a scope.
class Store::Look {
public:
    explicit Look(Store& store) {
        const char here = 0;  // other threads have their stacks elsewhere
        std::size_t at = (reinterpret_cast<std::uintptr_t>(&here) >> 16) * 0x9E3779B97F4A7C15 >> 40;
        for (;;) {
            if (!os::is_process(store.owner_.load(std::memory_order_acquire))) { store.adopt(); }
            while (store.lanes_[at % lane_count].is_taken.exchange(true)) {
                if (++at % lane_count == 0) { os::yield(); }
            }
            lane_ = &store.lanes_[at % lane_count];
            // seq_cst: a thread that closes takes the pointer away first, and looks at the lane after that.
            environment_ = store.open_.load();
            if (environment_ != nullptr) { break; }
            lane_->is_taken.store(false);
            static_cast<void>(store.opened());
        }
        try {
            begin();
        } catch (...) {
            lane_->is_taken.store(false);
            throw;
        }
    }
    Look(const Look&) = delete;
    Look& operator=(const Look&) = delete;
    ~Look() {
        ::mdb_txn_reset(lane_->transaction);
        lane_->is_taken.store(false);
    }

    [[nodiscard]] Entries entries() const noexcept { return {lane_->transaction, environment_->table()}; }

private:
    void begin() {
        if (lane_->transaction != nullptr) {
            check(::mdb_txn_renew(lane_->transaction));
            return;
        }
        const auto make = [&] {
            return ::mdb_txn_begin(environment_->lmdb(), nullptr, MDB_RDONLY, &lane_->transaction);
        };
        int error = make();
        if (error == MDB_READERS_FULL) {
            environment_->remove_dead_readers();
            error = make();
        }
        if (error != MDB_SUCCESS) { lane_->transaction = nullptr; }
        check(error);
    }

    Lane* lane_ = nullptr;
    Environment* environment_ = nullptr;
};

/// Keeps the directory open, for a scope, and the lock of the one who writes.
class Store::Writing {
public:
    explicit Writing(Store& store) : store_(store) {
        for (;;) {
            if (!os::is_process(store.owner_.load(std::memory_order_acquire))) { store.adopt(); }
            ++store.writers_;
            environment_ = store.open_.load();  // seq_cst: as Look
            if (environment_ != nullptr) { break; }
            --store.writers_;
            static_cast<void>(store.opened());
        }
    }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() {
        if (is_locked_) { environment_->state().writing.unlock(); }
        --store_.writers_;
    }

    [[nodiscard]] Environment& environment() const noexcept { return *environment_; }

    /// Returns: whether this thread has the lock. A process that is stopped while it has it costs others one wait each.
    /// Throws: std::system_error when its bytes are overwritten.
    [[nodiscard]] bool lock() {
        sync::RobustLock& lock = environment_->state().writing;
        const std::uint32_t stuck = store_.stuck_.load(std::memory_order_relaxed);
        const bool is_stuck = stuck != 0 && lock.was_thread() == stuck;
        is_locked_ = lock.lock_healed(is_stuck ? Deadline::immediately() : Deadline::after(longest_wait));
        store_.stuck_.store(is_locked_ ? 0 : lock.was_thread(), std::memory_order_relaxed);
        return is_locked_;
    }

private:
    Store& store_;
    Environment* environment_ = nullptr;
    bool is_locked_ = false;
};

/// A transaction that writes; it has not happened unless commit() has returned.
class Change {
public:
    explicit Change(Environment& environment) : environment_(environment), transaction_(environment.begin_writing()) {}
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ~Change() {
        if (transaction_ != nullptr) { ::mdb_txn_abort(transaction_); }
    }
    [[nodiscard]] Entries entries() const noexcept { return {transaction_, environment_.table()}; }
    void commit() { environment_.commit(std::exchange(transaction_, nullptr)); }

private:
    Environment& environment_;
    MDB_txn* transaction_;
};

inline Store* Store::named(std::string_view directory) noexcept {
    for (const Name* name = Name::newest.load(std::memory_order_acquire); name != nullptr; name = name->next) {
        if (name->directory == directory) { return name->store; }
    }
    return nullptr;
}

inline Store& Store::add_name(std::string directory, Store* store) {
    Store* const made = store != nullptr ? store : new Store(directory);
    auto* const name = new Name{std::move(directory), made, Name::newest.load(std::memory_order_relaxed)};
    // release: threads that find the name see its store. Two threads may add the same: the older is not found any more.
    while (!Name::newest.compare_exchange_weak(name->next, name, std::memory_order_release)) {}
    return *made;
}

inline Store& Store::of(const std::string& directory) {
    Store* const known = named(directory);
    if (known != nullptr) { return *known; }
    try {
        return made(directory);
    } catch (const std::bad_alloc&) { throw; } catch (const std::exception&) {
        return add_name(directory, nullptr);
    }  // its first use says what is wrong
}

inline Store& Store::made(const std::filesystem::path& directory) {
    static constinit os::ProgramLock one_at_a_time;
    const std::lock_guard locked{one_at_a_time};
    std::filesystem::create_directories(directory);
    const std::string path = std::filesystem::canonical(directory).string();
    const os::FileStamp found = os::stamp_of(path.c_str());
    Store* store = nullptr;
    for (const Name* name = Name::newest.load(std::memory_order_acquire); name != nullptr; name = name->next) {
        // Another directory may have got the number of one that is gone.
        if (os::stamp_of(name->store->directory_.c_str()).is_same_file(found)) {
            store = name->store;
            if (name->directory == path) { return *store; }
        }
    }
    return add_name(path, store);
}

inline void Store::adopt() {
    const std::lock_guard locked{lock_};
    const os::Token mine = os::process_token();
    if (owner_.load() == mine) { return; }
    if (Environment* const parents = open_.load(); parents != nullptr) { inherited_.push_back(parents); }
    open_.store(nullptr);
    for (Lane& lane : lanes_) {
        if (lane.transaction != nullptr) { inherited_.push_back(std::exchange(lane.transaction, nullptr)); }
        lane.is_taken.store(false);
    }
    writers_.store(0);
    holders_ = 0;
    is_kept_ = false;
    failed_at_.store(0);
    has_warned_.store(false);
    touched_.count = 0;
    owner_.store(mine, std::memory_order_release);
}

inline void Store::hold() {
    if (!os::is_process(owner_.load(std::memory_order_acquire))) { adopt(); }
    const std::lock_guard locked{lock_};
    ++holders_;
}

inline void Store::let_go() noexcept {
    if (open_.load() != nullptr) { note_uses({}); }
    const std::lock_guard locked{lock_};
    if (--holders_ == 0 && !is_kept_) { close(); }
}

inline Environment& Store::opened() {
    const std::lock_guard locked{lock_};
    if (Environment* const now = open_.load(); now != nullptr) { return *now; }
    try {
        auto now = std::make_unique<Environment>(directory_);
        is_kept_ = is_kept_ || holders_ == 0;
        failed_at_.store(0);
        open_.store(now.get());
        return *now.release();
    } catch (const LmdbError& error) {
        failed_at_.store(Moment::now().seconds);
        throw Error("procpool: the memo in " + directory_ + " cannot be opened: " + text_of(error));
    } catch (const std::system_error& error) {
        failed_at_.store(Moment::now().seconds);
        throw std::system_error(error.code(), "procpool: the memo in " + directory_ + " cannot be opened");
    } catch (...) {
        failed_at_.store(Moment::now().seconds);
        throw;
    }
}

inline void Store::require_open() {
    if (!os::is_process(owner_.load(std::memory_order_acquire))) { adopt(); }
    {
        const std::lock_guard locked{lock_};
        const Environment* const now = open_.load();
        if (now != nullptr && !now->is_current(directory_)) { close(); }
    }
    static_cast<void>(opened());
}

/// Requires: lock_ is held.
inline void Store::close() noexcept {
    Environment* const now = open_.exchange(nullptr);
    if (now == nullptr) { return; }
    while (writers_.load() != 0) { os::yield(); }
    take_lanes();
    for (Lane& lane : lanes_) {
        if (lane.transaction != nullptr) { ::mdb_txn_abort(std::exchange(lane.transaction, nullptr)); }
    }
    delete now;
    free_lanes();
}

inline void Store::take_lanes() noexcept {
    for (Lane& lane : lanes_) {  // in order, so that two threads that do this do not wait for each other
        while (lane.is_taken.exchange(true)) { os::yield(); }
    }
}

inline void Store::free_lanes() noexcept {
    for (Lane& lane : lanes_) { lane.is_taken.store(false); }
}

/// Requires: the caller has the lock of the one who writes, and no transaction.
template <class Resize>
bool Store::without_transactions(const Resize& resize) {
    take_lanes();
    struct Free {
        Store& store;
        ~Free() { store.free_lanes(); }
    } const free{*this};
    return resize();
}

inline bool Store::has_given_up() const noexcept {
    const std::int64_t failed_at = failed_at_.load(std::memory_order_relaxed);
    return failed_at != 0 && os::is_process(owner_.load(std::memory_order_relaxed)) &&
           Moment::now().seconds - failed_at < 2;
}

/// Returns: the cause. A write that a full disk cuts short is an error of input or output to LMDB.
inline std::string Store::text_of(const LmdbError& error) const {
    const bool is_full = error.code() == EIO && os::is_full(directory_.c_str());
    return is_full ? std::generic_category().message(ENOSPC) : error.text();
}

inline void Store::warn(const std::string& why) noexcept {
    if (has_warned_.exchange(true)) { return; }
    log::report(LogLevel::warning, log::subject_here(),
                "the memo in {} is passed by, now and maybe later: functions are called, and their results may not be "
                "kept: {}",
                directory_, why);
}

/// Effects: the failure of a call is a warning; one after which LMDB is of no more use also closes the files.
inline void Store::take_failure() noexcept {
    try {
        throw;
    } catch (const LmdbError& error) {
        warn(text_of(error));
        if (error.code() == MDB_PANIC || error.code() == ENOMEM) {
            const std::lock_guard locked{lock_};
            failed_at_.store(Moment::now().seconds);
            close();
        }
    } catch (const std::exception& error) { warn(error.what()); }
}

inline void Store::count(std::atomic<std::uint64_t> Tally::*counter, std::uint64_t by) noexcept {
    if (!os::is_process(owner_.load(std::memory_order_acquire))) { return; }
    ++writers_;
    if (const Environment* const now = open_.load(); now != nullptr) {
        (now->tally().*counter).fetch_add(by, std::memory_order_relaxed);
    }
    --writers_;
}

inline bool Store::find(const EntryKey& key, const MemoOptions& options, FoundBytes& result) {
    if (has_given_up()) { return false; }
    for (int attempt = 0; attempt != 3; ++attempt) {
        try {
            const Moment now = Moment::now();
            Entry entry{};
            const Found found = [&] {
                const Look look{*this};
                return look.entries().find(key, options, now, entry, result);
            }();
            if (found == Found::damaged) { count(&Tally::damaged); }
            if (found == Found::yes && entry.used < now.hour()) { note_use(key, options, now); }
            return found == Found::yes;
        } catch (const LmdbError& error) {
            if (error.code() != MDB_MAP_RESIZED || !adopt_size()) {
                take_failure();
                return false;
            }
        } catch (const std::bad_alloc&) { throw; } catch (const std::exception&) {
            take_failure();
            return false;
        }
    }
    return false;
}

/// Effects: the map gets the size that another process has given it. Returns: false when that is not possible now.
inline bool Store::adopt_size() noexcept {
    try {
        Writing writing{*this};
        return writing.lock() && without_transactions([&] {
                   writing.environment().adopt_size();
                   return true;
               });
    } catch (...) {
        take_failure();
        return false;
    }
}

/// Effects: change(entries) in a transaction, repeated where LMDB needs more room. most_map: bytes that the map may
/// have. Returns: false when the lock was not to be had. Throws: LmdbError; Error; std::system_error; what `change`
/// throws.
template <class Act>
bool Store::write(std::uint64_t most_map, const Act& act) {
    Writing writing{*this};
    if (!writing.lock()) { return false; }
    reach(FaultPoint::memo_locked);
    Environment& now = writing.environment();
    bool has_removed = false;
    for (;;) {
        try {
            Change change{now};
            act(change.entries());
            change.commit();
            return true;
        } catch (const LmdbError& error) {
            if (error.code() == MDB_MAP_RESIZED) {
                without_transactions([&] {
                    now.adopt_size();
                    return true;
                });
            } else if (error.code() == MDB_MAP_FULL && !has_removed) {
                has_removed = true;
                now.remove_dead_readers();
            } else if (error.code() != MDB_MAP_FULL || now.map_size() > most_map / 2 ||
                       !without_transactions([&] { return now.grow(); })) {
                throw;
            }
        }
    }
}

inline void Store::put(const EntryKey& key, std::span<const std::byte> result, std::uint64_t cost,
                       const MemoOptions& options) {
    constexpr std::size_t most_of_lmdb = UINT32_MAX;
    if (has_given_up() || result.size() > options.most_bytes || result.size() > most_of_lmdb) { return; }
    try {
        const Touched touched = take_touched();
        bool is_new = false;
        std::size_t evicted = 0;
        const bool is_written = write(largest_map(options), [&](Entries entries) {
            const Moment now = Moment::now();
            is_new = entries.put(key, result, cost, options, now);
            for (const EntryKey& used : touched.all()) { entries.touch(used, now); }
            evicted = entries.evict(options, now);
        });
        if (!is_written) { return warn("another process has the lock of the one who writes, and does not go on"); }
        if (is_new) { count(&Tally::stores); }
        if (evicted != 0) { count(&Tally::evictions, evicted); }
    } catch (const std::bad_alloc&) { throw; } catch (...) {
        take_failure();
    }
}

inline std::uint64_t Store::largest_map(const MemoOptions& options) noexcept {
    constexpr std::uint64_t much = std::uint64_t{1} << 30;
    return options.most_bytes > UINT64_MAX / 8 ? UINT64_MAX : 4 * options.most_bytes + much;
}

inline Store::Touched Store::take_touched() noexcept {
    const std::lock_guard locked{touched_lock_};
    const Touched taken = touched_;
    touched_.count = 0;
    return taken;
}

/// Effects: the use is noted now, or with others when there are many, or after a while.
inline void Store::note_use(const EntryKey& key, const MemoOptions& options, Moment now) noexcept {
    {
        const std::lock_guard locked{touched_lock_};
        const bool is_known = touched_.count != 0 && touched_.keys[touched_.count - 1] == key;
        if (!is_known && touched_.count != most_touched) { touched_.keys[touched_.count++] = key; }
        if (touched_.count != most_touched && now.seconds - noted_at_ < longest_unnoted) { return; }
        noted_at_ = now.seconds;
    }
    note_uses(options);
}

inline void Store::note_uses(const MemoOptions& options) noexcept {
    try {
        const Touched touched = take_touched();
        if (touched.count == 0) { return; }
        static_cast<void>(write(largest_map(options), [&](Entries entries) {
            const Moment now = Moment::now();
            for (const EntryKey& used : touched.all()) { entries.touch(used, now); }
        }));
    } catch (...) { take_failure(); }
}

inline MemoStats Store::stats() {
    MemoStats sum;
    Writing open{*this};
    for (const Tally& one : open.environment().state().tallies) {
        sum.hits += one.hits.load(std::memory_order_relaxed);
        sum.misses += one.misses.load(std::memory_order_relaxed);
        sum.stores += one.stores.load(std::memory_order_relaxed);
        sum.evictions += one.evictions.load(std::memory_order_relaxed);
        sum.damaged += one.damaged.load(std::memory_order_relaxed);
    }
    for (;;) {
        try {
            sum.bytes = Look{*this}.entries().bytes();
            return sum;
        } catch (const LmdbError& error) {
            if (error.code() != MDB_MAP_RESIZED || !adopt_size()) { throw_error(error); }
        }
    }
}

inline void Store::throw_error(const LmdbError& error) const {
    throw Error("procpool: the memo in " + directory_ + ": " + text_of(error));
}

/// As write(), where it has to succeed.
template <class Act>
void Store::change(const Act& act) {
    try {
        if (!write(UINT64_MAX, act)) {
            throw Error("procpool: the memo in " + directory_ +
                        " cannot be changed: another process has the lock of the one who writes, and does not go on");
        }
    } catch (const LmdbError& error) { throw_error(error); }
}

inline void Store::clear() {
    change([](Entries entries) { entries.clear(); });
}

inline std::size_t Store::erase(std::uint64_t group) {
    std::size_t all = 0;
    for (std::size_t some = 1; some != 0; all += some) {
        change([&](Entries entries) { some = entries.erase_some(group); });
    }
    return all;
}

}  // namespace procpool::detail::persist
