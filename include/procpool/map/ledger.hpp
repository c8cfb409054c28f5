// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Ledger: the account of a call over many items: what is in flight, settled, failed, and to be submitted again.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/map/chunk_size.hpp>
#include <procpool/map/in_flight_chunk.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/pool/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::persist {
class Journal;
}

namespace procpool::inline v0::detail::map {

/// How the task of a chunk ended, and what it left.
class EndedChunk {
public:
    EndedChunk(bool before_start, Ending as, std::span<const std::byte> result, std::span<const std::byte> kept,
               codec::VisibilityOf where) noexcept
        : withdrawn(before_start),
          ending(as),
          bytes(result),
          arguments(kept),
          place_of(where) {}
    EndedChunk(const EndedChunk&) = delete;
    EndedChunk& operator=(const EndedChunk&) = delete;

    /// Returns: the error of a task that left no result. item: the first one of the call that is lost.
    [[nodiscard]] virtual std::exception_ptr error(std::size_t item) const = 0;
    /// Effects: counts the loss as an interruption: what is left of the chunk is submitted again.
    virtual void count_retry() const noexcept = 0;

    const bool withdrawn;  ///< cancelled before it started
    /// value: with a report and results. exception: it got to no item, or there was no room for the results.
    const Ending ending;
    const std::span<const std::byte> bytes;      ///< of its result
    const std::span<const std::byte> arguments;  ///< as its slot has kept them; none where it has not
    const codec::VisibilityOf place_of;

protected:
    ~EndedChunk() = default;
};

/// Knows no type of the user's. Called by: one thread at a time.
class Ledger {
public:
    struct Rules {
        bool goes_on;                               ///< after an item has failed
        bool keeps_errors;                          ///< a failed item is a result
        bool folds;                                 ///< results are folded, block by block
        unsigned retries;                           ///< of an item
        std::chrono::nanoseconds total_timeout{0};  ///< of the call
        std::string_view label = {};                ///< of the call
        FailureLimit limit = {};                    ///< of items that fail
    };

    /// Lifetime: the references outlive it.
    Ledger(const Rules& rules, ResultSink& sink, ChunkSize& sizes) noexcept
        : rules_(rules),
          sink_(sink),
          sizes_(sizes),
          is_limited_(rules.limit.count != 0 || rules.limit.share > 0) {}

    /// Whether the call ends when too many items have failed.
    [[nodiscard]] bool is_limited() const noexcept { return is_limited_; }
    /// Effects: what is settled is recorded from now on. Lifetime: the journal outlives it.
    void record_in(persist::Journal& journal) noexcept { journal_ = &journal; }

    // ---- in flight

    [[nodiscard]] std::vector<InFlightChunk>& in_flight() noexcept { return in_flight_; }
    [[nodiscard]] const std::vector<InFlightChunk>& in_flight() const noexcept { return in_flight_; }
    /// Whether something that has been submitted is not settled.
    [[nodiscard]] bool is_open() const noexcept { return !in_flight_.empty() || !resubmit_.empty(); }
    void add(InFlightChunk&& chunk, client::Client& client, client::Ticket ticket);
    /// Effects: forgets chunks that are taken.
    void erase_taken() noexcept;

    // ---- settled and failed

    /// Effects: gives results to the sink, and notes errors; items that are left are to be submitted again.
    void settle(InFlightChunk&& chunk, const EndedChunk& end);
    /// Effects: gives results to the sink that were recorded when an earlier run of the call had them. in: is behind
    /// them then. apart: they are folded, and are those of items of one block.
    void replay(std::size_t first, std::size_t count, Reader& in, bool apart);
    /// Effects: items from `index` on end in TaskCancelled. Requires that errors are kept.
    void withhold(std::size_t index, std::size_t count);
    /// Effects: items from `index` on have failed.
    void fail(std::size_t index, std::size_t count, const std::exception_ptr& error);
    /// Effects: keeps the error of the lowest item, or of what counts as one.
    void note(std::size_t index, const std::exception_ptr& error);
    /// Whether items have failed, or were not run.
    [[nodiscard]] bool has_failures() const noexcept { return has_failures_; }
    /// Returns: items that have ended.
    [[nodiscard]] std::size_t settled() const noexcept { return settled_; }
    /// Returns: the error of the lowest item known, or of the range. Null when there is none.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    /// Returns: nanoseconds that the sink takes to fold an item; 0 as long as none has been folded.
    [[nodiscard]] double folding_cost() const noexcept {
        return folded_items_ == 0 ? 0 : folding_nanoseconds_ / folded_items_;
    }

