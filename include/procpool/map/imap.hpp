// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's imap(), imap_unordered() and imap_outcomes().

#include <procpool/client/client_ref.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/lazy_driver.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/result_range.hpp>
#include <procpool/map/typed_driver.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/process_pool.hpp>

#include <concepts>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Results in the order of the items.
template <class Result>
class OrderedResults final : public ResultQueue {
public:
    using Given = Result;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) override {
        auto piece = std::make_unique<Decoded>(first);
        piece->outcomes.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            piece->outcomes.emplace_back(decode_result<Outcome<Result>>(in, first + i));
        }
        waiting_.add(std::move(piece));
    }
    void fail(std::size_t index, const std::exception_ptr& error) override {
        auto piece = std::make_unique<Decoded>(index);
        piece->outcomes.emplace_back(Outcome<Result>::failed(error));
        waiting_.add(std::move(piece));
    }

    [[nodiscard]] bool has_next() const noexcept override {
        return (front_ && given_ < front_->outcomes.size()) ||
               (waiting_.lowest() != nullptr && waiting_.lowest()->first == next_);
    }
    [[nodiscard]] Outcome<Result> pop() {
        if (!front_ || given_ == front_->outcomes.size()) {
            front_.reset(static_cast<Decoded*>(waiting_.take_lowest().release()));
            given_ = 0;
        }
        ++next_;
        std::optional<Outcome<Result>>& place = front_->outcomes[given_++];
        Outcome<Result> given = std::move(*place);
        place.reset();  // a result that has been given is not kept
        return given;
    }

private:
    struct Decoded final : Piece {
        using Piece::Piece;
        std::vector<std::optional<Outcome<Result>>> outcomes;
    };

    std::size_t next_ = 0;            // item
    std::unique_ptr<Decoded> front_;  // whose turn it is
    std::size_t given_ = 0;           // of its results
    Pieces waiting_;
};

/// Results in the order in which they came.
template <class Result>
class UnorderedResults final : public ResultQueue {
public:
    using Given = Indexed<Result>;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) override {
        for (std::size_t index = first; index < first + count; ++index) {
            Outcome<Result> outcome = decode_result<Outcome<Result>>(in, index);
            if (outcome) {
                waiting_.push_back(Outcome<Given>{Given{index, *std::move(outcome)}});
            } else {
                fail(index, outcome.error());
            }
        }
    }
    void fail(std::size_t, const std::exception_ptr& error) override {
        waiting_.push_back(Outcome<Given>::failed(error));
    }

    [[nodiscard]] bool has_next() const noexcept override { return !waiting_.empty(); }
    [[nodiscard]] Outcome<Given> pop() {
        Outcome<Given> first = std::move(waiting_.front());
        waiting_.pop_front();
        return first;
    }

private:
    std::deque<Outcome<Given>> waiting_;
};

/// Results and errors in the order in which they came, each with its index.
template <class Result>
class IndexedOutcomes final : public ResultQueue {
public:
    using Given = Indexed<Outcome<Result>>;
    static constexpr Results mode = Results::copied;
    static constexpr bool keeps_errors = true;

    void take(std::size_t first, std::size_t count, Reader& in) override {
        for (std::size_t index = first; index < first + count; ++index) {
            waiting_.push_back({index, decode_result<Outcome<Result>>(in, index)});
        }
    }
    void fail(std::size_t index, const std::exception_ptr& error) override {
        waiting_.push_back({index, Outcome<Result>::failed(error)});
    }

    [[nodiscard]] bool has_next() const noexcept override { return !waiting_.empty(); }
    [[nodiscard]] Outcome<Given> pop() {
        Given first = std::move(waiting_.front());
        waiting_.pop_front();
        return first;
    }

private:
    std::deque<Given> waiting_;
};

/// A call over many items that goes on when somebody wants a result. Input: see input.hpp.
template <class Input, class F, class Queue>
class LazyCall final : public ResultSource<typename Queue::Given> {
    using Given = typename Queue::Given;
    using Called = typename Input::template Called<F>;
    using Function = AsOutcome<Called, typename Input::Item>;
    using Range = typename Input::Range;

public:
    /// Effects: the first items are submitted.
    LazyCall(client::Client& client, const MapOptions& options, F f, Input input)
        : client_(client),
          hold_(client, client::OpenUntil::joined),
          options_(options),
          f_{input.call(std::move(f))},
          input_(std::move(input)),
          driver_(client, options_, f_, input_.range(), queue_, {.driven_by = DrivenBy::consumer}),
          lazily_(driver_, queue_, hold_, options_, reads_at_once_v<std::remove_cv_t<Range>>) {}
    ~LazyCall() override {
        if (!client_.is_mine()) { return; }
        driver_.stop();
        driver_.end_hedges(false);
    }

    std::optional<Outcome<Given>> next(Deadline deadline) override {
        if (lazily_.drive(deadline)) { return queue_.pop(); }
        if (std::exception_ptr error = lazily_.take_error()) { return Outcome<Given>::failed(std::move(error)); }
        return std::nullopt;
    }
    [[nodiscard]] bool is_over() const noexcept override { return lazily_.is_over(); }

private:
    client::ClientRef client_;
    pool::KeepOpen hold_;  // the thread that waits for the workers' end may be the one that would have to read on
    const MapOptions options_;
    const Function f_;
    Input input_;
    Queue queue_;
    TypedMapDriver<Function, typename Input::Item, Items::copied, Range, Queue> driver_;
    LazyDriver lazily_;
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
        return detail::codec::this_call_is_refused{};
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
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::imap_outcomes(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges...>;
    detail::map::require_calls<Input, F>();
    if constexpr (Input::template calls<F>) {
        using Result = typename Input::template Result<F>;
        return detail::map::run_lazily<detail::map::IndexedOutcomes<Result>>(open_client(), options, std::move(f),
                                                                             Input{std::forward<Ranges>(ranges)...});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

}  // namespace procpool
