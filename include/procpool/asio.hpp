// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// async_get(): futures as asynchronous operations of Boost.Asio, or of standalone Asio, where ASIO_STANDALONE is
/// defined or there is no Boost.Asio of 1.77 or later. Not part of <procpool/procpool.hpp>.

#include <procpool/future/future.hpp>

#if defined(ASIO_STANDALONE) || !__has_include(<boost/asio/associated_cancellation_slot.hpp>)
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/execution.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>
namespace procpool::inline v0::detail::future {
namespace net = ::asio;
}
#else
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
namespace procpool::inline v0::detail::future {
namespace net = ::boost::asio;
}
#endif

#include <exception>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::future {

/// An operation whose future is not ready yet.
class AsioGet {
public:
    virtual ~AsioGet() = default;
    /// Effects: gives itself to its executor, which calls the handler. error: instead of the future's result, if it is
    /// not null. Requires: no other object owns it.
    virtual void post(std::exception_ptr error) = 0;
};

/// The operations of one execution context. The callback thread may use the context as long as this says that it is
/// there.
class AsioGets {
public:
    using Place = std::list<std::unique_ptr<AsioGet>>::iterator;

    /// Requires: the context has not ended.
    Place add(std::unique_ptr<AsioGet> get) {
        const std::lock_guard guard{mutex_};
        return waiting_.insert(waiting_.end(), std::move(get));
    }
    /// Called by: the callback thread, or the one that has added it; once.
    void finish(Place place, std::exception_ptr error) {
        const std::lock_guard guard{mutex_};  // the end of the context waits for it
        if (has_ended_) { return; }
        AsioGet* const ready = place->release();
        waiting_.erase(place);
        ready->post(std::move(error));
    }
    /// Effects: handlers that wait are destroyed, as the context destroys its own.
    void end() noexcept {
        std::list<std::unique_ptr<AsioGet>> never;
        {
            const std::lock_guard guard{mutex_};
            has_ended_ = true;
            never.swap(waiting_);
        }
    }

private:
    std::mutex mutex_;
    std::list<std::unique_ptr<AsioGet>> waiting_;
    bool has_ended_ = false;
};

/// Belongs to an execution context, which tells it of its end.
class AsioService : public net::execution_context::service {
public:
    static inline net::execution_context::id id;

    explicit AsioService(net::execution_context& context) : service(context) {}
    [[nodiscard]] const std::shared_ptr<AsioGets>& gets() const noexcept { return gets_; }

private:
    void shutdown() noexcept override { gets_->end(); }

    std::shared_ptr<AsioGets> gets_ = std::make_shared<AsioGets>();
};

/// Returns: the operations of an executor's context; of an executor that names none, just these.
template <class Executor>
[[nodiscard]] std::shared_ptr<AsioGets> asio_gets_of(const Executor& executor) {
    if constexpr (net::can_query<const Executor&, net::execution::context_t>::value) {
        return net::use_service<AsioService>(net::query(executor, net::execution::context)).gets();
    } else if constexpr (requires { executor.context(); }) {
        return net::use_service<AsioService>(executor.context()).gets();
    } else {
        return std::make_shared<AsioGets>();
    }
}

/// The arguments of a handler besides the error.
template <class T>
using AsioValue = std::conditional_t<std::is_void_v<T> || std::is_default_constructible_v<T>, T, std::optional<T>>;

template <class T>
struct AsioSignature {
    using type = void(std::exception_ptr, AsioValue<T>);
};
template <>
struct AsioSignature<void> {
    using type = void(std::exception_ptr);
};

template <class T, class Handler>
class AsioGetOf final : public AsioGet {
public:
    AsioGetOf(Handler handler, std::shared_ptr<Future<T>> future)
        : executor_(net::get_associated_executor(handler)),
          work_(executor_),
          slot_(net::get_associated_cancellation_slot(handler)),
          handler_(std::move(handler)),
          future_(std::move(future)) {}

    [[nodiscard]] const auto& executor() const noexcept { return executor_; }

