// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's imap() and imap_unordered().

#include <procpool/algorithm/chunked.hpp>
#include <procpool/algorithm/input.hpp>
#include <procpool/algorithm/kept_client.hpp>
#include <procpool/algorithm/result_range.hpp>
#include <procpool/algorithm/wrapped.hpp>
#include <procpool/pool/hold.hpp>
#include <procpool/pool/outcome.hpp>
#include <procpool/pool/process_pool.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace procpool {

namespace algorithm {

/// Results on their way to the consumer, in the order of the items.
template <class Result>
class OrderedResults {
public:
    using Given = Result;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) {
        for (std::size_t index = first; index < first + count; ++index) { waiting_.emplace(index, Codec<Outcome<Result>>::decode(in)); }
    }
    void fail(std::size_t index, const std::exception_ptr& error) { waiting_.emplace(index, Outcome<Result>::failed(error)); }

    [[nodiscard]] bool has_next() const noexcept { return !waiting_.empty() && waiting_.begin()->first == next_; }
    [[nodiscard]] Outcome<Result> pop() {
        ++next_;
        return std::move(waiting_.extract(waiting_.begin()).mapped());
    }

private:
    std::size_t next_ = 0;
    std::map<std::size_t, Outcome<Result>> waiting_;
};

/// The same in the order in which they came.
template <class Result>
class UnorderedResults {
public:
    using Given = Indexed<Result>;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) {
        for (std::size_t index = first; index < first + count; ++index) {
            Outcome<Result> outcome = Codec<Outcome<Result>>::decode(in);
            if (outcome) {
                waiting_.push_back(Outcome<Given>{Given{index, *std::move(outcome)}});
            } else {
                fail(index, outcome.error());
            }
        }
    }
    void fail(std::size_t, const std::exception_ptr& error) { waiting_.push_back(Outcome<Given>::failed(error)); }

    [[nodiscard]] bool has_next() const noexcept { return !waiting_.empty(); }
    [[nodiscard]] Outcome<Given> pop() {
        Outcome<Given> first = std::move(waiting_.front());
        waiting_.pop_front();
        return first;
    }

private:
    std::deque<Outcome<Given>> waiting_;
};

/// Whether to read an item is to read memory, or to count. Anything else may take its time, or depend on what the consumer does with results.
template <class Range>
inline constexpr bool reads_at_once_v = [] {
    if constexpr (std::ranges::forward_range<Range>) { return std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>; }
    return false;
}();
template <class W, class Bound>
inline constexpr bool reads_at_once_v<std::ranges::iota_view<W, Bound>> = std::integral<W>;

/// A call over many items that goes on when somebody wants a result. Input: see input.hpp.
template <class Input, class F, class Queue>
class LazyCall final : public ResultSource<typename Queue::Given> {
    using Given = typename Queue::Given;
    using Called = typename Input::template Called<F>;
    using Function = Caught<Called, typename Input::Item>;
    static constexpr bool reads_at_once = reads_at_once_v<std::remove_cv_t<typename Input::Range>>;

public:
    /// Effects: the first items are submitted.
    LazyCall(engine::Client& client, const MapOptions& options, F f, Input input)
        : client_(client), hold_(client, Hold::Until::joined), options_(options_for(options)), f_{input.call(std::move(f))}, input_(std::move(input)),
          window_(window_for(options_, client.board().control.workers)), chunk_(std::min(options_.chunk_size, window_)),
          worthwhile_(std::max(chunk_, (window_ + 1) / 2)), call_(client, options_, f_, input_.range(), queue_, Pace::lazy) {
        fill();
    }
    ~LazyCall() override {
        if ((*client_).is_mine()) { call_.stop(); }
    }

