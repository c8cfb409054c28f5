// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's map_async() and starmap_async().

#include <procpool/future/future.hpp>
#include <procpool/map/chunked.hpp>
#include <procpool/map/input.hpp>
#include <procpool/map/kept_client.hpp>
#include <procpool/map/orders.hpp>
#include <procpool/map/read_input.hpp>
#include <procpool/map/results.hpp>
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

/// What a call on a thread of its own and its future share.
struct Reins {
    explicit Reins(client::Client& of) noexcept : client(of) {}

    /// Effects: the call learns of the wish at once. Returns: false when it is over.
    bool give(Wish wish) {
        if (!orders.give(wish)) { return false; }
        (*client).board().notify_parent();
        return true;
    }

    KeptClient client;
    Orders orders;
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
    AsyncMap(std::shared_ptr<Reins> reins, const MapOptions& options, Called f, Read items,
             Promise<std::vector<Result>> promise)
        : reins_(std::move(reins)),
          hold_(*reins_->client),
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
            Chunked<Called, Item, Items::copied, Read, Sink>{*reins_->client, options_,      f_, items_, sink,
                                                             Pace::held,      reins_->orders}
                .run();
            results.emplace(std::move(sink).vector());
        } catch (...) { error = std::current_exception(); }
        if (reins_->orders.end() != Wish::go_on) { error = std::make_exception_ptr(TaskCancelled{}); }
        call.reset();
        if (error) {
            promise_.set_exception(std::move(error));  // so that the caller has the last one
        } else {
            promise_.set_value(std::move(*results));
        }
    }

private:
    std::shared_ptr<Reins> reins_;
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
    ReadInput<typename Input::Item> items{input.range(), client.place_of()};
    auto reins = std::make_shared<Reins>(client);
    DeferredEnds<Made> ends = make_deferred<Made>(
        {.cancel = [reins] { return reins->give(Wish::cancel); }, .kill = [reins] { return reins->give(Wish::kill); }});
    auto call = std::make_unique<AsyncMap<Input, F>>(std::move(reins), options, input.call(std::move(f)),
                                                     std::move(items), std::move(ends.promise));
    if (client.runs_here()) {
        call->run();
    } else {
        threads.start(future::make_callback([call = std::move(call)] { call->run(); }));
    }
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
        return this_call_is_refused{};
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
        return this_call_is_refused{};
    }
}

}  // namespace procpool
