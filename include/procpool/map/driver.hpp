// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MapDriver: drives one call over many items in the parent: how much is submitted, when it waits, and how it ends.

#include <procpool/client/parkers.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/map/chunk_size.hpp>
#include <procpool/map/hedges.hpp>
#include <procpool/map/ledger.hpp>
#include <procpool/map/progress_reporter.hpp>
#include <procpool/map/sent_callable.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/stop_request.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/worker/task_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <typeinfo>
#include <vector>

namespace procpool::inline v0::detail::map {

class JournaledCall;
class ReadItems;

/// Chunks in flight, so that no worker waits for its next one.
inline constexpr std::size_t chunks_per_worker = 4;

enum class DrivenBy {
    caller,      ///< run() returns when nothing of the call runs any more; the pool does not close before that
    own_thread,  ///< likewise, on a thread of the call's own, which keeps the pool open
    consumer     ///< by requests for results, and keeps the pool open until it is joined: chunks in flight keep nobody
                 ///< from submitting meanwhile
};

/// Returns: when the total timeout of a call that begins now passes.
[[nodiscard]] Deadline expiry_of(const MapOptions& options);

/// Checks options as all calls over many items do, and whether this call can do what they say. keeps_errors: a failed
/// item is a result. Throws: std::invalid_argument.
void check_call(const MapOptions& options, bool keeps_errors);
/// Throws: std::invalid_argument when items are to be hedged, of a call whose function changes them.
void refuse_hedge(const MapOptions& options);
/// Throws: std::invalid_argument when there is a journal. call: that cannot have one; why: a clause.
void refuse_journal(const MapOptions& options, const char* call, const char* why);

/// Properties that follow from the item and result types.
struct ChunkTraits {
    TaskCode code;
    std::optional<std::size_t> items;  ///< their number, if that is known
    std::size_t bytes_per_item;        ///< 0 where they stay where they are
    bool reads_at_once;                ///< see reads_at_once_v
    bool keeps_errors;                 ///< a failed item is a result
    bool folds;                        ///< results are folded, block by block
    bool frames;                       ///< items can have their sizes before them
};

/// Knows no type of the user's: TypedMapDriver reads the input, a ResultSink takes the results. A chunk is a task like
/// any other, so a chunk that kills its worker costs no other chunk. Called by: one thread at a time.
class MapDriver {
public:
    MapDriver(const MapDriver&) = delete;
    MapDriver& operator=(const MapDriver&) = delete;

    /// Throws: by OnError, the error of an item, or of the range, which counts as one at its place; when nothing of the
    /// call runs any more.
    void run();

    // ---- the steps of run()

    /// Whether there are items that have not been submitted.
    [[nodiscard]] bool has_input();
    /// Whether something that has been submitted is not settled.
    [[nodiscard]] bool in_flight() const noexcept { return ledger_.is_open(); }
    /// Effects: submits one more chunk, of at most `most` items. Returns: false when there is no slot for it now.
    /// Requires: has_input().
    bool submit_next(std::size_t most = SIZE_MAX);
    /// Blocks until something is decided, a report of progress is due, the total timeout passes, or the deadline.
    void wait(Deadline deadline);
    /// Whether there is something for collect().
    [[nodiscard]] bool has_news() const;
    /// Effects: takes the results of all chunks that are decided, and submits again what is left of them.
    void collect();
    /// Effects: reports progress if it is time. Throws: what the listener throws.
    void report_progress();
    /// Effects: cancels chunks that have not started; those that run stop after the item they are at.
    void stop() { ledger_.stop(); }
    /// Effects: ends the call if its total timeout has passed: kills what runs; the rest of the input ends unread, as
    /// has_input() and submit_next() come to it.
    void keep_time() {
        if (expires_.passed()) { expire(); }
    }
    /// Effects: kills runs of chunks that count no more, but still run; waits: until they have ended. Called by: who
    /// ends a call of which nothing is in flight.
    void end_hedges(bool waits);
    /// Effects: reports that the call has ended. Throws: what the listener throws, unless there is an error already.
    void end_progress();
    /// Effects: what the chunks have in common is gone when no chunk runs any more. Called by: the destructor, or
    /// earlier, when no more will be submitted.
    void end_callable() noexcept;

    [[nodiscard]] std::size_t workers() const noexcept;
    [[nodiscard]] std::size_t most_in_flight() const noexcept;
    [[nodiscard]] std::size_t submitted() const noexcept { return submitted_; }
    /// Returns: items that are worth the cost of a chunk, going by those that were measured.
    [[nodiscard]] std::size_t worthwhile() const noexcept { return sizes_.wanted(); }
    /// Returns: the error of the lowest item known, or of the range. Null when there is none.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return ledger_.error(); }

protected:
    /// expires: when the total timeout passes; nothing: counts from now. Lifetime: the references outlive it. Throws:
    /// std::invalid_argument; PoolClosed and its like.
    MapDriver(client::Client& client, const MapOptions& options, ResultSink& sink, const ChunkTraits& traits,
              DrivenBy driven_by, const StopRequest& request, std::optional<Deadline> expires);
    ~MapDriver();

