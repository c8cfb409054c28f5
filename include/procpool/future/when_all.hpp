// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// when_all(), when_any(): one future of several.

#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/wait.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace procpool::inline v0 {

namespace detail::future {

template <class T>
using value_in_tuple_t = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// The state of a future of several. It begins with the first question that the program asks it: as the argument of a
/// task it is never asked, and that task waits for the parts.
template <class T>
class AllOf : public Deferred<T> {
public:
    /// unobserved: counts its error if nobody takes it; null: nothing does.
    explicit AllOf(std::shared_ptr<client::Unobserved> unobserved)
        : Deferred<T>(DeferredHooks{.cancel = [this] { return ask(&FutureBase::cancel); },
                                    .kill = [this] { return ask(&FutureBase::kill); },
                                    .running =
                                        [this] {
                                            bool any = false;
                                            visit([&](FutureBase& part) { any = any || part.running(); });
                                            return any;
                                        }},
                      std::move(unobserved)) {}

    void begin() override {
        if (begun_.exchange(true)) { return; }
        std::size_t count = 0;
        visit([&](FutureBase&) { ++count; });
        left_.store(count + 1, std::memory_order_relaxed);
        this->retain();
        const Counted<AllOf> self{this};
        try {
            visit([&](FutureBase& part) { part.on_done([self] { self->one_is_done(); }); });
        } catch (...) { return this->set_exception(std::current_exception()); }
        one_is_done();
    }

    bool each_part(core::FunctionRef<void(FutureBase&)> look) override {
        if (begun_.load()) { return false; }
        visit(look);
        return true;
    }

protected:
    virtual void visit(core::FunctionRef<void(FutureBase&)> look) = 0;
    /// Effects: takes the results of all parts. Throws: the first error.
    virtual void collect() = 0;

    /// Takes the results of parts one after the other, and keeps the first error.
    class Taking {
    public:
        template <class U>
        std::optional<value_in_tuple_t<U>> take(Future<U>& part) {
            try {
                if constexpr (std::is_void_v<U>) {
                    ReadyFuture::take(part);
                    return std::monostate{};
                } else {
                    return ReadyFuture::take(part);
                }
            } catch (...) {
                if (!first_) { first_ = std::current_exception(); }
                return std::nullopt;
            }
        }
        void require_all() const {
            if (first_) { std::rethrow_exception(first_); }
        }

    private:
        std::exception_ptr first_;
    };

private:
    // acq_rel: the last one sees what the others have left.
    void one_is_done() noexcept {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
        try {
            collect();
        } catch (...) { this->set_exception(std::current_exception()); }
    }
    bool ask(bool (FutureBase::*question)()) {
        bool any = false;
        visit([&](FutureBase& part) { any = (part.*question)() || any; });
        return any;
    }

    std::atomic<bool> begun_{false};
    std::atomic<std::size_t> left_{0};
};

template <class... T>
class AllOfTuple final : public AllOf<std::tuple<value_in_tuple_t<T>...>> {
public:
    explicit AllOfTuple(Future<T>&&... parts)
        : AllOf<std::tuple<value_in_tuple_t<T>...>>(Argument::unobserved(parts...)),
          parts_(std::move(parts)...) {}

private:
    void visit(core::FunctionRef<void(FutureBase&)> look) override {
        std::apply([&](auto&... parts) { (look(parts), ...); }, parts_);
    }
    void collect() override {
        typename AllOf<std::tuple<value_in_tuple_t<T>...>>::Taking taking;
        auto values = std::apply(
            [&](auto&... parts) { return std::tuple<std::optional<value_in_tuple_t<T>>...>{taking.take(parts)...}; },
            parts_);
        taking.require_all();
        std::apply([&](auto&... value) { this->set_value(std::move(*value)...); }, values);
    }
    std::tuple<Future<T>...> parts_;
};

template <class T>
class AllOfRange final : public AllOf<std::conditional_t<std::is_void_v<T>, void, std::vector<value_in_tuple_t<T>>>> {
    using Base = AllOf<std::conditional_t<std::is_void_v<T>, void, std::vector<value_in_tuple_t<T>>>>;

public:
    explicit AllOfRange(std::vector<Future<T>> parts)
        : Base(parts.empty() ? nullptr : Argument::unobserved(parts.front())),
          parts_(std::move(parts)) {}

private:
    void visit(core::FunctionRef<void(FutureBase&)> look) override {
        for (Future<T>& part : parts_) { look(part); }
    }
    void collect() override {
        typename Base::Taking taking;
        std::vector<value_in_tuple_t<T>> values;
        values.reserve(parts_.size());
        for (Future<T>& part : parts_) {
            if (auto value = taking.take(part)) { values.push_back(std::move(*value)); }
        }
        taking.require_all();
        if constexpr (std::is_void_v<T>) {
            this->set_value();
        } else {
            this->set_value(std::move(values));
        }
    }
    std::vector<Future<T>> parts_;
};

template <class T>
struct result_of_future;
template <class T>
struct result_of_future<Future<T>> {
    using type = T;
};
template <class Range>
using result_of_range_t = typename result_of_future<std::ranges::range_value_t<Range>>::type;

template <class T>
void require_all_valid(const std::vector<Future<T>>& parts) {
    for (const Future<T>& part : parts) { Argument::require_valid(part); }
}

/// Moves the futures out of a range.
template <class Range>
[[nodiscard]] auto gather_futures(Range& futures) {
    std::vector<std::ranges::range_value_t<Range>> parts;
    if constexpr (std::ranges::sized_range<Range>) { parts.reserve(std::ranges::size(futures)); }
    for (auto&& one : futures) { parts.push_back(std::move(one)); }
    return parts;
}

}  // namespace detail::future

