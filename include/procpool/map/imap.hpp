// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's imap() and imap_unordered().

#include <procpool/map/chunked.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/kept_client.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/result_range.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/keep_open.hpp>
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
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Results on their way to the consumer, in the order of the items.
template <class Result>
class OrderedResults {
public:
    using Given = Result;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) {
        Piece& piece = waiting_[first];
        piece.reserve(count);
        for (std::size_t i = 0; i < count; ++i) { piece.emplace_back(Codec<Outcome<Result>>::decode(in)); }
    }
    void fail(std::size_t index, const std::exception_ptr& error) {
        waiting_[index].emplace_back(Outcome<Result>::failed(error));
    }

    [[nodiscard]] bool has_next() const noexcept {
        return given_ < front_.size() || (!waiting_.empty() && waiting_.begin()->first == next_);
    }
    [[nodiscard]] Outcome<Result> pop() {
        if (given_ == front_.size()) {
            front_ = std::move(waiting_.extract(waiting_.begin()).mapped());
            given_ = 0;
        }
        ++next_;
        std::optional<Outcome<Result>>& place = front_[given_++];
        Outcome<Result> given = std::move(*place);
        place.reset();  // what has been given is not kept
        return given;
    }

private:
    using Piece = std::vector<std::optional<Outcome<Result>>>;  // results of consecutive items

    std::size_t next_ = 0;                  // item
    Piece front_;                           // whose turn it is
    std::size_t given_ = 0;                 // of its results
    std::map<std::size_t, Piece> waiting_;  // by the first item
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

/// Whether to read an item is to read memory, or to count. Anything else may take its time, or depend on what the
/// consumer does with results.
template <class Range>
inline constexpr bool reads_at_once_v = [] {
    if constexpr (std::ranges::forward_range<Range>) {
        return std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>;
    }
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
    LazyCall(client::Client& client, const MapOptions& options, F f, Input input)
        : client_(client),
          hold_(client, client::OpenUntil::joined),
          options_(options),
          f_{input.call(std::move(f))},
          input_(std::move(input)),
          workers_(client.board().control.workers),
          call_(client, options_, f_, input_.range(), queue_, Pace::lazy) {
        adapt();
        fill();
    }
    ~LazyCall() override {
        if ((*client_).is_mine()) { call_.stop(); }
    }

    std::optional<Outcome<Given>> next(Deadline deadline) override {
        try {
            bool has_news = false;
            bool has_looked = false;
            while (!is_over_) {
                if (!queue_.has_next() && (has_news || call_.has_news())) {
                    call_.collect();
                    adapt();
                    has_news = false;
                    has_looked = true;
                }
                if constexpr (reads_at_once) {  // workers have enough to do while the consumer is at this result
                    if (room() >= worthwhile_) { fill(); }
                }
                call_.tick();
                if (queue_.has_next()) {
                    ++given_;
                    return queue_.pop();
                }
                if constexpr (!reads_at_once) {  // what may take long withholds no result that is there; so it looks
                                                 // for one after each chunk
                    if (may_read(deadline) && call_.submit_next(chunk_)) { continue; }
                }
                if (!call_.in_flight() && !call_.has_input()) { return end(); }
                if (deadline.passed()) {
                    if (has_looked) { return std::nullopt; }
                    has_news = true;  // maybe: has_news() looks at the first ones only
                    continue;
                }
                call_.wait(deadline);
                has_news = true;
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
    static constexpr std::size_t chunks_per_worker = 4;
    static constexpr std::size_t largest_chunk = 1024;  // what a chunk size beyond reason means for an endless input
    static constexpr std::size_t most_ahead = 4096;     // items, where the window is ours and they take next to nothing
    static constexpr std::size_t most_single = 16;      // for each worker, likewise, where each item is a chunk

    /// Effects: chunk and window are those of the options, or what suits the items that were measured. Where to read an
    /// item may take its time, each is sent before the next is asked for: what the input waits for may be what that
    /// very item does.
    void adapt() noexcept {
        const std::size_t chunks = chunks_per_worker * workers_;
        if (options_.chunk_size != 0) {
            window_ = options_.window != 0 ? options_.window : chunks * std::min(options_.chunk_size, largest_chunk);
            chunk_ = std::min(options_.chunk_size, window_);
        } else {
            const std::size_t worthwhile = call_.worthwhile();
            const std::size_t most = options_.window != 0 ? options_.window : std::max(most_ahead, chunks);
            chunk_ = reads_at_once ? std::clamp(most / chunks, std::size_t{1}, worthwhile) : 1;
            const std::size_t single = std::clamp(worthwhile, chunks_per_worker, most_single) * workers_;
            window_ = options_.window != 0 ? options_.window : reads_at_once ? chunks * chunk_ : single;
        }
        worthwhile_ = std::max(chunk_, (window_ + 1) / 2);
    }

    /// How many items may be submitted now.
    [[nodiscard]] std::size_t room() const noexcept { return window_ - std::min(window_, call_.submitted() - given_); }

    /// Whether to read on, until the window is full. Not when the time is over: a result of what is under way may come
    /// sooner than the next item.
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
    pool::KeepOpen hold_;  // who waits for the workers' end may be the very one who would have to read on
    const MapOptions options_;
    const Function f_;
    Input input_;
    Queue queue_;
    const std::size_t workers_;
    std::size_t window_ = 0;
    std::size_t chunk_ = 0;
    std::size_t worthwhile_ = 0;  // to submit so many at once: a worker that sleeps is woken for several
    std::size_t given_ = 0;       // to the consumer
    bool is_filling_ = false;
    bool is_over_ = false;
    Chunked<Function, typename Input::Item, Items::copied, typename Input::Range, Queue> call_;
};

template <class Queue, class Input, class F>
ResultRange<typename Queue::Given> run_lazily(client::Client& client, const MapOptions& options, F f, Input input) {
    return ResultRange<typename Queue::Given>{
        std::make_unique<LazyCall<Input, F, Queue>>(client, options, std::move(f), std::move(input))};
}

struct ImapCalls {};

}  // namespace detail::map

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::imap(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges...>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        using Result = typename Input::template Result<F>;
        return detail::map::run_lazily<detail::map::OrderedResults<Result>>(open_client(), options, std::move(f),
                                                                            Input{std::forward<Ranges>(ranges)...});
    } else {
        return this_call_is_refused{};
    }
}

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::imap_unordered(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges...>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        using Result = typename Input::template Result<F>;
        return detail::map::run_lazily<detail::map::UnorderedResults<Result>>(open_client(), options, std::move(f),
                                                                              Input{std::forward<Ranges>(ranges)...});
    } else {
        return this_call_is_refused{};
    }
}

}  // namespace procpool
