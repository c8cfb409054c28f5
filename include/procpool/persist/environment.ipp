// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/file_system.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/persist/check_file.hpp>
#include <procpool/persist/environment.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

namespace procpool::inline v0::detail::persist {

inline constexpr const char* state_name = "procpool_memo";
inline constexpr const char* entries_name = "data.mdb";
inline constexpr const char* lock_name = "lock.mdb";

/// A file that is no larger is looked through whenever a process is alone with it, since the kernel's clock is too
/// coarse to say that nobody has changed it; a larger one, where it is not as its last writer left it.
inline constexpr std::uint64_t always_checked = std::uint64_t{64} << 20;
inline constexpr std::uint64_t least_map = std::uint64_t{64} << 20;
inline constexpr std::size_t most_readers = 4096;
/// LMDB has a line of the processor's for each reader, and its locks before them.
inline constexpr std::size_t lock_bytes = (most_readers + 16) * cache_line;

/// Returns: the path, where LMDB and the process's own calls may open it. Throws: Error; std::system_error.
[[nodiscard]] inline std::string prepared(const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    const std::string_view kind = os::shared_file_system_of(directory.c_str());
    if (!kind.empty()) {
        throw Error("procpool: the memo's directory " + directory.string() + " is on " + std::string(kind) +
                    ", where processes cannot share a file's memory: give Memo a directory on a disk of this machine");
    }
    return (directory / state_name).string();
}

inline Environment::Environment(const std::filesystem::path& directory)
    : state_(prepared(directory).c_str(), state_bytes),
      tally_(&state().tallies[static_cast<std::size_t>(os::process_number()) % State::tally_count]) {
    while (!join(directory)) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }
}

/// Returns: false when the one who was alone died before it had made the files.
inline bool Environment::join(const std::filesystem::path& directory) {
    const bool is_alone = state_.lock().try_alone();
    if (is_alone) {
        state().is_made.store(0);
        reach(FaultPoint::memo_alone);
        make_alone(directory);
        reach(FaultPoint::memo_made);
    } else {
        state_.lock().share();
        if (state().is_made.load() == 0) {
            state_.lock().release();
            return false;
        }
        require_own(directory);
    }
    open(directory);
    if (is_alone) {
        state().is_made.store(1);
        state_.lock().share();
    }
    return true;
}

inline Environment::~Environment() = default;

inline void Environment::require_own(const std::filesystem::path& directory) const {
    if (state().magic != State::own_magic) {
        throw Error(
            "procpool: " + directory.string() +
            " is not a memo's directory, or its file procpool_memo is damaged: remove it, or give Memo another one");
    }
    if (state().layout != State::own_layout) {
        throw Error("procpool: the memo in " + directory.string() + " has layout " + std::to_string(state().layout) +
                    ", this program knows layout " + std::to_string(State::own_layout) +
                    ": it was made with another version of procpool; remove it, or give Memo another directory");
    }
}

inline void Environment::make_alone(const std::filesystem::path& directory) {
    const std::string entries = (directory / entries_name).string();
    const std::string lock = (directory / lock_name).string();
    State& now = state();
    const bool is_new = now.magic == std::array<char, State::own_magic.size()>{};
    if (is_new && os::stamp_of(entries.c_str()).inode != 0) {
        std::filesystem::remove(directory / state_name);
        throw Error("procpool: " + directory.string() +
                    " holds an LMDB database that is not a memo's: give Memo a directory of its own");
    }
    if (is_new) {
        now.layout = State::own_layout;
        std::atomic_signal_fence(std::memory_order_seq_cst);  // a process that dies here leaves a new one
        now.magic = State::own_magic;
    }
    require_own(directory);

    std::array<char, sizeof(State::boot)> boot{};
    const std::string name = os::boot_name();
    std::copy_n(name.data(), std::min(name.size(), boot.size() - 1), boot.data());
    const os::FileStamp found = os::stamp_of(entries.c_str());
    const bool is_known = found.size > always_checked && !name.empty() && now.boot == boot &&
                          found.size == now.entries_size.load() && found.modified == now.entries_modified.load();
    if (found.size != 0 && !is_known && !is_whole(os::FileView{entries.c_str()}.bytes())) {
        log::report(LogLevel::warning, log::subject_here(),
                    "the memo in {} is damaged, as by a crash of the machine, and starts empty", directory.string());
        std::filesystem::remove(entries);
    } else if (found.size == 0) {
        std::filesystem::remove(entries);
    }
    now.boot = boot;
    // No process has these: who was killed while it made them left any bytes there.
    std::memset(static_cast<void*>(&now.writing), 0, sizeof(now.writing));
    now.writing.prepare();
    std::filesystem::remove(lock);
    const os::FileLock made{lock.c_str()};
    os::reserve_file(made.number(), lock_bytes);
}

inline void Environment::open(const std::filesystem::path& directory) {
    const os::NumbersOfStreams held;  // LMDB's files keep the numbers that they get
    MDB_env* made = nullptr;
    check(::mdb_env_create(&made));
    lmdb_.reset(made);
    const os::FileStamp found = os::stamp_of((directory / entries_name).c_str());
    check(::mdb_env_set_mapsize(made, static_cast<std::size_t>(std::max(least_map, 2 * found.size))));
    constexpr unsigned mode = 0666;  // as far as the umask allows
    check(::mdb_env_open(made, directory.c_str(), MDB_NOSYNC | MDB_NOTLS, mode));
    int number = -1;
    check(::mdb_env_get_fd(made, &number));
    os::close_on_exec(number);
    guard_.emplace((directory / lock_name).c_str());
    guard_->share();
    remove_dead_readers();
    MDB_txn* transaction = nullptr;
    check(::mdb_txn_begin(made, nullptr, MDB_RDONLY, &transaction));
    const int error = ::mdb_dbi_open(transaction, nullptr, 0, &table_);
    ::mdb_txn_abort(transaction);
    check(error);
}

inline bool Environment::is_current(const std::filesystem::path& directory) const noexcept {
    int number = -1;
    return ::mdb_env_get_fd(lmdb(), &number) == MDB_SUCCESS &&
           os::stamp_of(number).is_same_file(os::stamp_of((directory / entries_name).c_str()));
}

inline MDB_txn* Environment::begin_writing() {
    MDB_txn* transaction = nullptr;
    check(::mdb_txn_begin(lmdb(), nullptr, 0, &transaction));
    return transaction;
}

inline void Environment::commit(MDB_txn* transaction) {
    reach(FaultPoint::memo_written);
    check(::mdb_txn_commit(transaction));
    reach(FaultPoint::memo_committed);
    int number = -1;
    if (::mdb_env_get_fd(lmdb(), &number) != MDB_SUCCESS) { return; }
    const os::FileStamp now = os::stamp_of(number);
    state().entries_size.store(now.size, std::memory_order_relaxed);
    state().entries_modified.store(now.modified, std::memory_order_relaxed);
}

inline std::uint64_t Environment::map_size() const {
    MDB_envinfo known{};
    check(::mdb_env_info(lmdb(), &known));
    return known.me_mapsize;
}

inline bool Environment::grow() {
    const std::size_t size = 2 * static_cast<std::size_t>(map_size());
    // LMDB gives the map that it has away before it asks for the new one.
    if (!os::has_address_space(size)) { return false; }
    check(::mdb_env_set_mapsize(lmdb(), size));
    return true;
}

inline void Environment::remove_dead_readers() noexcept {
    int dead = 0;
    static_cast<void>(::mdb_reader_check(lmdb(), &dead));
}

}  // namespace procpool::detail::persist
