// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_async(), starmap_async() and for_each_async().

#include <procpool/client/client_ref.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/future.hpp>
#include <procpool/map/in_place.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/read_input.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/map/stop_request.hpp>
#include <procpool/map/typed_driver.hpp>
#include <procpool/pool/call_threads.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/process_pool.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Shared by a call on a thread of its own and its future.
struct AsyncCallState {
    explicit AsyncCallState(client::Client& of) noexcept : client(of) {}

    /// Effects: stops the call, which learns of that at once. Returns: false when it has ended.
    bool request(StopRequest::Kind kind);

    client::ClientRef client;
    StopRequest stop;
};

/// The results of a call whose caller has gone on.
template <class Result>
struct AsyncResults {
    using Made = std::vector<Result>;
    using Sink = std::conditional_t<fits_plain_results_v<Result>, PlainResults<Result>, DecodedResults<Result>>;
};
template <>
struct AsyncResults<void> {
    using Made = void;
    using Sink = NoResults;
};

/// A call whose caller has gone on. Range: of the items, which it holds; Result: void where there are none.
template <class F, class Item, Items items, class Range, class Result>
class AsyncCall {
    using Made = typename AsyncResults<Result>::Made;
    using Sink = typename AsyncResults<Result>::Sink;

public:
    AsyncCall(std::shared_ptr<AsyncCallState> state, const MapOptions& options, Deadline expires, F f, Range range,
              Promise<Made> promise)
        : state_(std::move(state)),
          hold_(*state_->client),
          options_(options),
          expires_(expires),
          f_(std::move(f)),
          range_(std::move(range)),
          promise_(std::move(promise)) {}

    /// Effects: runs the call; its future is decided then, and not before nothing of it runs any more.
    void run() noexcept {
        std::optional<pool::OpenCall> call{std::move(hold_)};
        std::exception_ptr error;
        std::optional<typename future::Deferred<Made>::Value> results;
        try {
            if constexpr (std::is_void_v<Result>) {
                Sink sink;
                drive(sink);
                results.emplace();
            } else {
                Sink sink{range_.size()};
                drive(sink);
                results.emplace(std::move(sink).vector());
            }
        } catch (...) { error = std::current_exception(); }
        if (state_->stop.close() != StopRequest::Kind::none) { error = std::make_exception_ptr(TaskCancelled{}); }
        call.reset();
        if (error) {
            promise_.set_exception(std::move(error));  // so that the caller has the last one
        } else {
            promise_.set_value(std::move(*results));
        }
    }

private:
    void drive(Sink& sink) {
        TypedMapDriver<F, Item, items, Range, Sink>{
            *state_->client,
            options_,
            f_,
            range_,
            sink,
            {.driven_by = DrivenBy::own_thread, .request = state_->stop, .expires = expires_}}
            .run();
    }

    std::shared_ptr<AsyncCallState> state_;
    pool::KeepOpen hold_;  // run() takes it over
    const MapOptions options_;
    const Deadline expires_;
    const F f_;
    Range range_;
    Promise<Made> promise_;
};

/// read: returns the items as the call holds them.
template <class Item, Items items, class Result, class F, class Read>
auto run_async(client::Client& client, pool::CallThreads& threads, const MapOptions& options, F f, Read read) {
    using Made = typename AsyncResults<Result>::Made;
    check_call(options, false);
    if constexpr (items == Items::in_place) {
        refuse_journal(options, "for_each_async() of a function that changes its items",
                       "these are in memory that goes with the program");
        refuse_hedge(options);
    }
    const Deadline expires = expiry_of(options);
    check_callable(client, f);
    auto range = read();
    auto state = std::make_shared<AsyncCallState>(client);
    DeferredEnds<Made> ends =
        future::make_deferred_of<Made>(client, {.cancel = [state] { return state->request(StopRequest::Kind::cancel); },
                                                .kill = [state] { return state->request(StopRequest::Kind::kill); }});
    auto call = std::make_unique<AsyncCall<F, Item, items, decltype(range), Result>>(
        std::move(state), options, expires, std::move(f), std::move(range), std::move(ends.promise));
    threads.start(client, future::make_callback([call = std::move(call)] { call->run(); }));
    return std::move(ends.future);
}

/// Input: see input.hpp. Its items are read now.
template <class Result, class Input, class F>
auto read_and_run_async(client::Client& client, pool::CallThreads& threads, const MapOptions& options, F f,
                        Input input) {
    using Item = typename Input::Item;
    return run_async<Item, Items::copied, Result>(client, threads, options, input.call(std::move(f)), [&] {
        return ReadInput<Item>{input.range(), client::place_of(client)};
    });
}

struct MapAsyncCalls {};

}  // namespace detail::map

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::map_async(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges&...>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        detail::client::Client& run_by = open_client();
        return detail::map::read_and_run_async<typename Input::template Result<F>>(run_by, call_threads(), options,
                                                                                   std::move(f), Input{ranges...});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class Range>
auto ProcessPool<E>::starmap_async(const MapOptions& options, F f, Range&& range) {
    using Input = detail::map::starred_t<Range&>;
    detail::map::require_results<Input, F>();
    if constexpr (detail::map::gives_results_v<Input, F>) {
        detail::client::Client& run_by = open_client();
        return detail::map::read_and_run_async<typename Input::template Result<F>>(run_by, call_threads(), options,
                                                                                   std::move(f), Input{range});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

template <class E>
template <class F, class... Ranges>
auto ProcessPool<E>::for_each_async(const MapOptions& options, F f, Ranges&&... ranges) {
    using Input = detail::map::zipped_t<Ranges&...>;
    if constexpr (detail::map::want_in_place_v<F, std::remove_reference_t<Ranges>...>) {
        detail::map::require_in_place<F, std::remove_reference_t<Ranges>...>();
        Input input{ranges...};
        detail::client::Client& run_by = open_client();
        return detail::map::run_async<std::ranges::range_value_t<typename Input::Range>, detail::map::Items::in_place,
                                      void>(
            run_by, call_threads(), options,
            input.call(detail::map::as_callee<detail::map::callee_in_place_t<F, std::remove_reference_t<Ranges>...>>(
                std::move(f))),
            [&] { return detail::map::items_in_place(run_by, input.range()); });
    } else {
        detail::map::require_calls<Input, F>();
        if constexpr (Input::template calls<F>) {
            detail::client::Client& run_by = open_client();
            return detail::map::read_and_run_async<void>(run_by, call_threads(), options, std::move(f),
                                                         Input{ranges...});
        } else {
            return detail::codec::this_call_is_refused{};
        }
    }
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/map/map_async.ipp>
#endif