    std::optional<Outcome<Given>> next(Deadline deadline) override {
        try {
            while (!is_over_) {
                if (!queue_.has_next()) { call_.collect(); }
                if constexpr (reads_at_once) {  // workers have enough to do while the consumer is at this result
                    if (room() >= worthwhile_) { fill(); }
                }
                call_.tick();
                if (queue_.has_next()) {
                    ++given_;
                    return queue_.pop();
                }
                if constexpr (!reads_at_once) {  // what may take long withholds no result that is there; so it looks for one after each chunk
                    if (may_read(deadline) && call_.submit_next(chunk_)) { continue; }
                }
                if (!call_.in_flight() && !call_.has_input()) { return end(); }
                if (deadline.passed()) { return std::nullopt; }
                call_.wait(deadline);
            }
        } catch (...) {  // what told the progress, or memory
            is_over_ = true;
            call_.stop();
            hold_.release();
            throw;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool is_over() const noexcept override { return is_over_; }

private:
    [[nodiscard]] static MapOptions options_for(MapOptions options) {
        options.chunk_size = std::max<std::size_t>(1, options.chunk_size);
        return options;
    }
    [[nodiscard]] static std::size_t window_for(const MapOptions& options, std::size_t workers) noexcept {
        constexpr std::size_t chunks_per_worker = 4;
        constexpr std::size_t largest_chunk = 1024;  // what a chunk size beyond reason means for an endless input
        return options.window != 0 ? options.window : chunks_per_worker * workers * std::min(options.chunk_size, largest_chunk);
    }

    /// How many items may be submitted now.
    [[nodiscard]] std::size_t room() const noexcept { return window_ - std::min(window_, call_.submitted() - given_); }

    /// Whether to read on, until the window is full. Not when the time is over: a result of what is under way may come sooner than the next item.
    [[nodiscard]] bool may_read(Deadline deadline) {
        is_filling_ = room() >= (is_filling_ ? chunk_ : worthwhile_);
        return is_filling_ && !(deadline.passed() && call_.in_flight()) && call_.has_input();
    }

    void fill() {
        while (room() >= chunk_ && call_.has_input()) {
            if (!call_.submit_next(chunk_)) { return; }
        }
    }

    std::optional<Outcome<Given>> end() {
        is_over_ = true;
        hold_.release();
        call_.end_progress();
        if (call_.error()) { return Outcome<Given>::failed(call_.error()); }
        return std::nullopt;
    }

    KeptClient client_;
    Hold hold_;  // who waits for the workers' end may be the very one who would have to read on
    const MapOptions options_;
    const Function f_;
    Input input_;
    Queue queue_;
    std::size_t window_;
    std::size_t chunk_;
    std::size_t worthwhile_;  // to submit so many at once: a worker that sleeps is woken for several
    std::size_t given_ = 0;   // to the consumer
    bool is_filling_ = false;
    bool is_over_ = false;
    Chunked<Function, typename Input::Item, Items::copied, typename Input::Range, Queue> call_;
};

template <class Queue, class Input, class F>
ResultRange<typename Queue::Given> run_lazily(engine::Client& client, const MapOptions& options, F f, Input input) {
    return ResultRange<typename Queue::Given>{std::make_unique<LazyCall<Input, F, Queue>>(client, options, std::move(f), std::move(input))};
}

}  // namespace algorithm

template <Engine E>
template <class F, class... Ranges>
auto ProcessPool<E>::imap(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = algorithm::zipped_t<Ranges...>;
    algorithm::require_results<Input, F>();
    if constexpr (algorithm::gives_results_v<Input, F>) {
        using Result = typename Input::template Result<F>;
        return algorithm::run_lazily<algorithm::OrderedResults<Result>>(open_client(), options, std::move(f), Input{std::forward<Ranges>(ranges)...});
    } else {
        return this_call_is_refused{};
    }
}

template <Engine E>
template <class F, class... Ranges>
auto ProcessPool<E>::imap_unordered(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = algorithm::zipped_t<Ranges...>;
    algorithm::require_results<Input, F>();
    if constexpr (algorithm::gives_results_v<Input, F>) {
        using Result = typename Input::template Result<F>;
        return algorithm::run_lazily<algorithm::UnorderedResults<Result>>(open_client(), options, std::move(f), Input{std::forward<Ranges>(ranges)...});
    } else {
        return this_call_is_refused{};
    }
}

}  // namespace procpool
