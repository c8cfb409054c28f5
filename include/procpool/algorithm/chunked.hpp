// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Chunked: runs a function over a range on the workers, chunk by chunk, and gives the results to a sink.

#include <procpool/algorithm/chunk.hpp>
#include <procpool/algorithm/chunk_size.hpp>
#include <procpool/codec/call.hpp>
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

template <class Range>
[[nodiscard]] std::optional<std::size_t> size_if_known(Range& range) {
    if constexpr (std::ranges::sized_range<Range>) {
        return static_cast<std::size_t>(std::ranges::size(range));
    } else {
        return std::nullopt;
    }
}

/// One call of map() or its relatives. A chunk is a task like any other, so a chunk that kills its worker costs no other chunk.
/// Sink: static constexpr Results mode; void* address(first) where mode is shared; take(first, count, Reader&) otherwise.
/// Called by: the thread that called map().
template <class F, class Item, Items items, class Range, class Sink>
class Chunked {
public:
    Chunked(engine::Client& client, const MapOptions& options, const F& f, Range& range, Sink& sink)
        : client_(client), options_(options), f_(f), range_(range), sink_(sink), next_(std::ranges::begin(range)), lease_(client.parkers().lease()),
          sizes_(options.chunk_size, size_if_known(range), client.board().control.workers, items == Items::copied ? bytes_per_item() : 0),
          most_in_flight_(chunks_per_worker * client.board().control.workers) {
        if constexpr (std::is_function_v<std::remove_pointer_t<F>>) { client.check_code(reinterpret_cast<std::uintptr_t>(f)); }
        check_task(options);
        chunks_.reserve(most_in_flight_);
    }

    /// Throws: the error of the lowest item known, when nothing of the call runs any more; what the range throws.
    void run() {
        try {
            while (next_ != std::ranges::end(range_) && !failed_at_) {
                if (chunks_.size() >= most_in_flight_ || !submit_next()) { collect(true); }
                collect(false);
            }
        } catch (...) {  // the caller's range, an item's Codec, or the pool that is closed meanwhile
            failed_at_ = 0;
            stop_chunks();
            while (!chunks_.empty()) { collect(true); }
            throw;
        }
        while (!chunks_.empty() || (!rest_.empty() && !failed_at_)) { collect(true); }
        if (error_) { std::rethrow_exception(error_); }
    }

private:
    static constexpr std::size_t chunks_per_worker = 4;

    struct Chunk {
        TaskHandle task;
        std::size_t first;     // item of the range
        ChunkHead head;
        unsigned attempt = 0;  // of the item at head.skip
    };

    [[nodiscard]] static constexpr std::size_t bytes_per_item() noexcept { return sizeof(Item); }

    /// Chunks keep their slots until they are taken, so waiting for slots would be waiting for ourselves.
    [[nodiscard]] engine::Order order() const {
        return {.code = chunk_code<F, Item, items, Sink::mode>,
                .patience = chunks_.empty() ? engine::Patience::wait : engine::Patience::try_once,
                .timeout = options_.timeout,
                .priority = options_.priority,
                .label = options_.label,
                .stays = true,
                .waiter = lease_ ? lease_.index() : engine::Order::no_waiter};
    }

    /// Returns: false when there is no slot for it now.
    bool submit_next() {
        ChunkHead head{};
        const std::size_t wanted = sizes_.next();
        const auto ticket = client_.submit(order(), [&](Writer& out) { head = encode(out, wanted); });
        if (!ticket) {
            sizes_.put_back(wanted);
            return false;
        }
        chunks_.push_back({TaskHandle{client_, *ticket}, submitted_, head});
        submitted_ += head.count;
        return true;
    }

    /// Effects: the items of a chunk from head.skip on are run again. arguments: what the chunk was given.
    void submit_rest(std::span<const std::byte> arguments, std::size_t first, ChunkHead head, unsigned attempt) {
        std::vector<std::byte> copy(arguments.begin(), arguments.end());  // its slot may be needed for it
        std::memcpy(copy.data(), &head, sizeof head);
        rest_.push_back({std::move(copy), first, head, attempt});
    }

    void submit_rests() {
        while (!rest_.empty() && !failed_at_) {
            const Rest& rest = rest_.back();
            const auto ticket = client_.submit(order(), [&](Writer& out) { out.write(rest.arguments.data(), rest.arguments.size()); });
            if (!ticket) { return; }
            chunks_.push_back({TaskHandle{client_, *ticket}, rest.first, rest.head, rest.attempt});
            rest_.pop_back();
        }
    }

