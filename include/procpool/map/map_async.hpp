// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_async() and starmap_async().

#include <procpool/client/client_ref.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>
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

/// A map whose caller has gone on.
template <class Input, class F>
class AsyncMap {
    using Result = typename Input::template Result<F>;
    using Called = typename Input::template Called<F>;
    using Item = typename Input::Item;
    using Read = ReadInput<Item>;
    using Sink = std::conditional_t<fits_plain_results_v<Result>, PlainResults<Result>, DecodedResults<Result>>;

public:
    AsyncMap(std::shared_ptr<AsyncCallState> state, const MapOptions& options, Called f, Read items,
             Promise<std::vector<Result>> promise)
        : state_(std::move(state)),
          hold_(*state_->client),
          options_(options),
          f_(std::move(f)),
          items_(std::move(items)),
          promise_(std::move(promise)) {}

    /// Effects: runs the call; its future is decided then, and not before nothing of it runs any more.
    void run() noexcept {
        std::optional<pool::OpenCall> call{std::move(hold_)};
        std::exception_ptr error;
        std::optional<std::vector<Result>> results;
        try {
            Sink sink{items_.size()};
            TypedMapDriver<Called, Item, Items::copied, Read, Sink>{
                *state_->client, options_, f_,
                items_,          sink,     {.driven_by = DrivenBy::own_thread, .request = state_->stop}}
                .run();
            results.emplace(std::move(sink).vector());
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
    std::shared_ptr<AsyncCallState> state_;
    pool::KeepOpen hold_;  // run() takes it over
    const MapOptions options_;
    const Called f_;
    Read items_;
    Promise<std::vector<Result>> promise_;
};

template <class Input, class F>
Future<std::vector<typename Input::template Result<F>>> run_async(client::Client& client, pool::CallThreads& threads,
                                                                  const MapOptions& options, F f, Input input) {
    using Made = std::vector<typename Input::template Result<F>>;
    check_task(options);
    check_callable(client, f);
    ReadInput<typename Input::Item> items{input.range(), client::place_of(client)};
    auto state = std::make_shared<AsyncCallState>(client);
    DeferredEnds<Made> ends =
        future::make_deferred_of<Made>(client, {.cancel = [state] { return state->request(StopRequest::Kind::cancel); },
                                                .kill = [state] { return state->request(StopRequest::Kind::kill); }});
    auto call = std::make_unique<AsyncMap<Input, F>>(std::move(state), options, input.call(std::move(f)),
                                                     std::move(items), std::move(ends.promise));
    threads.start(client, future::make_callback([call = std::move(call)] { call->run(); }));
    return std::move(ends.future);
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
        return detail::map::run_async(run_by, call_threads(), options, std::move(f), Input{ranges...});
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
        return detail::map::run_async(run_by, call_threads(), options, std::move(f), Input{range});
    } else {
        return detail::codec::this_call_is_refused{};
    }
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/map/map_async.ipp>
#endif
