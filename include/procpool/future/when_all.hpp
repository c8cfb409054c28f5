// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// when_all(), when_any(): one future of several.

#include <procpool/codec/fields.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/shared_future.hpp>

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

/// A Future or a SharedFuture, as a part of another one.
template <class P>
struct PartOf;
template <class T>
struct PartOf<Future<T>> {
    using Result = T;
    static constexpr bool is_shared = false;
    static FutureBase& base(Future<T>& part) noexcept { return part; }
    static T take(Future<T>& part) { return ReadyFuture::take(part); }
};
template <class T>
struct PartOf<SharedFuture<T>> {
    using Result = T;
    static constexpr bool is_shared = true;
    static FutureBase& base(const SharedFuture<T>& part) { return part.future(); }
    static T take(const SharedFuture<T>& part) { return part.get(); }
};
template <class P>
using result_of_part_t = typename PartOf<P>::Result;
template <class P>
concept Part = requires {
    typename result_of_part_t<P>;
};
template <class P>
using value_of_part_t = value_in_tuple_t<result_of_part_t<P>>;

/// Whether what is passed as Given can be a part: a Future is not copied.
template <class Given, class P = std::remove_cvref_t<Given>>
inline constexpr bool may_be_part_v = PartOf<P>::is_shared || std::is_constructible_v<P, Given>;

template <class Given>
struct part_not_moved {
    static_assert(codec::never<Given>,
                  "procpool: when_all() takes a Future away, whose result goes to one place: std::move() it, or "
                  "share() it first");
};
template <class Range>
struct futures_not_moved {
    static_assert(codec::never<Range>,
                  "procpool: when_all() and when_any() move Futures out of their range, which this one does not allow: "
                  "pass it without const, or a range of what share() gives");
};
template <class Given>
struct futures_without_range {
    static_assert(codec::never<Given>,
                  "procpool: when_any() takes one range of futures, in which it tells the place of the first: "
                  "std::move() them into a std::vector, or share() them first");
};

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
                                            visit([&](FutureBase& part, bool) { any = any || part.running(); });
                                            return any;
                                        }},
                      std::move(unobserved)) {}

    void begin() override {
        if (begun_.exchange(true)) { return; }
        std::size_t count = 0;
        visit([&](FutureBase&, bool) { ++count; });
        left_.store(count + 1, std::memory_order_relaxed);
        this->retain();
        const Counted<AllOf> self{this};
        try {
            watch(self);
        } catch (...) { return this->set_exception(std::current_exception()); }
        one_is_done();
    }

    bool each_part(LookAtPart look) override {
        if (begun_.load()) { return false; }
        visit(look);
        return true;
    }

