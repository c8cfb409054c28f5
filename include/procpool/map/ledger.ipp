// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/ledger.hpp>

#include <procpool/client/failure.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/persist/journal.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL void Ledger::add(InFlightChunk&& chunk, client::Client& client, client::Ticket ticket) {
    chunk.submitted_as(client, ticket);
    in_flight_.push_back(std::move(chunk));
}

PROCPOOL_DECL void Ledger::erase_taken() noexcept {
    std::erase_if(in_flight_, [](const InFlightChunk& chunk) { return chunk.is_taken(); });
}

PROCPOOL_DECL void Ledger::settle(InFlightChunk&& chunk, const EndedChunk& end) {
    settle_chunk(std::move(chunk), end);
    if (is_limited_) { keep_limit(); }
}

PROCPOOL_DECL void Ledger::settle_chunk(InFlightChunk&& chunk, const EndedChunk& end) {
    const std::size_t skipped = chunk.head.skip;
    const std::size_t count = chunk.head.count;
    if (end.withdrawn) {  // by stop()
        if (rest_is_overdue_) { end_overdue(chunk.first + skipped, count - skipped); }
        return;
    }
    Reader in{end.bytes, end.place_of};
    if (end.ending == Ending::exception) {
        fail_in_chunk(chunk, skipped, count - skipped, codec::decode_exception(in));
        settled_ += count - skipped;
        return;
    }
    ChunkReport report{.completed = skipped, .nanoseconds = 0, .error_at = 0, .failed_item = 0};
    if (in.remaining() >= sizeof report) {
        report = codec::decode_plain<ChunkReport>(in);
    }  // or it died before it left one
    if (!report.is_credible(chunk.head, end.bytes.size())) {
        return lose_rest(chunk, end, skipped);  // nobody knows which items have run
    }
    const bool failed = report.error_at != 0 && report.error_at < end.bytes.size();
    sizes_.measured(report.completed - skipped,
                    std::chrono::nanoseconds{std::min<std::uint64_t>(report.nanoseconds, INT64_MAX)});
    take_results(chunk, failed ? report.failed_item : report.completed, in, end.bytes);
    std::size_t done = report.completed;
    if (failed) {
        Reader error{end.bytes.subspan(report.error_at), end.place_of};
        fail_in_chunk(chunk, report.failed_item, 1, codec::decode_exception(error));
        done = std::max(done, static_cast<std::size_t>(report.failed_item) + 1);
    }
    const bool killed = overdue_ && end.ending == Ending::cancelled;
    if (done < count && end.ending != Ending::value && !killed) {
        done = settle_loss(chunk, end, done);
    } else if (done < count && !stopped_) {
        const bool in_block =
            rules_.folds && !chunk.is_apart() && !failed_before(chunk.first + done) && done % fold_block != 0;
        run_again(chunk, end, done, in_block ? end.bytes.last(in.remaining()) : std::span<const std::byte>{});
    }
    if (done < count && (killed || rest_is_overdue_)) {
        fail_overdue(chunk.first + done, count - done);
        done = count;
    }
    settled_ += done - skipped;
}

PROCPOOL_DECL void Ledger::fail(std::size_t index, std::size_t count, const std::exception_ptr& error) {
    has_failures_ = true;
    if (is_limited_ && !overdue_) { count_failures(index, count, error); }
    if (rules_.keeps_errors) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::exception_ptr own = i == 0 ? error : codec::copy_exception(error);  // to be thrown by itself
            core::note_item(own, index + i);
            sink_.fail(index + i, own);
        }
    } else {
        core::note_item(error, index);
        note_failure(index, error);
    }
}

/// Effects: items of a chunk, from `item` of it on, have failed, and that is recorded.
PROCPOOL_DECL void Ledger::fail_in_chunk(const InFlightChunk& chunk, std::size_t item, std::size_t count,
                                         const std::exception_ptr& error) {
    fail(chunk.first + item, count, error);
    if (journal_ != nullptr && rules_.keeps_errors) {
        journal_->append(persist::RecordKind::failures, chunk.first + item,
                         std::span{chunk.checksums}.subspan(item, count), {});
    }
}

PROCPOOL_DECL void Ledger::replay(std::size_t first, std::size_t count, Reader& in, bool apart) {
    settled_ += count;
    replayed_ += count;
    try {
        if (rules_.folds && failed_before(first)) {
            skip_results(apart ? count : 1, !apart, in);
        } else if (apart) {
            sink_.take_apart(first, count, in);
        } else {
            sink_.take(first, count, in);
        }
    } catch (...) {
        if (rules_.keeps_errors) { throw; }
        note_failure(first, std::current_exception());
    }
}

PROCPOOL_DECL void Ledger::withhold(std::size_t index, std::size_t count) {
    has_failures_ = true;
    settled_ += count;
    replayed_ += count;
    for (const std::size_t end = index + count; index < end; ++index) {
        const auto error = std::make_exception_ptr(TaskCancelled(
            "procpool: the item was not run, since MapOptions::retry_failed runs only those that failed before"));
        core::note_item(error, index);
        sink_.fail(index, error);
    }
}

