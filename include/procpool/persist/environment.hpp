// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Environment: a memo's directory, as one process has it open.
///
///     procpool_memo    a State, which all processes map. Its lock tells who is alone
///     data.mdb         the entries, LMDB's
///     lock.mdb         LMDB's table of readers, and its locks

#include <procpool/core/requirements.hpp>
#include <procpool/os/shared_file.hpp>
#include <procpool/persist/entries.hpp>
#include <procpool/persist/state.hpp>

#include <lmdb.h>

#include <filesystem>
#include <memory>
#include <optional>

namespace procpool::inline v0::detail::persist {

/// Open from its construction to its destruction, in the process that made it: LMDB does not survive a fork. A process
/// has one for a directory at most, since closing one would take LMDB's locks away from another.
///
/// A process that finds itself alone with the directory makes sure that LMDB can work with the file, before others come
/// in. No entry is synchronised with the disk: they survive the death of any process, and that of the machine as far as
/// the disk has them; a file that is not whole afterwards is emptied.
class Environment {
public:
    /// Throws: std::system_error; Error when the directory is on a file system of several machines, holds something
    /// else, or is of another layout; LmdbError; std::bad_alloc.
    explicit Environment(const std::filesystem::path& directory);
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;
    /// Requires: no transaction is open, but that those of readers may be there, reset.
    ~Environment();

    [[nodiscard]] MDB_env* lmdb() const noexcept { return lmdb_.get(); }
    [[nodiscard]] MDB_dbi table() const noexcept { return table_; }
    [[nodiscard]] State& state() const noexcept { return *reinterpret_cast<State*>(state_.data()); }
    /// This process's part of the counts.
    [[nodiscard]] Tally& tally() const noexcept { return *tally_; }
    /// Whether the directory still is what it was opened as: its files were not removed meanwhile.
    [[nodiscard]] bool is_current(const std::filesystem::path& directory) const noexcept;

    /// Returns: a transaction that writes. Requires: State::writing is held. Throws: LmdbError.
    [[nodiscard]] MDB_txn* begin_writing();
    /// Effects: commits, and notes what the file is like since. Throws: LmdbError.
    void commit(MDB_txn* transaction);

    /// Bytes that the file may have in this process.
    [[nodiscard]] std::uint64_t map_size() const;
    /// Effects: makes the map larger. Returns: false when there is no room for that. Requires: no transaction is open
    /// in this process. Throws: LmdbError; the object is of no use any more then.
    [[nodiscard]] bool grow();
    /// Effects: makes the map as large as another process has made it. Requires, throws: as grow().
    void adopt_size() { check(::mdb_env_set_mapsize(lmdb(), 0)); }
    /// Effects: takes the places of dead readers away, which keep old pages from being used again.
    void remove_dead_readers() noexcept;

private:
    [[nodiscard]] bool join(const std::filesystem::path& directory);
    void make_alone(const std::filesystem::path& directory);
    void require_own(const std::filesystem::path& directory) const;
    void open(const std::filesystem::path& directory);

    struct Close {
        void operator()(MDB_env* lmdb) const noexcept { ::mdb_env_close(lmdb); }
    };

    os::SharedFile state_;
    Tally* tally_;
    std::unique_ptr<MDB_env, Close> lmdb_;
    /// On LMDB's own lock file, besides LMDB's lock, which the process loses when it closes any descriptor of that
    /// file: the next to come would take itself for the only one, and make the locks anew.
    std::optional<os::FileLock> guard_;
    MDB_dbi table_ = 0;
};

}  // namespace procpool::detail::persist

#include <procpool/persist/environment.ipp>