    /// Returns: the chunk's head; there may be fewer items than wanted.
    ChunkHead encode(Writer& out, std::size_t wanted) {
        ChunkHead head{};
        head.count = wanted;
        head.exact = options_.timeout.count() > 0 || options_.retries > 0 ? 1 : 0;
        if constexpr (items != Items::copied) { head.items = reinterpret_cast<std::uint64_t>(std::to_address(next_)); }
        if constexpr (Sink::mode == Results::shared) { head.results = reinterpret_cast<std::uint64_t>(sink_.address(submitted_)); }
        encode_plain(out, head);
        encode_callable<F>(out, f_);
        if constexpr (items != Items::copied) {
            std::ranges::advance(next_, static_cast<std::iter_difference_t<decltype(next_)>>(wanted));
        } else if constexpr (std::ranges::contiguous_range<Range> && is_plain_v<Item> && !std::is_empty_v<Item> &&
                             std::is_same_v<Item, std::ranges::range_value_t<Range>>) {
            const auto left = static_cast<std::size_t>(std::ranges::distance(next_, std::ranges::end(range_)));
            head.count = std::min(wanted, left);
            out.write(std::to_address(next_), head.count * sizeof(Item));
            std::ranges::advance(next_, static_cast<std::iter_difference_t<decltype(next_)>>(head.count));
        } else {
            head.count = 0;
            while (head.count < wanted && next_ != std::ranges::end(range_)) {
                Codec<Item>::encode(out, store(*next_));
                ++head.count;
                ++next_;
            }
        }
        std::memcpy(out.buffer().data(), &head, sizeof head);
        return head;
    }

    /// Takes the results of all chunks that are decided; waits for one, if asked to.
    void collect(bool wait) {
        const auto is_decided = [](const Chunk& chunk) { return chunk.task.is_decided(); };
        if (wait && !chunks_.empty()) {
            client_.wait_on(lease_, [&] { return std::ranges::any_of(chunks_, is_decided); }, Deadline::never());
        }
        for (std::size_t i = 0; i < chunks_.size();) {
            if (!is_decided(chunks_[i])) {
                ++i;
                continue;
            }
            Chunk chunk = std::move(chunks_[i]);
            if (i + 1 != chunks_.size()) { chunks_[i] = std::move(chunks_.back()); }
            chunks_.pop_back();
            take(chunk);
        }
        submit_rests();
    }

    void take(Chunk& chunk) {
        const engine::Client::Taken taken = chunk.task.take();
        if (taken.phase() == task::Phase::cancelled) { return; }  // by stop_chunks()
        std::size_t done = chunk.head.skip;
        try {
            ChunkReport report{};
            Reader in{taken.bytes()};
            if (taken.outcome() == task::Outcome::exception && taken.phase() == task::Phase::done) { std::rethrow_exception(decode_exception(in)); }
            // A worker that died before its first item has left no report.
            if (in.remaining() >= sizeof report) {
                report = decode_plain<ChunkReport>(in);
                if constexpr (Sink::mode == Results::copied) { sink_.take(chunk.first + done, report.completed - done, in); }
                sizes_.measured(report.completed - done, std::chrono::nanoseconds{report.nanoseconds});
                done = report.completed;
            }
            if (report.failed != 0 && taken.phase() == task::Phase::done) { std::rethrow_exception(decode_exception(in)); }
            if (done == chunk.head.count || failed_at_) { return; }
            if (taken.phase() == task::Phase::done) {
                run_again(chunk, taken, done, 0);
            } else if (chunk_may_retry(chunk, taken, done)) {
                run_again(chunk, taken, done, done == chunk.head.skip ? chunk.attempt + 1 : 1);
            } else {
                throw_loss(client_, taken, "item " + std::to_string(chunk.first + done));
            }
        } catch (...) {
            fail(chunk.first + done);
        }
    }

    [[nodiscard]] bool chunk_may_retry(const Chunk& chunk, const engine::Client::Taken& taken, std::size_t done) const {
        const task::Cause cause = taken.loss()->cause;
        const unsigned attempts = done == chunk.head.skip ? chunk.attempt : 0;
        return (cause == task::Cause::died || cause == task::Cause::timed_out) && attempts < options_.retries;
    }

    void run_again(const Chunk& chunk, const engine::Client::Taken& taken, std::size_t done, unsigned attempt) {
        ChunkHead head = chunk.head;
        head.skip = done;
        head.attempt = attempt;
        submit_rest(taken.arguments(), chunk.first, head, attempt);
    }

    /// Called by: a catch block.
    void fail(std::size_t index) {
        if (failed_at_ && *failed_at_ <= index) { return; }
        failed_at_ = index;
        error_ = std::current_exception();
        stop_chunks();
    }

    /// Chunks that have not started will not; those that run stop after the item they are at.
    void stop_chunks() {
        for (const Chunk& chunk : chunks_) {
            chunk.task.cancel();
        }
    }

    /// Items of a chunk that are to be run again.
    struct Rest {
        std::vector<std::byte> arguments;
        std::size_t first;
        ChunkHead head;
        unsigned attempt;
    };

    engine::Client& client_;
    const MapOptions& options_;
    const F& f_;
    Range& range_;
    Sink& sink_;
    std::ranges::iterator_t<Range> next_;
    engine::Parkers::Lease lease_;
    ChunkSize sizes_;
    std::size_t most_in_flight_;
    std::vector<Chunk> chunks_;  // in flight
    std::vector<Rest> rest_;
    std::size_t submitted_ = 0;  // items
    std::optional<std::size_t> failed_at_;
    std::exception_ptr error_;
};

}  // namespace procpool::algorithm