PROCPOOL_DECL void Ledger::count_failures(std::size_t index, std::size_t count, const std::exception_ptr& error) {
    failures_ += count;
    if (index < first_failed_) {
        first_failed_ = index;
        first_failure_ = error;
    }
}

/// Effects: stops the call if too many items have failed.
PROCPOOL_DECL void Ledger::keep_limit() {
    if (stopped_) { return; }
    const FailureLimit& limit = rules_.limit;
    const auto ended = static_cast<double>(settled_ - replayed_);
    if ((limit.count != 0 && failures_ >= limit.count) ||
        (limit.share > 0 && failures_ >= std::max<std::size_t>(limit.least, 1) &&
         static_cast<double>(failures_) >= limit.share * ended)) {
        gave_up_ = true;
        stop();
    }
}

PROCPOOL_DECL void Ledger::close() {
    if (std::exchange(gave_up_, false)) {
        error_ = std::make_exception_ptr(TooManyFailures(failures_, settled_ - replayed_, first_failure_));
    }
}

/// Effects: notes the error, and stops the call if it does not go on after one.
PROCPOOL_DECL void Ledger::note_failure(std::size_t index, const std::exception_ptr& error) {
    note(index, error);
    if (!rules_.goes_on && !stopped_) { stop(); }
}

PROCPOOL_DECL void Ledger::note(std::size_t index, const std::exception_ptr& error) {
    if (failed_at_ && *failed_at_ <= index) { return; }
    failed_at_ = index;
    error_ = error;
}

PROCPOOL_DECL void Ledger::resubmitted_as(client::Client& client, client::Ticket ticket, bool keeps_slot) {
    add(std::move(resubmit_.back()), client, ticket);
    if (keeps_slot) { in_flight_.back().arguments = {}; }
    resubmit_.pop_back();
}

PROCPOOL_DECL void Ledger::resubmission_failed(const std::exception_ptr& error) {
    const InFlightChunk refused = std::move(resubmit_.back());
    resubmit_.pop_back();
    fail(refused.first + refused.head.skip, refused.head.count - refused.head.skip, error);
    settled_ += refused.head.count - refused.head.skip;
}

PROCPOOL_DECL void Ledger::stop() {
    stopped_ = true;
    resubmit_.clear();
    // Backwards: a worker whose item stops at once finds no other to begin.
    for (auto chunk = in_flight_.rbegin(); chunk != in_flight_.rend(); ++chunk) {
        if (chunk->is_taken()) { continue; }
        if (chunk->hedge != nullptr && chunk->hedge->is_submitted()) { chunk->hedge->task.cancel(); }
        chunk->task.cancel();
    }
}

PROCPOOL_DECL void Ledger::take_results(const InFlightChunk& chunk, std::size_t end, Reader& in,
                                        std::span<const std::byte> bytes) {
    const std::size_t skipped = chunk.head.skip;
    const bool unused = rules_.folds && failed_before(chunk.first + skipped);
    if (end <= skipped || (unused && journal_ == nullptr)) { return; }
    const bool blocks = rules_.folds && !chunk.is_apart();
    // The result of a block comes when all of it is folded.
    const std::size_t from = blocks ? skipped - skipped % fold_block : skipped;
    const std::size_t to = blocks && end != chunk.head.count ? end - end % fold_block : end;
    if (from == to) { return; }
    const std::size_t before = in.remaining();
    try {
        if (unused) {
            skip_results(blocks ? (to - from - 1) / fold_block + 1 : to - from, blocks, in);
        } else if (rules_.folds && !blocks) {
            const Clock::time_point start = Clock::now();
            sink_.take_apart(chunk.first + from, to - from, in);
            folded_items_ += static_cast<double>(to - from);
            folding_nanoseconds_ += static_cast<double>((Clock::now() - start).count());
        } else {
            sink_.take(chunk.first + from, to - from, in);
        }
    } catch (...) {
        if (rules_.keeps_errors) { throw; }
        return note_failure(chunk.first + skipped, std::current_exception());
    }
    if (journal_ == nullptr && !(is_limited_ && rules_.keeps_errors)) { return; }
    const auto taken = bytes.subspan(bytes.size() - before, before - in.remaining());
    if (rules_.keeps_errors) { return record_outcomes(chunk, from, to, taken); }
    if (journal_ != nullptr) {
        journal_->append(blocks ? persist::RecordKind::sums : persist::RecordKind::values, chunk.first + from,
                         std::span{chunk.checksums}.subspan(from, to - from), taken);
    }
}

/// Effects: passes results of items, or sums of blocks.
PROCPOOL_DECL void Ledger::skip_results(std::size_t count, bool sums, Reader& in) {
    for (; count != 0; --count) { sink_.skip(in, sums); }
}

