// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Chunked: runs a function over a range on the workers, chunk by chunk, and gives the results to a sink.

#include <procpool/algorithm/chunk.hpp>
#include <procpool/algorithm/chunk_input.hpp>
#include <procpool/algorithm/chunk_size.hpp>
#include <procpool/algorithm/orders.hpp>
#include <procpool/algorithm/sent_chunk.hpp>
#include <procpool/algorithm/ticker.hpp>
#include <procpool/algorithm/wrapped.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/core/error.hpp>
#include <procpool/pool/future.hpp>
#include <procpool/pool/options.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::algorithm {

/// Who drives a call over many items.
enum class Pace {
    call,  ///< run(), which returns when nothing of the call runs any more
    held,  ///< likewise, and the pool does not close before that: see Client::hold()
    lazy   ///< whoever wants results, now and then: chunks in flight keep nobody from submitting meanwhile
};

/// One call of map() or its relatives. A chunk is a task like any other, so a chunk that kills its worker costs no other chunk.
/// Sink: static constexpr Results mode; void* address(first) where mode is shared; take(first, count, Reader&) where it is copied or folded,
/// first and count being those of blocks where it is folded; fail(index, exception_ptr) if it has static constexpr bool keeps_errors.
/// Called by: one thread at a time.
template <class F, class Item, Items items, class Range, class Sink>
class Chunked {
    static constexpr bool keeps_errors = requires { requires Sink::keeps_errors; };
    static constexpr bool folds = Sink::mode == Results::folded;

public:
    /// Lifetime: the references outlive it. Throws: std::invalid_argument, CodecError when the workers do not have the code.
    Chunked(engine::Client& client, const MapOptions& options, const F& f, Range& range, Sink& sink, Pace pace = Pace::call, const Orders& orders = Orders::none())
        : client_(client), options_(checked(options)), f_(f), sink_(sink), pace_(pace), orders_(orders),
          goes_on_(options.on_error == OnError::wait_all && !keeps_errors), lease_(client.parkers().lease()),
          sizes_(options.chunk_size, size_if_known(range), client.board().control.workers, items == Items::copied ? sizeof(Item) : 0, folds ? fold_block : 1),
          most_in_flight_(chunks_per_worker * client.board().control.workers), ticker_(options.progress, size_if_known(range).value_or(0)), input_(range) {
        if (const std::uintptr_t code = code_of(f); code != 0) { client.check_code(code); }
        chunks_.reserve(most_in_flight_);
    }