protected:
    virtual void visit(LookAtPart look) = 0;
    /// Effects: watch_part(part, self) for each part.
    virtual void watch(const Counted<AllOf>& self) = 0;
    template <class P>
    static void watch_part(P& part, const Counted<AllOf>& self) {
        part.on_done([self] { self->one_is_done(); });
    }
    template <class P>
    static void look_at(P& part, LookAtPart look) {
        look(PartOf<P>::base(part), PartOf<P>::is_shared);
    }
    /// Effects: takes the results of all parts. Throws: the first error.
    virtual void collect() = 0;

    /// Takes the results of parts one after the other, and keeps the first error.
    class Taking {
    public:
        template <class P>
        std::optional<value_of_part_t<P>> take(P& part) {
            try {
                if constexpr (std::is_void_v<result_of_part_t<P>>) {
                    PartOf<P>::take(part);
                    return std::monostate{};
                } else {
                    return PartOf<P>::take(part);
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
        std::exception_ptr error;
        try {
            collect();
        } catch (...) { error = std::current_exception(); }
        if (error) { this->set_exception(std::move(error)); }  // which nobody here holds when those that wait go on
    }
    bool ask(bool (FutureBase::*question)()) {
        bool any = false;
        visit([&](FutureBase& part, bool) { any = (part.*question)() || any; });
        return any;
    }

    std::atomic<bool> begun_{false};
    std::atomic<std::size_t> left_{0};
};

/// Returns: what counts an error that nobody takes, of the first part that has that; null: nothing does.
template <class... P>
[[nodiscard]] std::shared_ptr<client::Unobserved> unobserved_of(P&... parts) {
    return Argument::unobserved(PartOf<P>::base(parts)...);
}

template <class... P>
class AllOfTuple final : public AllOf<std::tuple<value_of_part_t<P>...>> {
    using Base = AllOf<std::tuple<value_of_part_t<P>...>>;

public:
    explicit AllOfTuple(P&&... parts) : Base(unobserved_of(parts...)), parts_(std::move(parts)...) {}

private:
    void visit(LookAtPart look) override {
        std::apply([&](auto&... parts) { (Base::look_at(parts, look), ...); }, parts_);
    }
    void watch(const Counted<Base>& self) override {
        std::apply([&](auto&... parts) { (Base::watch_part(parts, self), ...); }, parts_);
    }
    void collect() override {
        typename Base::Taking taking;
        auto values = std::apply(
            [&](auto&... parts) { return std::tuple<std::optional<value_of_part_t<P>>...>{taking.take(parts)...}; },
            parts_);
        taking.require_all();
        std::apply([&](auto&... value) { this->set_value(std::move(*value)...); }, values);
    }
    std::tuple<P...> parts_;
};

template <class P>
using result_of_parts_t =
    std::conditional_t<std::is_void_v<result_of_part_t<P>>, void, std::vector<value_of_part_t<P>>>;

template <class P>
class AllOfRange final : public AllOf<result_of_parts_t<P>> {
    using Base = AllOf<result_of_parts_t<P>>;

public:
    explicit AllOfRange(std::vector<P> parts)
        : Base(parts.empty() ? nullptr : unobserved_of(parts.front())),
          parts_(std::move(parts)) {}

private:
    void visit(LookAtPart look) override {
        for (P& part : parts_) { Base::look_at(part, look); }
    }
    void watch(const Counted<Base>& self) override {
        for (P& part : parts_) { Base::watch_part(part, self); }
    }
    void collect() override {
        typename Base::Taking taking;
        std::vector<value_of_part_t<P>> values;
        values.reserve(parts_.size());
        for (P& part : parts_) {
            if (auto value = taking.take(part)) { values.push_back(std::move(*value)); }
        }
        taking.require_all();
        if constexpr (std::is_void_v<result_of_part_t<P>>) {
            this->set_value();
        } else {
            this->set_value(std::move(values));
        }
    }
    std::vector<P> parts_;
};

template <class P>
void require_all_valid(const std::vector<P>& parts) {
    for (const P& part : parts) { Argument::require_valid(PartOf<P>::base(const_cast<P&>(part))); }
}

/// A range of Futures or of SharedFutures.
template <class Range>
concept RangeOfParts = std::ranges::input_range<Range> && requires {
    typename result_of_part_t<std::ranges::range_value_t<Range>>;
};

template <class Range>
inline constexpr bool gives_parts_v =
    may_be_part_v<std::remove_reference_t<std::ranges::range_reference_t<Range>>&&, std::ranges::range_value_t<Range>>;

/// Moves Futures out of a range; copies what is shared.
template <class Range>
[[nodiscard]] auto gather_futures(Range& futures) {
    using P = std::ranges::range_value_t<Range>;
    std::vector<P> parts;
    if constexpr (std::ranges::sized_range<Range>) { parts.reserve(std::ranges::size(futures)); }
    for (auto&& one : futures) {
        if constexpr (PartOf<P>::is_shared) {
            parts.push_back(one);
        } else {
            parts.push_back(std::move(one));
        }
    }
    require_all_valid(parts);
    return parts;
}

}  // namespace detail::future

/// Returns: the future of all results, a Future<std::tuple<T...>> with std::monostate for those of void. It ends once
/// all have ended, with the error of the first of them that has one. Its cancel() and kill() act on all. As the
/// argument of a task, see ProcessPool::apply_async(), the results do not come here. Futures are invalid from now on;
/// SharedFutures stay. Throws: std::future_error when one of them is invalid already.
template <class... Given>
requires(sizeof...(Given) != 0 && (detail::future::Part<std::remove_cvref_t<Given>> && ...))
    [[nodiscard]] auto when_all(Given&&... futures) {
    if constexpr ((detail::future::may_be_part_v<Given&&> && ...)) {
        (detail::future::Argument::require_valid(detail::future::PartOf<std::remove_cvref_t<Given>>::base(futures)),
         ...);
        using State = detail::future::AllOfTuple<std::remove_cvref_t<Given>...>;
        using Result = std::tuple<detail::future::value_of_part_t<std::remove_cvref_t<Given>>...>;
        detail::future::Counted<State> state{new State(std::remove_cvref_t<Given>(std::forward<Given>(futures))...)};
        return Future<Result>{detail::future::Counted<detail::future::Deferred<Result>>{std::move(state)}};
    } else {
        static_cast<void>(sizeof(detail::future::part_not_moved<detail::codec::TypeList<Given...>>));
        return detail::codec::this_call_is_refused{};
    }
}

/// As above, of a range, whose Futures are moved away. Returns: a Future<std::vector<T>>; a Future<void> for those of
/// void.
template <detail::future::RangeOfParts Range>
requires detail::future::gives_parts_v<Range>
[[nodiscard]] auto when_all(Range&& futures) {
    using P = std::ranges::range_value_t<Range>;
    using State = detail::future::AllOfRange<P>;
    using Result = detail::future::result_of_parts_t<P>;
    detail::future::Counted<State> state{new State(detail::future::gather_futures(futures))};
    return Future<Result>{detail::future::Counted<detail::future::Deferred<Result>>{std::move(state)}};
}
/// Does not compile: the range's Futures cannot be moved away.
template <detail::future::RangeOfParts Range>
requires(!detail::future::gives_parts_v<Range>) auto when_all(Range&&) {
    static_cast<void>(sizeof(detail::future::futures_not_moved<Range>));
    return detail::codec::this_call_is_refused{};
}

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
template <detail::future::RangeOfParts Range>
requires detail::future::gives_parts_v<Range>
[[nodiscard]] auto when_any(Range&& futures) {
    using P = std::ranges::range_value_t<Range>;
    using Part = detail::future::PartOf<P>;
    using T = detail::future::result_of_part_t<P>;
    struct Race {
        std::vector<P> parts;
        std::vector<std::exception_ptr> errors;
        std::size_t left;  // this and `errors` are the callback thread's
        Promise<FirstOf<T>> promise;

        void end(std::size_t index) {
            --left;
            if (!promise) { return; }
            try {
                if constexpr (std::is_void_v<T>) {
                    Part::take(parts[index]);
                    promise.set_value(FirstOf<T>{index, {}});
                } else {
                    promise.set_value(FirstOf<T>{index, Part::take(parts[index])});
                }
                return;
            } catch (...) { errors[index] = std::current_exception(); }
            if (left != 0) { return; }
            std::exception_ptr first = std::move(errors.front());
            errors.clear();  // nobody here holds one when those that wait go on
            promise.set_exception(std::move(first));
        }
        bool ask(bool (FutureBase::*question)()) {
            bool all = true;
            for (P& part : parts) { all = (part.valid() && (Part::base(part).*question)()) && all; }
            return all;
        }
    };
    auto race = std::make_shared<Race>();
    race->parts = detail::future::gather_futures(futures);
    if (race->parts.empty()) { throw std::invalid_argument("procpool: when_any() of no futures"); }
    race->errors.resize(race->parts.size());
    race->left = race->parts.size();
    detail::future::Counted<detail::future::Deferred<FirstOf<T>>> state{new detail::future::Deferred<FirstOf<T>>(
        DeferredHooks{.cancel = [race] { return race->ask(&FutureBase::cancel); },
                      .kill = [race] { return race->ask(&FutureBase::kill); }},
        detail::future::unobserved_of(race->parts.front()))};
    race->promise = Promise<FirstOf<T>>{state};
    for (std::size_t index = 0; index != race->parts.size(); ++index) {
        race->parts[index].on_done([race, index] { race->end(index); });
    }
    return Future<FirstOf<T>>{std::move(state)};
}

/// \{
/// Does not compile: the range's Futures cannot be moved away; there is no range.
template <detail::future::RangeOfParts Range>
requires(!detail::future::gives_parts_v<Range>) auto when_any(Range&&) {
    static_cast<void>(sizeof(detail::future::futures_not_moved<Range>));
    return detail::codec::this_call_is_refused{};
}
template <class... Given>
requires(sizeof...(Given) != 0 && (detail::future::Part<std::remove_cvref_t<Given>> && ...)) auto when_any(Given&&...) {
    static_cast<void>(sizeof(detail::future::futures_without_range<detail::codec::TypeList<Given...>>));
    return detail::codec::this_call_is_refused{};
}
/// \}

}  // namespace procpool