/// Effects: counts the errors among the outcomes of items, and records which there are, and the values.
PROCPOOL_DECL void Ledger::record_outcomes(const InFlightChunk& chunk, std::size_t from, std::size_t to,
                                           std::span<const std::byte> results) {
    Reader in{results};
    std::size_t first = from;  // of those that have ended alike
    std::size_t first_at = 0;
    bool failed = false;
    const auto end_run = [&](std::size_t end, std::size_t end_at) {
        if (first == end || journal_ == nullptr) { return; }
        const auto checksums = std::span{chunk.checksums}.subspan(first, end - first);
        if (failed) {
            journal_->append(persist::RecordKind::failures, chunk.first + first, checksums, {});
        } else {
            journal_->append(persist::RecordKind::values, chunk.first + first, checksums,
                             results.subspan(first_at, end_at - first_at));
        }
    };
    for (std::size_t item = from; item < to; ++item) {
        const std::size_t at = results.size() - in.remaining();
        const bool this_one = skip_outcome(in);
        if (this_one != failed) {
            end_run(item, at);
            first = item;
            first_at = at;
            failed = this_one;
        }
        if (!this_one) { continue; }
        has_failures_ = true;
        if (is_limited_) {
            const std::size_t index = chunk.first + item;
            const auto bytes = results.subspan(at, results.size() - in.remaining() - at);
            count_failures(index, 1, index < first_failed_ ? decode_outcome_error(bytes) : nullptr);
            if (index == first_failed_) { core::note_item(first_failure_, index); }
        }
    }
    end_run(to, results.size() - in.remaining());
}

PROCPOOL_DECL void Ledger::expire() {
    overdue_ = true;
    rest_is_overdue_ = !stopped_;
    const std::vector<InFlightChunk> unsent = std::exchange(resubmit_, {});
    stop();
    for (const InFlightChunk& chunk : unsent) {
        end_overdue(chunk.first + chunk.head.skip, chunk.head.count - chunk.head.skip);
    }
}

PROCPOOL_DECL void Ledger::end_overdue(std::size_t index, std::size_t count) {
    fail_overdue(index, count);
    settled_ += count;
}

PROCPOOL_DECL void Ledger::fail_overdue(std::size_t index, std::size_t count) {
    const std::size_t end =
        index + (rules_.keeps_errors ? count : std::min<std::size_t>(count, 1));  // the lowest tells
    for (; index < end; ++index) {
        fail(index, 1,
             client::error_of(
                 {.ending = Ending::timed_out, .timeout = rules_.total_timeout, .label = std::string{rules_.label}},
                 index, {}));
    }
}

/// The task ended before the item `at`, or while it ran. Returns: the item before which everything is settled.
PROCPOOL_DECL std::size_t Ledger::settle_loss(InFlightChunk& chunk, const EndedChunk& end, std::size_t at) {
    const bool alone = core::may_retry(end.ending) && end.ending != Ending::node_lost;  // the item `at` did it
    const unsigned attempts = at == chunk.casualty ? chunk.attempt : 0;
    if (core::may_retry(end.ending) && attempts < rules_.retries && !stopped_) {
        end.count_retry();
        chunk.casualty = at;
        chunk.attempt = attempts + 1;
        // Nobody knows what was folded of the block.
        const std::size_t from = rules_.folds && !chunk.is_apart() ? at - at % fold_block : at;
        run_again(chunk, end, from, {});
        return from;
    }
    const std::size_t next = alone ? at + 1 : chunk.head.count;
    // With a machine all of them are lost, and where each error is kept it tells which one.
    const std::size_t each = end.ending == Ending::node_lost && rules_.keeps_errors ? 1 : next - at;
    for (std::size_t item = at; item < next; item += each) {
        const std::exception_ptr error = end.error(chunk.first + item);
        if (core::may_retry(end.ending)) {
            fail_in_chunk(chunk, item, each, error);
        } else {
            fail(chunk.first + item, each, error);
        }
    }
    chunk.casualty = InFlightChunk::nobody;
    if (next < chunk.head.count && !stopped_) { run_again(chunk, end, next, {}); }
    return next;
}

/// Effects: the items of a chunk from `from` on will run. carry: the sum so far of the block that item is in.
PROCPOOL_DECL void Ledger::run_again(InFlightChunk& chunk, const EndedChunk& end, std::size_t from,
                                     std::span<const std::byte> carry) {
    if (!chunk.go_on_from(from, end.arguments, carry)) { return lose_rest(chunk, end, from); }
    resubmit_.push_back(std::move(chunk));
}

/// A task has written where the chunk is.
PROCPOOL_DECL void Ledger::lose_rest(const InFlightChunk& chunk, const EndedChunk& end, std::size_t from) {
    const std::size_t item = chunk.first + from;
    fail(item, chunk.head.count - from,
         end.ending != Ending::value ? end.error(item) : client::error_of({.ending = Ending::overwritten}, item, {}));
    settled_ += chunk.head.count - from;
}

}  // namespace procpool::detail::map