    /// Throws: by OnError, the error of an item, or of the range, which counts as one at its place; when nothing of the call runs any more.
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
            stop();
            for (; !chunks_.empty(); collect()) { wait(Deadline::never()); }
            throw;
        }
        if (error_) { std::rethrow_exception(error_); }
        ticker_.end(settled_);
    }

    // ---- what run() consists of

    /// Whether there are items that have not been submitted.
    [[nodiscard]] bool has_input() {
        if (stopped_ || input_over_) { return false; }
        try {
            input_over_ = input_.is_at_end();
        } catch (...) { end_input(std::current_exception()); }
        return !input_over_;
    }

    /// Whether something that has been submitted is not settled.
    [[nodiscard]] bool in_flight() const noexcept { return !chunks_.empty() || !rest_.empty(); }

    /// Effects: submits one more chunk, of at most that many items. Returns: false when there is no slot for it now. Requires: has_input().
    bool submit_next(std::size_t most = SIZE_MAX) {
        const std::size_t wanted = sizes_.next(most);
        SentChunk chunk{.first = submitted_};
        std::optional<engine::Ticket> ticket;
        try {
            ticket = client_.submit(order(), [&](Writer& out) { encode(out, wanted, chunk); });
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
        if (const std::exception_ptr error = input_.take_error()) { end_input(error); }
        return true;
    }

    /// Blocks until something is decided, the listener to progress is to be told, or the deadline.
    void wait(Deadline deadline) {
        if (chunks_.empty()) {  // there are no slots
            if (pace_ != Pace::call) { lease_.park(deadline.or_sooner(Deadline::after(std::chrono::milliseconds{1}))); }
            return;
        }
        const auto something = [&] { return orders_.has_news(obeyed_) || std::ranges::any_of(chunks_, &SentChunk::is_decided); };
        client_.wait_on(lease_, something, deadline.or_sooner(ticker_.next()));
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
            // The last first: a chunk that was decided before one that is seen to be is seen to be, too. Then in the order in which they were sent.
            for (auto chunk = chunks_.rbegin(); chunk != chunks_.rend(); ++chunk) { chunk->seen_decided = chunk->is_decided(); }
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
    /// The error of the lowest item known, or of the range. Null when there is none.
    [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
    void end_progress() { ticker_.end(settled_); }

private:
    static constexpr std::size_t chunks_per_worker = 4;

    [[nodiscard]] static const MapOptions& checked(const MapOptions& options) {  // before the range is begun
        check_task(options);
        return options;
    }

    /// Chunks that stay in their slots must not wait for slots: that would be waiting for ourselves.
    [[nodiscard]] engine::Order order() const {
        return {.code = chunk_code<F, Item, items, Sink::mode>,
                .patience = chunks_.empty() && pace_ == Pace::call ? engine::Patience::wait : engine::Patience::try_once,
                .timeout = options_.timeout,
                .priority = options_.priority,
                .label = options_.label,
                .stays = pace_ != Pace::lazy,
                .waiter = lease_ ? lease_.index() : engine::Order::no_waiter,
                .held = pace_ == Pace::held};
    }

    void add(SentChunk&& chunk, engine::Ticket ticket) {
        chunk.sent_as(client_, ticket);
        chunks_.push_back(std::move(chunk));
    }

    void encode(Writer& out, std::size_t wanted, SentChunk& chunk) {
        ChunkHead& head = chunk.head;
        const bool exact = options_.timeout.count() > 0 || options_.retries > 0 || goes_on_ || keeps_errors;
        head.flags = (exact ? ChunkHead::exact : 0) | (goes_on_ ? ChunkHead::goes_on : 0) | (input_.frames && (goes_on_ || keeps_errors) ? ChunkHead::framed : 0);
        if constexpr (Sink::mode == Results::shared) { head.results = reinterpret_cast<std::uint64_t>(sink_.address(submitted_)); }
        input_.encode(out, f_, wanted, head);
        if (pace_ == Pace::lazy && (head.count > 1 || options_.retries > 0)) { chunk.arguments.assign(out.buffer().data(), out.buffer().data() + out.size()); }
    }

    /// Effects: the range gives no more items; `error` counts as one of the item that would have been next.
    void end_input(const std::exception_ptr& error) {
        input_over_ = true;
        note(submitted_, error);
        if (!goes_on_ && pace_ != Pace::lazy) { stop(); }
    }

    /// Effects: items from `index` have failed.
    void fail(std::size_t index, std::size_t count, const std::exception_ptr& error) {
        if constexpr (keeps_errors) {
            for (std::size_t i = 0; i < count; ++i) { sink_.fail(index + i, error); }
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

    void take(SentChunk chunk) {
        const engine::Client::Taken taken = chunk.task.take();
        if (taken.phase() == task::Phase::cancelled) { return; }  // by stop()
        const bool finished = taken.phase() == task::Phase::done;
        const std::size_t skipped = chunk.head.skip;
        const std::size_t count = chunk.head.count;
        Reader in{taken.bytes()};
        if (finished && taken.outcome() == task::Outcome::exception) {  // it got to no item, or there was no room for the results
            fail(chunk.first + skipped, count - skipped, decode_exception(in));
            settled_ += count - skipped;
            return;
        }
        ChunkReport report{.completed = skipped, .nanoseconds = 0, .error_at = 0, .failed_item = 0};
        if (in.remaining() >= sizeof report) { report = decode_plain<ChunkReport>(in); }  // or it died before it left one
        const bool failed = report.error_at != 0 && report.error_at < taken.bytes().size();
        sizes_.measured(report.completed - skipped, std::chrono::nanoseconds{report.nanoseconds});
        take_results(chunk, failed ? report.failed_item : report.completed, in);
        std::size_t done = report.completed;
        if (failed) {
            Reader error{taken.bytes().subspan(report.error_at)};
            fail(chunk.first + report.failed_item, 1, decode_exception(error));
            done = std::max(done, static_cast<std::size_t>(report.failed_item) + 1);
        }
        if (done < count && !stopped_) {
            if (finished) {
                const bool in_block = folds && !failed_at_ && done % fold_block != 0;
                run_again(chunk, taken, done, in_block ? std::span{taken.bytes()}.last(in.remaining()) : std::span<const std::byte>{});
            } else {
                done = settle_loss(chunk, taken, done);
            }
        }
        settled_ += done - skipped;
    }

    void take_results(const SentChunk& chunk, std::size_t end, Reader& in) {
        const std::size_t skipped = chunk.head.skip;
        try {
            if constexpr (Sink::mode == Results::copied) {
                if (end > skipped) { sink_.take(chunk.first + skipped, end - skipped, in); }
            } else if constexpr (folds) {
                const std::size_t blocks = (end == chunk.head.count ? (end - 1) / fold_block + 1 : end / fold_block) - skipped / fold_block;
                if (!failed_at_ && end > skipped) { sink_.take((chunk.first + skipped) / fold_block, blocks, in); }
            }
        } catch (...) {
            if constexpr (keeps_errors) { throw; }
            fail(chunk.first + skipped, 1, std::current_exception());
        }
    }

    /// The worker has died, or was stopped, before it was through. Returns: the item before which everything is settled.
    std::size_t settle_loss(SentChunk& chunk, const engine::Client::Taken& taken, std::size_t at) {
        const task::Cause cause = taken.loss()->cause;
        const bool alone = cause == task::Cause::died || cause == task::Cause::timed_out;
        const unsigned attempts = at == chunk.casualty ? chunk.attempt : 0;
        if (alone && attempts < options_.retries) {
            chunk.casualty = at;
            chunk.attempt = attempts + 1;
            const std::size_t from = folds ? at - at % fold_block : at;  // nobody knows what was folded of the block
            run_again(chunk, taken, from, {});
            return from;
        }
        const std::size_t end = alone ? at + 1 : chunk.head.count;
        try {
            throw_loss(client_, taken, "item " + std::to_string(chunk.first + at));
        } catch (...) { fail(chunk.first + at, end - at, std::current_exception()); }
        chunk.casualty = SentChunk::nobody;
        if (end < chunk.head.count && !stopped_) { run_again(chunk, taken, end, {}); }
        return end;
    }

    /// Effects: the items of a chunk from `from` on will run. carry: what was folded of the block that item is in.
    void run_again(SentChunk& chunk, const engine::Client::Taken& taken, std::size_t from, std::span<const std::byte> carry) {
        if (chunk.arguments.empty()) {  // its slot may be needed for it
            chunk.arguments.assign(taken.arguments().begin(), taken.arguments().end());
        }
        chunk.arguments.resize(chunk.arguments.size() - chunk.head.carry);
        chunk.arguments.insert(chunk.arguments.end(), carry.begin(), carry.end());
        chunk.head.carry = carry.size();
        chunk.head.skip = from;
        chunk.head.attempt = chunk.casualty == SentChunk::nobody || from > chunk.casualty ? 0 : chunk.attempt;
        std::memcpy(chunk.arguments.data(), &chunk.head, sizeof chunk.head);
        rest_.push_back(std::move(chunk));
    }

    void submit_rests() {
        while (!rest_.empty()) {
            SentChunk& chunk = rest_.back();
            std::optional<engine::Ticket> ticket;
            try {
                ticket = client_.submit(order(), [&](Writer& out) { out.write(chunk.arguments.data(), chunk.arguments.size()); });
            } catch (...) {
                const SentChunk refused = std::move(chunk);
                rest_.pop_back();
                fail(refused.first + refused.head.skip, refused.head.count - refused.head.skip, std::current_exception());
                settled_ += refused.head.count - refused.head.skip;
                continue;
            }
            if (!ticket) { return; }
            add(std::move(chunk), *ticket);
            if (pace_ != Pace::lazy) { chunks_.back().arguments = {}; }
            rest_.pop_back();
        }
    }

    engine::Client& client_;
    const MapOptions& options_;
    const F& f_;
    Sink& sink_;
    const Pace pace_;
    const Orders& orders_;
    Wish obeyed_ = Wish::go_on;
    const bool goes_on_;  // after an item has failed
    engine::Parkers::Lease lease_;
    ChunkSize sizes_;
    std::size_t most_in_flight_;
    Ticker ticker_;
    ChunkInput<Item, items, Range> input_;
    std::vector<SentChunk> chunks_;  // in flight
    std::vector<SentChunk> rest_;    // to be run again, from an item on
    std::size_t submitted_ = 0;  // items
    std::size_t settled_ = 0;    // items
    bool input_over_ = false;
    bool stopped_ = false;
    std::optional<std::size_t> failed_at_;
    std::exception_ptr error_;
};

}  // namespace procpool::algorithm