    // ---- to be submitted again

    [[nodiscard]] bool has_resubmissions() const noexcept { return !resubmit_.empty(); }
    /// Requires: has_resubmissions().
    [[nodiscard]] InFlightChunk& next_resubmission() noexcept { return resubmit_.back(); }
    /// Effects: that one is in flight. keeps_slot: its slot keeps its arguments, and nothing else needs them.
    void resubmitted_as(client::Client& client, client::Ticket ticket, bool keeps_slot);
    /// Effects: that one cannot be submitted: its items fail.
    void resubmission_failed(const std::exception_ptr& error);

    // ---- the end

    /// Effects: cancels chunks that have not started; those that run stop after the item they are at.
    void stop();
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_; }
    /// Effects: the error is TooManyFailures, if it has stopped for that.
    void close();
    /// Effects: as stop(), since the total timeout has passed: items that were submitted and do not end by themselves
    /// end in TaskTimedOut, but for those that an earlier stop() has withdrawn. The caller kills what runs.
    void expire();
    [[nodiscard]] bool is_overdue() const noexcept { return overdue_; }
    /// Effects: items from `index` on end in TaskTimedOut. Requires: is_overdue().
    void end_overdue(std::size_t index, std::size_t count);

private:
    void settle_chunk(InFlightChunk&& chunk, const EndedChunk& end);
    void fail_in_chunk(const InFlightChunk& chunk, std::size_t item, std::size_t count,
                       const std::exception_ptr& error);
    void record_outcomes(const InFlightChunk& chunk, std::size_t from, std::size_t to,
                         std::span<const std::byte> results);
    void count_failures(std::size_t index, std::size_t count, const std::exception_ptr& error);
    void keep_limit();
    void note_failure(std::size_t index, const std::exception_ptr& error);
    [[nodiscard]] bool failed_before(std::size_t index) const noexcept { return failed_at_ && *failed_at_ < index; }
    void take_results(const InFlightChunk& chunk, std::size_t end, Reader& in, std::span<const std::byte> bytes);
    void skip_results(std::size_t count, bool sums, Reader& in);
    [[nodiscard]] std::size_t settle_loss(InFlightChunk& chunk, const EndedChunk& end, std::size_t at);
    void run_again(InFlightChunk& chunk, const EndedChunk& end, std::size_t from, std::span<const std::byte> carry);
    void lose_rest(const InFlightChunk& chunk, const EndedChunk& end, std::size_t from);
    void fail_overdue(std::size_t index, std::size_t count);

    const Rules rules_;
    ResultSink& sink_;
    ChunkSize& sizes_;
    std::vector<InFlightChunk> in_flight_;
    std::vector<InFlightChunk> resubmit_;  // from an item on
    std::size_t settled_ = 0;              // items
    double folded_items_ = 0;
    double folding_nanoseconds_ = 0;
    bool stopped_ = false;
    bool overdue_ = false;
    bool rest_is_overdue_ = false;  // and not withdrawn for another reason
    std::optional<std::size_t> failed_at_;
    std::exception_ptr error_;
    persist::Journal* journal_ = nullptr;
    const bool is_limited_;
    bool has_failures_ = false;
    bool gave_up_ = false;
    std::size_t replayed_ = 0;  // items that the call did not run
    std::size_t failures_ = 0;  // items, where they are limited
    std::size_t first_failed_ = SIZE_MAX;
    std::exception_ptr first_failure_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/ledger.ipp>
#endif
