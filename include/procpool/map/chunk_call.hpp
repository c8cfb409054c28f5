// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkCall: runs the chunks of one call over many items, whatever they hold.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>
#include <procpool/future/future.hpp>
#include <procpool/map/chunk_head.hpp>
#include <procpool/map/chunk_plan.hpp>
#include <procpool/map/chunk_size.hpp>
#include <procpool/map/orders.hpp>
#include <procpool/map/sent_chunk.hpp>
#include <procpool/map/ticker.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/options.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

static_assert(sizeof(ChunkReport) > task::Slot::inline_bytes,
              "what a chunk has finished must be in shared memory if its worker dies");

/// A chunk is a task like any other, so a chunk that kills its worker costs no other chunk. What depends on types is
/// left to Chunked, so that the compiler sees this once. Called by: one thread at a time.
class ChunkCall {
public:
    ChunkCall(const ChunkCall&) = delete;
    ChunkCall& operator=(const ChunkCall&) = delete;

    /// Throws: by OnError, the error of an item, or of the range, which counts as one at its place; when nothing of the
    /// call runs any more.
    void run() {
        try {
            while (has_input()) {
                if (chunks_.size() >= most_in_flight_ || !submit_next()) { wait(Deadline::never()); }
                collect();
                tick();
            }
            while (in_flight()) {
                wait(Deadline::never());
                collect();
                tick();
            }
        } catch (...) {  // what told the progress, or memory
            abandon();
            throw;
        }
        if (!error_) {
            try {
                end_values();
            } catch (...) { note(submitted_, std::current_exception()); }
        }
        end_progress();
        if (error_) { std::rethrow_exception(error_); }
    }

    // ---- what run() consists of

    /// Whether there are items that have not been submitted.
    [[nodiscard]] bool has_input() {
        if (stopped_ || input_over_) { return false; }
        try {
            input_over_ = is_at_end();
        } catch (...) { end_input(std::current_exception()); }
        return !input_over_;
    }

    /// Whether something that has been submitted is not settled.
    [[nodiscard]] bool in_flight() const noexcept { return !chunks_.empty() || !rest_.empty(); }

    /// Effects: submits one more chunk, of at most that many items. Returns: false when there is no slot for it now.
    /// Requires: has_input().
    bool submit_next(std::size_t most = SIZE_MAX) {
        const std::size_t size = std::min(most, sizes_.wanted());
        SentChunk chunk{.first = submitted_};
        const std::size_t wanted = sizes_.hand_out(plan_.folds ? fit_to_blocks(size, chunk.head) : size);
        std::optional<client::Ticket> ticket;
        try {
            ticket = submit([&](Writer& out) { encode(out, wanted, chunk); });
        } catch (...) {
            end_input(std::current_exception());
            return true;
        }
        if (!ticket) {
            sizes_.put_back(wanted);
            return false;
        }
        submitted_ += chunk.head.count;
        add(std::move(chunk), *ticket);
        if (const std::exception_ptr error = take_input_error()) { end_input(error); }
        return true;
    }

    /// Blocks until something is decided, the listener to progress is to be told, or the deadline.
    void wait(Deadline deadline) {
        if (chunks_.empty()) {  // there are no slots
            if (pace_ != Pace::call) { lease_.park(deadline.or_sooner(Deadline::after(std::chrono::milliseconds{1}))); }
            return;
        }
        const auto something = [&] {
            return orders_.has_news(obeyed_) || std::ranges::any_of(chunks_, &SentChunk::is_decided);
        };
        const bool soon = sizes_.time_of(chunks_.front().head.count) < std::chrono::microseconds{50};
        client_.wait_on(lease_, something, deadline.or_sooner(ticker_.next()), soon);
    }

    /// Whether there is something for collect(). Chunks begin in the order in which they were sent, so that one that is
    /// decided has no more before it than there are workers, old ones that are being replaced included: so few looks
    /// are enough, however many are in flight.
    [[nodiscard]] bool has_news() const {
        const std::size_t few = 2 * std::size_t{client_.board().control.workers};
        const std::span first{chunks_.data(), std::min(chunks_.size(), few)};
        return !rest_.empty() || orders_.has_news(obeyed_) || std::ranges::any_of(first, &SentChunk::is_decided);
    }