    /// Called by: the initiation, before the future has its function: from then on the handler may run, and clear it.
    void connect() {
        if (!slot_.is_connected()) { return; }
        slot_.assign([weak = std::weak_ptr{future_}](net::cancellation_type type) {
            const std::shared_ptr<Future<T>> future = weak.lock();
            if (!future || type == net::cancellation_type::none) { return; }
            const bool kills = (type & net::cancellation_type::terminal) != net::cancellation_type::none;
            static_cast<void>(kills ? future->kill() : future->cancel());
        });
    }

    void post(std::exception_ptr error) override {
        const auto executor = executor_;  // this object may be gone before post() returns
        net::post(executor, Ready{std::unique_ptr<AsioGetOf>{this}, std::move(error)});
    }

private:
    /// The function that the executor calls; its memory is from the handler's allocator.
    struct Ready {
        using allocator_type = net::associated_allocator_t<Handler>;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return net::get_associated_allocator(get->handler_);
        }
        void operator()() { finish(std::move(get), std::move(error)); }

        std::unique_ptr<AsioGetOf> get;
        std::exception_ptr error;
    };

    static void finish(std::unique_ptr<AsioGetOf> get, std::exception_ptr error) {
        if (get->slot_.is_connected()) { get->slot_.clear(); }
        const auto work = std::move(get->work_);
        Handler handler = std::move(get->handler_);
        std::shared_ptr<Future<T>> future = std::move(get->future_);
        get.reset();  // memory is given back before the handler is called, as Asio promises
        if constexpr (std::is_void_v<T>) {
            try {
                if (!error) { ReadyFuture::take(*future); }
            } catch (...) { error = std::current_exception(); }
            future.reset();
            std::move(handler)(std::move(error));
        } else {
            AsioValue<T> value{};
            try {
                if (!error) { value = ReadyFuture::take(*future); }
            } catch (...) { error = std::current_exception(); }
            future.reset();
            std::move(handler)(std::move(error), std::move(value));
        }
    }

    net::associated_executor_t<Handler> executor_;
    net::executor_work_guard<net::associated_executor_t<Handler>> work_;
    net::associated_cancellation_slot_t<Handler> slot_;
    Handler handler_;
    std::shared_ptr<Future<T>> future_;
};

template <class T>
struct AsioInitiation {
    template <class Handler>
    void operator()(Handler&& handler, Future<T> future) const {
        const auto waited = std::make_shared<Future<T>>(std::move(future));
        auto get = std::make_unique<AsioGetOf<T, std::decay_t<Handler>>>(std::forward<Handler>(handler), waited);
        const std::shared_ptr<AsioGets> gets = asio_gets_of(get->executor());
        get->connect();
        const AsioGets::Place place = gets->add(std::move(get));
        try {
            waited->on_done([gets, place] { gets->finish(place, nullptr); });
        } catch (...) { gets->finish(place, std::current_exception()); }
    }
};

}  // namespace procpool::detail::future

namespace procpool::inline v0 {

/// An asynchronous operation of Asio's that ends once the future is ready, for any completion token:
///
///     double answer = co_await procpool::async_get(pool.apply_async(f, 5), boost::asio::use_awaitable);
///
/// Completes as void(std::exception_ptr, T), or void(std::exception_ptr) where T is void; where T has no default
/// constructor, as void(std::exception_ptr, std::optional<T>). The handler is posted to its associated executor, which
/// has outstanding work until then, and never called in here; where the executor's context is destroyed before, so is
/// the handler, and the task runs on. The handler's cancellation slot acts on the task, which then ends as it does:
/// terminal kills it, as Future::kill(), partial and total cancel it, as Future::cancel(). Throws: std::future_error
/// (no_state) when the future is invalid; other errors go to the handler.
template <class T, class Token>
auto async_get(Future<T> future, Token&& token) {
    if (!future.valid()) { detail::future::throw_no_state(); }
    return detail::future::net::async_initiate<Token, typename detail::future::AsioSignature<T>::type>(
        detail::future::AsioInitiation<T>{}, token, std::move(future));
}

}  // namespace procpool
