// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/journaled_call.hpp>

#include <procpool/map/wire.hpp>

#include <algorithm>
#include <span>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL JournaledCall::JournaledCall(client::Client& client, const MapOptions& options,
                                           const persist::JournalIdentity& identity, const Rules& rules)
    : rules_(rules),
      only_failed_(options.retry_failed),
      journal_(*options.journal, identity),
      items_(client, rules.framed) {}

PROCPOOL_DECL JournaledCall::Wanted JournaledCall::find(std::size_t at) {
    for (;;) {
        stretch_ = journal_.find(at);
        is_failure_ = stretch_.record != nullptr && stretch_.record->kind == persist::RecordKind::failures;
        const bool has_results = stretch_.record != nullptr && !is_failure_;
        body_ = has_results ? journal_.load() : nullptr;
        if (has_results && body_ == nullptr) { continue; }  // damaged
        items_.begin(at);
        return {static_cast<std::size_t>(std::min<std::uint64_t>(stretch_.end - at, SIZE_MAX)), has_results};
    }
}

PROCPOOL_DECL void JournaledCall::settle(Ledger& ledger, ResultSink& sink, bool is_at_end) {
    const std::size_t count = items_.count();
    if (count == 0) { return; }
    if (body_ == nullptr) {
        if (only_failed_ && !is_failure_) {
            ledger.withhold(items_.first(), count);
        } else {
            runs_.push_back({0, count, true});
        }
    } else if (stretch_.record->kind == persist::RecordKind::sums) {
        settle_sums(ledger, sink, *body_, is_at_end);
    } else {
        settle_values(ledger, sink, *body_);
    }
}

PROCPOOL_DECL void JournaledCall::submitted(std::size_t count) {
    Run& run = runs_.front();
    run.from += count;
    run.count -= count;
    run.is_one_chunk = false;
    if (run.count == 0) { runs_.pop_front(); }
}

/// Effects: the items run, unless they are of those that only_failed_ leaves out.
PROCPOOL_DECL void JournaledCall::leave(Ledger& ledger, std::size_t from, std::size_t count) {
    if (count == 0) { return; }
    if (only_failed_) { return ledger.withhold(items_.first() + from, count); }
    if (!runs_.empty() && runs_.back().from + runs_.back().count == from) {
        runs_.back().count += count;
    } else {
        runs_.push_back({from, count, false});
    }
}

/// Whether the items from `from` on are those that the record has from `offset` on.
PROCPOOL_DECL bool JournaledCall::is_same(std::size_t from, std::size_t count, std::uint64_t offset,
                                          const persist::JournalFile::Body& body) const noexcept {
    const std::span<const std::uint64_t> now = items_.checksums(from);
    for (std::size_t i = 0; i < count; ++i) {
        if (now[i] != body.checksum_of_item(static_cast<std::size_t>(offset) + i)) { return false; }
    }
    return true;
}

/// Effects: the next result to be read is that of the piece, an item or a block of the record. Results have no sizes of
/// their own: each is decoded to find its end, where it is not the next anyway.
PROCPOOL_DECL void JournaledCall::skip_to(std::uint64_t piece, ResultSink& sink,
                                          const persist::JournalFile::Body& body) {
    if (at_record_ != stretch_.record || at_piece_ > piece) {
        at_record_ = stretch_.record;
        at_piece_ = 0;
        at_byte_ = 0;
    }
    if (at_piece_ == piece) { return; }
    const auto results = body.results();
    Reader in{results.subspan(at_byte_), codec::visibility_unknown};
    const bool is_sum = stretch_.record->kind == persist::RecordKind::sums;
    for (; at_piece_ < piece; ++at_piece_) {
        if (rules_.keeps_errors) {
            skip_outcome(in);
        } else {
            sink.skip(in, is_sum);
        }
    }
    at_byte_ = results.size() - in.remaining();
}

PROCPOOL_DECL void JournaledCall::settle_values(Ledger& ledger, ResultSink& sink,
                                                const persist::JournalFile::Body& body) {
    const std::size_t count = items_.count();
    const auto is_known = [&](std::size_t i) { return is_same(i, 1, stretch_.offset + i, body); };
    for (std::size_t i = 0; i < count;) {
        const bool known = is_known(i);
        std::size_t end = i + 1;
        while (end < count && is_known(end) == known) { ++end; }
        if (known) {
            skip_to(stretch_.offset + i, sink, body);
            const auto results = body.results();
            Reader in{results.subspan(at_byte_), codec::visibility_unknown};
            ledger.replay(items_.first() + i, end - i, in, rules_.folds);
            at_byte_ = results.size() - in.remaining();
            at_piece_ += end - i;
        } else {
            leave(ledger, i, end - i);
        }
        i = end;
    }
}

/// A sum is of use only if all of its block is as it was; that of the last block, which need not be whole, only if the
/// input ends where it did.
PROCPOOL_DECL void JournaledCall::settle_sums(Ledger& ledger, ResultSink& sink, const persist::JournalFile::Body& body,
                                              bool is_at_end) {
    const std::size_t count = items_.count();
    const std::size_t first = items_.first();
    const auto record_first = static_cast<std::size_t>(stretch_.record->first);
    for (std::size_t i = 0; i < count;) {
        const std::size_t at = first + i;
        const std::size_t block_end =
            std::min(at - at % fold_block + fold_block, static_cast<std::size_t>(stretch_.record->end()));
        const std::size_t end = std::min(block_end - first, count);
        const bool is_whole = at % fold_block == 0 && first + end == block_end &&
                              (block_end % fold_block == 0 || (end == count && is_at_end));
        if (is_whole && is_same(i, end - i, stretch_.offset + i, body)) {
            skip_to((at - record_first) / fold_block, sink, body);
            const auto results = body.results();
            Reader in{results.subspan(at_byte_), codec::visibility_unknown};
            ledger.replay(at, end - i, in, false);
            at_byte_ = results.size() - in.remaining();
            ++at_piece_;
        } else {
            leave(ledger, i, end - i);
        }
        i = end;
    }
}

}  // namespace procpool::detail::map