    /// Effects: takes the results of all chunks that are decided.
    void collect() {
        if (orders_.has_news(obeyed_)) { obey(); }
        struct Sweep {
            std::vector<SentChunk>& chunks;
            ~Sweep() {
                std::erase_if(chunks, [](const SentChunk& chunk) { return chunk.is_taken(); });
            }
        };
        {
            const Sweep sweep{chunks_};
            // The last first: a chunk that was decided before one that is seen to be is seen to be, too. Then in the
            // order in which they were sent.
            for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend(); ++chunk) {
                chunk->seen_decided = chunk->is_decided();
            }
            for (SentChunk& chunk : chunks_) {
                if (chunk.seen_decided) { take(std::move(chunk)); }
            }
        }
        submit_rests();
    }

    void tick() {
        ticker_.tick([&] {
            std::size_t done = settled_;
            for (const SentChunk& chunk : chunks_) { done += client_.items_done(chunk.ticket); }
            return done;
        });
    }

    /// Effects: chunks that have not started will not; those that run stop after the item they are at.
    void stop() {
        stopped_ = true;
        rest_.clear();
        for (const SentChunk& chunk : chunks_) {
            if (!chunk.is_taken()) { chunk.task.cancel(); }
        }
    }

    /// Effects: as stop(), and if that is wanted, what runs is killed.
    void obey() {
        obeyed_ = orders_.wish();
        stop();
        for (const SentChunk& chunk : chunks_) {
            if (obeyed_ == Wish::kill && !chunk.is_taken()) { chunk.task.kill(); }
        }
    }

    [[nodiscard]] std::size_t submitted() const noexcept { return submitted_; }
    /// Items that a chunk should have, going by those that were measured: so many are worth what a chunk costs.
    [[nodiscard]] std::size_t worthwhile() const noexcept { return sizes_.wanted(); }
    /// The error of the lowest item known, or of the range. Null when there is none.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    /// Effects: tells that the call has ended. Throws: what the listener throws, unless there is an error already.
    void end_progress() {
        try {
            ticker_.end(settled_, error_ == nullptr);
        } catch (...) {
            if (!error_) { throw; }
        }
    }

protected:
    ChunkCall(client::Client& client, const MapOptions& options, Pace pace, const Orders& orders, const ChunkPlan& plan)
        : client_(client),
          options_(checked(options)),
          plan_(plan),
          pace_(pace),
          orders_(orders),
          goes_on_(options.on_error == OnError::wait_all && !plan.keeps_errors),
          lease_(client.parkers().lease()),
          sizes_(options.chunk_size, pace == Pace::lazy ? std::nullopt : plan.items, client.board().control.workers,
                 plan.bytes_per_item),
          most_in_flight_(chunks_per_worker * client.board().control.workers),
          stays_(pace != Pace::lazy && client.board().all_slots().size() >= calls_within_calls * most_in_flight_),
          ticker_(options.progress, plan.items.value_or(0)) {
        if (pace == Pace::call) { hold_.emplace(pool::KeepOpen{client, client::OpenUntil::returned}); }
        chunks_.reserve(most_in_flight_);
    }
    ~ChunkCall() = default;

    [[nodiscard]] virtual bool is_at_end() = 0;
    /// Effects: writes the head, the callable and as many items as there are, up to `wanted`; sets the head's items and
    /// count. Throws: what the range or a Codec throws at the first item; later, the chunk ends there, and
    /// take_input_error() tells.
    virtual void encode_items(Writer& out, std::size_t wanted, ChunkHead& head) = 0;
    [[nodiscard]] virtual std::exception_ptr take_input_error() noexcept = 0;
    /// Effects: decodes the results of that many items, if there are any behind the report; apart: see ChunkHead.
    virtual void take_values(std::size_t first, std::size_t count, Reader& in, bool apart) = 0;
    /// Effects: the results of all items are taken. Throws: what folds them.
    virtual void end_values() = 0;
    /// Called only where the plan says so.
    virtual void keep_error(std::size_t index, const std::exception_ptr& error) = 0;

