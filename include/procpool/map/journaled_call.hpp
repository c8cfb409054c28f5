// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// JournaledCall: the items of a call that its journal has results of, and those that run nevertheless.

#include <procpool/core/config.hpp>
#include <procpool/map/ledger.hpp>
#include <procpool/map/read_items.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/persist/journal.hpp>
#include <procpool/pool/options.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Items are read, compared with the journal, and then given to the ledger, with the results that the journal has, or
/// kept here as runs that are to be submitted. Knows no type of the user's. Called by: the call's thread.
class JournaledCall {
public:
    struct Rules {
        bool keeps_errors;  ///< a failed item is a result
        bool folds;         ///< results are folded, block by block
        bool framed;        ///< items have their sizes before them
    };

    /// Throws: as persist::Journal.
    JournaledCall(client::Client& client, const MapOptions& options, const persist::JournalIdentity& identity,
                  const Rules& rules);

    [[nodiscard]] persist::Journal& journal() noexcept { return journal_; }
    [[nodiscard]] ReadItems& items() noexcept { return items_; }

    // ---- reading on; requires that there are no runs

    /// The next stretch of items to read.
    struct Wanted {
        std::size_t most;  ///< items
        bool is_recorded;  ///< there are results of them
    };
    /// Returns: how many items to read from `at` on.
    [[nodiscard]] Wanted find(std::size_t at);
    /// Effects: deals with the items that were read. is_at_end: whether the input ends behind them.
    void settle(Ledger& ledger, ResultSink& sink, bool is_at_end);

    // ---- items that are to be submitted

    /// Items that were read, by their position there.
    struct Run {
        std::size_t from;
        std::size_t count;
        bool is_one_chunk;  ///< its size was chosen for that
    };
    [[nodiscard]] bool has_runs() const noexcept { return !runs_.empty(); }
    [[nodiscard]] const Run& next_run() const noexcept { return runs_.front(); }
    /// Effects: `count` items of the next run are submitted.
    void submitted(std::size_t count);
    /// Effects: no run will be submitted. Calls drop(first item, count) for each.
    template <class Drop>
    void drop_runs(Drop drop) {
        for (const Run& run : std::exchange(runs_, {})) { drop(items_.first() + run.from, run.count); }
    }

private:
    void settle_values(Ledger& ledger, ResultSink& sink, const persist::JournalFile::Body& body);
    void settle_sums(Ledger& ledger, ResultSink& sink, const persist::JournalFile::Body& body, bool is_at_end);
    void skip_to(std::uint64_t piece, ResultSink& sink, const persist::JournalFile::Body& body);
    void leave(Ledger& ledger, std::size_t from, std::size_t count);
    [[nodiscard]] bool is_same(std::size_t from, std::size_t count, std::uint64_t offset,
                               const persist::JournalFile::Body& body) const noexcept;

    const Rules rules_;
    const bool only_failed_;
    persist::Journal journal_;
    ReadItems items_;
    persist::Journal::Stretch stretch_;
    bool is_failure_ = false;                           // the stretch
    const persist::JournalFile::Body* body_ = nullptr;  // of the stretch's record, where there are results
    const persist::JournalRecord* at_record_ = nullptr;
    std::uint64_t at_piece_ = 0;  // of that record: the next result to be read, or sum
    std::size_t at_byte_ = 0;     // where it is
    std::deque<Run> runs_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/journaled_call.ipp>
#endif