/// Returns: the future of all results, with std::monostate for those of void. It ends once all have ended, with the
/// error of the first of them that has one. Its cancel() and kill() act on all. As the argument of a task, see
/// ProcessPool::apply_async(), the results do not come here. The futures are invalid from now on. Throws:
/// std::future_error when one of them is already.
template <class... T>
[[nodiscard]] Future<std::tuple<detail::future::value_in_tuple_t<T>...>> when_all(Future<T>... futures) {
    (detail::future::Argument::require_valid(futures), ...);
    using State = detail::future::AllOfTuple<T...>;
    using Result = std::tuple<detail::future::value_in_tuple_t<T>...>;
    detail::future::Counted<State> state{new State(std::move(futures)...)};
    return Future<Result>{detail::future::Counted<detail::future::Deferred<Result>>{std::move(state)}};
}

/// \{
/// As above, of a range, whose futures are moved away. Returns: a Future<std::vector<T>>; a Future<void> for those of
/// void.
template <FutureRange Range>
[[nodiscard]] auto when_all(Range&& futures) {
    using T = detail::future::result_of_range_t<Range>;
    using State = detail::future::AllOfRange<T>;
    using Result = std::conditional_t<std::is_void_v<T>, void, std::vector<detail::future::value_in_tuple_t<T>>>;
    std::vector<Future<T>> parts = detail::future::gather_futures(futures);
    detail::future::require_all_valid(parts);
    detail::future::Counted<State> state{new State(std::move(parts))};
    return Future<Result>{detail::future::Counted<detail::future::Deferred<Result>>{std::move(state)}};
}
/// \}

/// The first of several results.
template <class T>
struct FirstOf {
    std::size_t index;                          ///< of its future in the range
    detail::future::value_in_tuple_t<T> value;  ///< std::monostate where T is void
};

/// Returns: the future of the first result there is, and which one it is; where all end in errors, of the error of the
/// first in the range. The others run on, and their results are dropped; its cancel() and kill() act on all that have
/// not ended. The futures are moved away. Throws: std::invalid_argument for an empty range; std::future_error when one
/// of them is invalid already; as FutureBase::on_done().
template <FutureRange Range>
[[nodiscard]] auto when_any(Range&& futures) {
    using T = detail::future::result_of_range_t<Range>;
    struct Race {
        std::vector<Future<T>> parts;
        std::vector<std::exception_ptr> errors;
        std::size_t left;  // this and `errors` are the callback thread's
        Promise<FirstOf<T>> promise;

        void end(std::size_t index) {
            --left;
            if (!promise) { return; }
            try {
                if constexpr (std::is_void_v<T>) {
                    detail::future::ReadyFuture::take(parts[index]);
                    promise.set_value(FirstOf<T>{index, {}});
                } else {
                    promise.set_value(FirstOf<T>{index, detail::future::ReadyFuture::take(parts[index])});
                }
            } catch (...) {
                errors[index] = std::current_exception();
                if (left == 0) { promise.set_exception(errors.front()); }
            }
        }
        bool ask(bool (FutureBase::*question)()) {
            bool all = true;
            for (Future<T>& part : parts) { all = (part.valid() && (part.*question)()) && all; }
            return all;
        }
    };
    auto race = std::make_shared<Race>();
    race->parts = detail::future::gather_futures(futures);
    if (race->parts.empty()) { throw std::invalid_argument("procpool: when_any() of no futures"); }
    detail::future::require_all_valid(race->parts);
    race->errors.resize(race->parts.size());
    race->left = race->parts.size();
    detail::future::Counted<detail::future::Deferred<FirstOf<T>>> state{new detail::future::Deferred<FirstOf<T>>(
        DeferredHooks{.cancel = [race] { return race->ask(&FutureBase::cancel); },
                      .kill = [race] { return race->ask(&FutureBase::kill); }},
        detail::future::Argument::unobserved(race->parts.front()))};
    race->promise = Promise<FirstOf<T>>{state};
    for (std::size_t index = 0; index != race->parts.size(); ++index) {
        race->parts[index].on_done([race, index] { race->end(index); });
    }
    return Future<FirstOf<T>>{std::move(state)};
}

}  // namespace procpool