    [[nodiscard]] virtual bool is_at_end() = 0;
    /// Effects: writes the head, the callable and as many items as there are, up to `wanted`; sets the head's items and
    /// count. Throws: what the range or a Codec throws at the first item; later, the chunk ends there, and
    /// take_input_error() has the error.
    virtual void encode_items(Writer& out, std::size_t wanted, ChunkHead& head) = 0;
    [[nodiscard]] virtual std::exception_ptr take_input_error() noexcept = 0;

    /// Effects: adds as many items as there are, up to `most`, to those that were read. Later than at the first of
    /// them, take_input_error() has what the range or a Codec throws. Called only where there is a journal.
    virtual void read_items(std::size_t most, ReadItems& to) = 0;
    /// Effects: writes the callable, or where it is, and what comes before it. first: the chunk's first item.
    virtual void write_function(Writer& out, ChunkHead& head, std::size_t first) = 0;

    /// The types of a call with a journal, and what its callable is known by in another run.
    struct JournalTypes {
        const std::type_info& results;
        const std::type_info& sums;  ///< void where nothing is folded
        const std::type_info& items;
        bool results_last;  ///< and the sums do
        client::Encode known;
    };
    /// Effects: what the journal has is not run again, and what is settled is added. Throws: as persist::Journal;
    /// CodecError.
    void open_journal(const JournalTypes& types);

    [[nodiscard]] const MapOptions& options() const noexcept { return options_; }

    /// Effects: writes a callable that may be large, or where it is. encode: writes it. Throws: as encode_items().
    void write_callable(Writer& out, ChunkHead& head, client::Encode encode);

private:
    [[nodiscard]] client::Submission submission() const;
    struct Arguments;
    [[nodiscard]] std::optional<client::Ticket> submit(const Arguments& arguments);
    void encode(Writer& out, std::size_t wanted, InFlightChunk& chunk);
    [[nodiscard]] bool submit_next_journaled(std::size_t most);
    void read_on(std::size_t most);
    [[nodiscard]] bool is_input_over();
    [[nodiscard]] std::size_t journaled_size() const noexcept;
    [[nodiscard]] std::size_t fit_run_to_blocks(std::size_t from, std::size_t count, std::size_t size,
                                                ChunkHead& head) const;
    void resubmit();
    void settle(InFlightChunk chunk);
    void settle_as(InFlightChunk chunk, const client::Taken& taken);
    [[nodiscard]] std::optional<client::Ticket> submit_again(InFlightChunk& chunk);
    // in driver_hedging.ipp:
    void settle_hedged(InFlightChunk& chunk);
    [[nodiscard]] bool may_hedge() const noexcept;
    void hedge();
    void obey();
    void expire();
    void kill_running() const;
    [[nodiscard]] bool may_wait_for_slot() const noexcept;
    void abandon() noexcept;
    void end_input(const std::exception_ptr& error) { end_input(error, submitted_); }
    void end_input(const std::exception_ptr& error, std::size_t index);
    [[nodiscard]] std::size_t fit_to_blocks(std::size_t size, ChunkHead& head) const noexcept;
    [[nodiscard]] bool is_worth_splitting() const noexcept;

    client::Client& client_;
    const MapOptions& options_;
    ResultSink& sink_;
    const ChunkTraits traits_;
    const DrivenBy driven_by_;
    std::optional<pool::OpenCall> hold_;  // goes after what uses the client
    const StopRequest& request_;
    Deadline expires_;  // never: without a total timeout, or once it has passed
    StopRequest::Kind obeyed_ = StopRequest::Kind::none;
    const bool goes_on_;  // after an item has failed
    client::Parkers::Lease lease_;
    const bool keeps_slot_;  // a chunk keeps its slot until its results are taken
    ProgressReporter progress_;
    ChunkSize sizes_;
    Ledger ledger_;
    std::size_t submitted_ = 0;  // items
    std::size_t unread_ = 0;     // items, once the total timeout has passed
    bool input_over_ = false;
    std::unique_ptr<SentCallable> callable_;    // null for those that are small
    std::unique_ptr<JournaledCall> journaled_;  // null without a journal
    std::unique_ptr<Hedges> hedges_;            // null where nothing is hedged
};

}  // namespace procpool::detail::map

#include <procpool/map/driver_hedging.hpp>

#if PROCPOOL_BODIES
#include <procpool/map/driver.ipp>
#endif
