// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// call_later(): submits a call once the futures among its arguments are ready, some of which are not of tasks of its
/// pool. App: a function that submits.

#include <procpool/client/client_ref.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/error.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/shared_future.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/linked_call.hpp>
#include <procpool/pool/options.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// A function of a pool: its calls are tasks. ProcessPool::app() makes one. Called by: any thread.
template <class P, class F>
class App {
public:
    /// Called by: ProcessPool::app().
    App(P& pool, F f, TaskOptions options) : pool_(&pool), f_(std::move(f)), options_(std::move(options)) {}

    /// As ProcessPool::apply_async(options, f, args...).
    template <class... Args>
    auto operator()(Args&&... args) const {
        return pool_->apply_async(options_, f_, std::forward<Args>(args)...);
    }

private:
    P* pool_;
    F f_;
    TaskOptions options_;
};

namespace detail::pool {

/// Returns: a future that has ended in that error.
template <class T>
[[nodiscard]] Future<T> failed_future(const client::Client& client, std::exception_ptr error) {
    auto [promise, future] = future::make_deferred_of<T>(client, {});
    promise.set_exception(std::move(error));
    return std::move(future);
}

/// Effects: hands over a task that was accepted before its pool was closed, if it is. Throws: as
/// ProcessPool::apply_async().
[[nodiscard]] TaskHandle submit_accepted(client::Client& client, TaskCode code, const TaskOptions* options,
                                         client::Encode encode);

/// An argument as a waiting call keeps it: a future, or the value as it travels, which refers to nothing that may
/// be gone by then.
template <class Arg>
using kept_argument_t = std::conditional_t<Passed<Arg>::is_future, std::remove_cvref_t<Arg>, codec::wire_type_t<Arg>>;
template <class Arg>
[[nodiscard]] kept_argument_t<Arg> keep_argument(std::remove_reference_t<Arg>& argument) {
    if constexpr (std::is_same_v<kept_argument_t<Arg>, std::remove_cvref_t<Arg>>) {
        return static_cast<Arg&&>(argument);
    } else {
        return kept_argument_t<Arg>(codec::to_wire(argument));
    }
}

/// A call that waits in this process. Its last future submits it, on the callback thread.
template <class E, class F, class... Args>
class LaterCall : public std::enable_shared_from_this<LaterCall<E, F, Args...>> {
public:
    using Linked = linked_call_t<F, Args...>;
    using Result = typename Linked::Result;

    LaterCall(client::Client& client, const TaskOptions* options, F&& f, std::remove_reference_t<Args>&... args)
        : client_(client),
          open_(std::in_place, client),
          options_(options != nullptr ? std::optional{*options} : std::nullopt),
          f_(std::move(f)),
          args_(keep_argument<Args>(args)...) {}

    [[nodiscard]] Future<Result> begin() {
        auto self = this->shared_from_this();
        auto [promise, result] = future::make_deferred_of<Result>(
            *client_, {.cancel = [self] { return self->cancel(); }, .running = [] { return false; }});
        promise_ = std::move(promise);
        std::apply([&](auto&... args) { each_future([&](FutureBase&, bool) { ++left_; }, args...); }, args_);
        ++left_;  // this call
        const auto watch = [&]<class Arg>(Arg& arg) {
            if constexpr (Passed<Arg>::is_future) {
                arg.on_done([self] { self->one_is_ready(); });
            }
        };
        std::apply([&](auto&... args) { (watch(args), ...); }, args_);
        one_is_ready();
        return std::move(result);
    }

private:
    // acq_rel: the last one sees what the others have left.
    void one_is_ready() {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) { submit(); }
    }

    void submit() {
        if (decided_.exchange(true)) { return; }
        std::optional<KeepOpen> open = std::move(open_);
        try {
            // Braces: the first error in the order of the arguments.
            auto each_value = std::apply(
                [](auto&... args) { return std::tuple<decltype(value_of(args))...>{value_of(args)...}; }, args_);
            auto values = std::apply([](auto&... one) { return std::tuple_cat(std::move(one)...); }, each_value);
            const TaskOptions* const options = options_ ? &*options_ : nullptr;
            promise_.set_from(Future<Result>{std::apply(
                [&](const auto&... each) {
                    return submit_accepted(*client_, Linked::code, options,
                                           [&](Writer& out) { Linked::template encode<E>(out, f_, each...); });
                },
                values)});
        } catch (...) { promise_.set_exception(std::current_exception()); }
    }

    bool cancel() {
        if (decided_.exchange(true)) { return false; }
        open_.reset();
        promise_.set_exception(std::make_exception_ptr(TaskCancelled{}));
        return true;
    }

    template <class Arg>
    static auto value_of(Arg& arg) {
        if constexpr (!Passed<Arg>::is_future) {
            return std::tuple<const Arg&>{arg};
        } else if constexpr (std::is_void_v<typename Passed<Arg>::Result>) {
            if constexpr (std::is_base_of_v<FutureBase, Arg>) {
                future::ReadyFuture::take(arg);
            } else {
                arg.get();
            }
            return std::tuple<>{};
        } else if constexpr (std::is_base_of_v<FutureBase, Arg>) {
            return std::tuple<typename Passed<Arg>::Result>{future::ReadyFuture::take(arg)};
        } else {
            return std::tuple<const typename Passed<Arg>::Result&>{arg.get()};
        }
    }

    client::ClientRef client_;
    std::optional<KeepOpen> open_;
    std::optional<TaskOptions> options_;
    F f_;
    std::tuple<kept_argument_t<Args>...> args_;
    Promise<Result> promise_;
    std::atomic<std::size_t> left_{0};
    std::atomic<bool> decided_{false};  // submitted or cancelled
};

/// Returns: the future of f(args...), which is submitted when its futures are ready. Throws: as
/// FutureBase::on_done().
template <class E, class F, class... Args>
[[nodiscard]] auto call_later(client::Client& client, const TaskOptions* options, F f,
                              std::remove_reference_t<Args>&... args) {
    return std::make_shared<LaterCall<E, F, Args...>>(client, options, std::move(f), args...)->begin();
}

}  // namespace detail::pool

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/pool/later_call.ipp>
#endif