private:
    static constexpr std::size_t chunks_per_worker = 4;
    static constexpr std::size_t calls_within_calls =
        4;  // by what a call runs of the user's in the caller: a range, or who is told the progress

    [[nodiscard]] static const MapOptions& checked(const MapOptions& options) {  // before the range is begun
        check_task(options);
        return options;
    }

    /// Chunks that stay in their slots must not wait for slots: that would be waiting for ourselves.
    [[nodiscard]] client::Submission order() const {
        return {
            .code = plan_.code,
            .patience = chunks_.empty() && pace_ == Pace::call ? client::Patience::wait : client::Patience::try_once,
            .timeout = options_.timeout,
            .priority = options_.priority,
            .label = options_.label,
            .keeps_slot = stays_,
            .waiter = lease_ ? lease_.index() : client::Submission::no_waiter,
            .accepted_before_close = true};
    }

    /// Throws: as Client::submit(); but the call was accepted before the pool was terminated, if it was: it is not
    /// refused, but unfinished.
    template <class Encode>
    [[nodiscard]] std::optional<client::Ticket> submit(Encode encode) {
        try {
            return client_.submit(order(), encode);
        } catch (const PoolClosed&) {
            if (client_.life() > task::Life::closing) { throw PoolTerminated{}; }
            throw;
        }
    }

    /// Effects: as stop(), and blocks until nothing of the call runs any more, whatever that has come to.
    void abandon() noexcept {
        stop();
        ticker_.mute();
        for (;;) {
            if (orders_.has_news(obeyed_)) { obey(); }
            std::erase_if(chunks_, [](const SentChunk& chunk) { return chunk.is_taken() || chunk.is_decided(); });
            if (chunks_.empty()) { return; }
            wait(Deadline::never());
        }
    }

    /// Items of one block are spread over several chunks where they take so long that whole blocks would leave workers
    /// idle. Their results are folded here then, which is one thread: so not where that would take longer than what it
    /// saves. Returns: how many items of about `size` the next chunk shall have; the head tells whether they are
    /// folded.
    [[nodiscard]] std::size_t fit_to_blocks(std::size_t size, ChunkHead& head) const noexcept {
        const std::size_t into = submitted_ % fold_block;
        if (into == 0 && (size >= fold_block || !is_worth_splitting())) {
            return ((std::min(size, SIZE_MAX / 2) - 1) / fold_block + 1) * fold_block;
        }
        head.flags = ChunkHead::apart;
        return std::min(size, fold_block - into);
    }
    [[nodiscard]] bool is_worth_splitting() const noexcept {
        const double item = sizes_.cost();
        if (sizes_.is_fixed() || item == 0) { return true; }
        const auto workers = static_cast<double>(client_.board().control.workers);
        if (!plan_.items) { return folding_.cost() * workers < item; }
        constexpr auto block = static_cast<double>(fold_block);
        const auto left = static_cast<double>(*plan_.items - submitted_);
        const double rounds = std::ceil(std::ceil(left / block) / workers);  // of whole blocks, one for each worker
        return left * std::max(folding_.cost(), item / workers) <
               rounds * std::min(left, block) * (item + folding_.cost());
    }

    void add(SentChunk&& chunk, client::Ticket ticket) {
        chunk.sent_as(client_, ticket);
        chunks_.push_back(std::move(chunk));
    }

    void encode(Writer& out, std::size_t wanted, SentChunk& chunk) {
        ChunkHead& head = chunk.head;
        const bool exact = options_.timeout.count() > 0 || options_.retries > 0 || goes_on_ || plan_.keeps_errors;
        const bool framed = plan_.frames && (goes_on_ || plan_.keeps_errors);
        const bool brief = pace_ == Pace::lazy && !sizes_.is_fixed();
        head.flags |= (exact ? ChunkHead::exact : 0) | (goes_on_ ? ChunkHead::goes_on : 0) |
                      (framed ? ChunkHead::framed : 0) | (brief ? ChunkHead::brief : 0);
        encode_items(out, wanted, head);
        chunk.argument_bytes = out.size();
        if (!stays_ && (head.count > 1 || options_.retries > 0)) {
            chunk.arguments.assign(out.buffer().data(), out.buffer().data() + out.size());
        }
    }

    /// Effects: the range gives no more items; `error` counts as one of the item that would have been next.
    void end_input(const std::exception_ptr& error) {
        input_over_ = true;
        note(submitted_, error);
        if (!goes_on_ && pace_ != Pace::lazy) { stop(); }
    }

    /// Effects: items from `index` have failed.
    void fail(std::size_t index, std::size_t count, const std::exception_ptr& error) {
        if (plan_.keeps_errors) {
            for (std::size_t i = 0; i < count; ++i) {
                keep_error(index + i, i == 0 ? error : copy_exception(error));
            }  // each to be thrown by itself
        } else {
            note(index, error);
            if (!goes_on_ && !stopped_) { stop(); }
        }
    }

    void note(std::size_t index, const std::exception_ptr& error) {
        if (failed_at_ && *failed_at_ <= index) { return; }
        failed_at_ = index;
        error_ = error;
    }
    [[nodiscard]] bool failed_before(std::size_t index) const noexcept { return failed_at_ && *failed_at_ < index; }

    void take(SentChunk chunk) {
        const client::Client::Taken taken = chunk.task.take();
        if (taken.phase() == task::Phase::cancelled) { return; }  // by stop()
        const bool finished = taken.phase() == task::Phase::done;
        const std::size_t skipped = chunk.head.skip;
        const std::size_t count = chunk.head.count;
        Reader in{taken.bytes(), client_.place_of()};
        if (finished &&
            taken.ending() == Ending::exception) {  // it got to no item, or there was no room for the results
            fail(chunk.first + skipped, count - skipped, decode_exception(in));
            settled_ += count - skipped;
            return;
        }
        ChunkReport report{.completed = skipped, .nanoseconds = 0, .error_at = 0, .failed_item = 0};
        if (in.remaining() >= sizeof report) {
            report = decode_plain<ChunkReport>(in);
        }  // or it died before it left one
        if (!report.is_credible(chunk.head, taken.bytes().size())) {
            return lose_rest(chunk, taken, skipped);
        }  // nobody knows which items have run
        const bool failed = report.error_at != 0 && report.error_at < taken.bytes().size();
        sizes_.measured(report.completed - skipped,
                        std::chrono::nanoseconds{std::min<std::uint64_t>(report.nanoseconds, INT64_MAX)});
        take_results(chunk, failed ? report.failed_item : report.completed, in);
        std::size_t done = report.completed;
        if (failed) {
            Reader error{taken.bytes().subspan(report.error_at), client_.place_of()};
            fail(chunk.first + report.failed_item, 1, decode_exception(error));
            done = std::max(done, static_cast<std::size_t>(report.failed_item) + 1);
        }
        if (done < count && !finished) {
            done = settle_loss(chunk, taken, done);
        } else if (done < count && !stopped_) {
            const bool in_block =
                plan_.folds && !chunk.is_apart() && !failed_before(chunk.first + done) && done % fold_block != 0;
            run_again(chunk, taken, done,
                      in_block ? std::span{taken.bytes()}.last(in.remaining()) : std::span<const std::byte>{});
        }
        settled_ += done - skipped;
    }

    void take_results(const SentChunk& chunk, std::size_t end, Reader& in) {
        const std::size_t skipped = chunk.head.skip;
        if (end <= skipped || (plan_.folds && failed_before(chunk.first + skipped))) { return; }
        const bool blocks = plan_.folds && !chunk.is_apart();
        const std::size_t from =
            blocks ? skipped - skipped % fold_block : skipped;  // the result of a block comes when all of it is folded
        const std::size_t to = blocks && end != chunk.head.count ? end - end % fold_block : end;
        if (from == to) { return; }
        try {
            if (plan_.folds && !blocks) {
                const Clock::time_point start = Clock::now();
                take_values(chunk.first + from, to - from, in, true);
                folding_.count(to - from, Clock::now() - start);
            } else {
                take_values(chunk.first + from, to - from, in, false);
            }
        } catch (...) {
            if (plan_.keeps_errors) { throw; }
            fail(chunk.first + skipped, 1, std::current_exception());
        }
    }

    /// The worker has died, or was stopped, before it was through. Returns: the item before which everything is
    /// settled.
    std::size_t settle_loss(SentChunk& chunk, const client::Client::Taken& taken, std::size_t at) {
        const bool alone = core::may_retry(taken.ending());
        const unsigned attempts = at == chunk.casualty ? chunk.attempt : 0;
        if (alone && attempts < options_.retries && !stopped_) {
            client_.board().control.count_retry(taken.ending());
            chunk.casualty = at;
            chunk.attempt = attempts + 1;
            const std::size_t from = plan_.folds && !chunk.is_apart()
                                         ? at - at % fold_block
                                         : at;  // nobody knows what was folded of the block
            run_again(chunk, taken, from, {});
            return from;
        }
        const std::size_t end = alone ? at + 1 : chunk.head.count;
        fail(chunk.first + at, end - at, taken.error("item " + std::to_string(chunk.first + at)));
        chunk.casualty = SentChunk::nobody;
        if (end < chunk.head.count && !stopped_) { run_again(chunk, taken, end, {}); }
        return end;
    }

    /// Effects: the items of a chunk from `from` on will run. carry: what was folded of the block that item is in.
    void run_again(SentChunk& chunk, const client::Client::Taken& taken, std::size_t from,
                   std::span<const std::byte> carry) {
        if (!chunk.go_on_from(from, taken.arguments(), carry)) { return lose_rest(chunk, taken, from); }
        rest_.push_back(std::move(chunk));
    }

    void lose_rest(const SentChunk& chunk, const client::Client::Taken& taken, std::size_t from) {
        fail(chunk.first + from, chunk.head.count - from, chunk.error_of_overwritten(taken));
        settled_ += chunk.head.count - from;
    }

    void submit_rests() {
        while (!rest_.empty()) {
            SentChunk& chunk = rest_.back();
            std::optional<client::Ticket> ticket;
            try {
                ticket = submit([&](Writer& out) { out.write(chunk.arguments.data(), chunk.arguments.size()); });
            } catch (...) {
                const SentChunk refused = std::move(chunk);
                rest_.pop_back();
                fail(refused.first + refused.head.skip, refused.head.count - refused.head.skip,
                     std::current_exception());
                settled_ += refused.head.count - refused.head.skip;
                continue;
            }
            if (!ticket) { return; }
            add(std::move(chunk), *ticket);
            if (stays_) { chunks_.back().arguments = {}; }
            rest_.pop_back();
        }
    }

    client::Client& client_;
    const MapOptions& options_;
    const ChunkPlan plan_;
    const Pace pace_;
    std::optional<pool::OpenCall> hold_;  // goes after what uses the client
    const Orders& orders_;
    Wish obeyed_ = Wish::go_on;
    const bool goes_on_;  // after an item has failed
    client::Parkers::Lease lease_;
    ChunkSize sizes_;
    /// What it costs to fold an item here.
    class Folding {
    public:
        void count(std::size_t items, std::chrono::nanoseconds elapsed) noexcept {
            items_ += static_cast<double>(items);
            nanoseconds_ += static_cast<double>(elapsed.count());
        }
        /// Nanoseconds; 0 as long as none has been folded.
        [[nodiscard]] double cost() const noexcept { return items_ == 0 ? 0 : nanoseconds_ / items_; }

    private:
        double items_ = 0;
        double nanoseconds_ = 0;
    } folding_;
    std::size_t most_in_flight_;
    const bool stays_;  // a chunk keeps its slot until its results are taken
    Ticker ticker_;
    std::vector<SentChunk> chunks_;  // in flight
    std::vector<SentChunk> rest_;    // to be run again, from an item on
    std::size_t submitted_ = 0;      // items
    std::size_t settled_ = 0;        // items
    bool input_over_ = false;
    bool stopped_ = false;
    std::optional<std::size_t> failed_at_;
    std::exception_ptr error_;
};

}  // namespace procpool::detail::map
