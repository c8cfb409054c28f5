// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wait_all(), wait_any() and as_completed(): waiting for many futures, of any pools, at a cost per future that does
/// not grow with their number.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/future.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

/// A Future or SharedFuture, or a pointer or std::reference_wrapper to a Future.
template <class Element>
concept RefersToFuture = std::derived_from<Element, FutureBase> || requires(const Element& element) {
    { element.future() } -> std::convertible_to<const FutureBase&>;
} || requires(const Element& element) {
    { element.get() } -> std::convertible_to<const FutureBase&>;
} || requires(const Element& element) {
    { *element } -> std::convertible_to<const FutureBase&>;
};

/// Returns: the future that an element of a range is, or refers to by a pointer or a std::reference_wrapper.
template <RefersToFuture Element>
[[nodiscard]] const FutureBase& future_in(const Element& element) {
    if constexpr (std::derived_from<Element, FutureBase>) {
        return element;
    } else if constexpr (requires {
                             { element.future() } -> std::convertible_to<const FutureBase&>;
                         }) {
        return element.future();
    } else if constexpr (requires {
                             { element.get() } -> std::convertible_to<const FutureBase&>;
                         }) {
        return element.get();
    } else {
        return *element;
    }
}

/// A range of futures, or of what refers to futures.
template <class Range>
concept FutureRange = std::ranges::input_range<Range> && requires(std::ranges::range_reference_t<Range> element) {
    { future_in(element) } -> std::same_as<const FutureBase&>;
};

/// Blocks until all futures are ready, or their results taken. Throws: as FutureBase::wait(); errors of the tasks stay
/// in their futures.
template <FutureRange Range>
void wait_all(Range&& futures) {
    for (auto&& future : futures) { future_in(future).wait(); }
}

/// As wait_all(), for a time. Returns: false when the timeout came first. Throws: as wait_all().
template <FutureRange Range, class Rep, class Period>
[[nodiscard]] bool wait_all_for(Range&& futures, std::chrono::duration<Rep, Period> timeout) {
    const detail::Deadline deadline = detail::Deadline::after(timeout);
    for (auto&& future : futures) {
        const auto left = deadline.is_never() ? detail::Clock::duration::max() : deadline.when() - detail::Clock::now();
        if (future_in(future).wait_for(left) == std::future_status::timeout) { return false; }
    }
    return true;
}

/// A single-pass range of the positions of futures, in the order in which they become ready. The futures may be used
/// and destroyed meanwhile. Called by: one thread at a time.
class AsCompleted {
public:
    /// Called by: as_completed().
    template <FutureRange Range>
    AsCompleted(Range&& futures, detail::Deadline deadline) : AsCompleted(deadline) {
        for (auto&& future : futures) { add(future_in(future)); }
    }

    /// A std::input_iterator whose ++ blocks until the next future is ready. Throws: as begin().
    class Iterator {
    public:
        /// \{
        /// As std::input_iterator says.
        using value_type = std::size_t;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;

        Iterator() noexcept = default;
        explicit Iterator(AsCompleted& of) noexcept : of_(&of) {}
        [[nodiscard]] std::size_t operator*() const noexcept { return of_->current(); }
        Iterator& operator++() {
            of_->advance();
            return *this;
        }
        void operator++(int) { of_->advance(); }
        [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return of_->is_at_end(); }
        /// \}

    private:
        AsCompleted* of_ = nullptr;
    };

    /// Blocks until a future is ready. Throws: WaitTimedOut when the time is over and none is; begin() may be called
    /// again after that.
    [[nodiscard]] Iterator begin() {
        find();
        return Iterator{*this};
    }
    /// Reached when all positions have been given.
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    explicit AsCompleted(detail::Deadline deadline);

    struct State;
    struct Delete {
        void operator()(State* state) const noexcept;
    };

    void add(const FutureBase& future);
    [[nodiscard]] std::size_t current() const noexcept;
    [[nodiscard]] bool is_at_end() const noexcept;
    void advance();
    void find();

    std::unique_ptr<State, Delete> state_;
};

static_assert(std::ranges::input_range<AsCompleted>);

/// Returns: a range of the positions of all futures, in the order in which they become ready; those that are ready now
/// come first. A future that is in the range twice comes twice. Throws: std::future_error when one is invalid;
/// SharedMemoryExhausted.
template <FutureRange Range>
[[nodiscard]] AsCompleted as_completed(Range&& futures) {
    return AsCompleted{futures, detail::Deadline::never()};
}
/// As above, with a timeout that begins now. When it is over, the range gives all futures that are ready, and then its
/// ++ or begin() throws WaitTimedOut. The futures stay valid, and the range can be asked again: it finds what has
/// become ready, without waiting.
template <FutureRange Range, class Rep, class Period>
[[nodiscard]] AsCompleted as_completed(Range&& futures, std::chrono::duration<Rep, Period> timeout) {
    return AsCompleted{futures, detail::Deadline::after(timeout)};
}

/// Blocks until a future is ready. Returns: its position. as_completed() costs less than one call of this for each
/// future. Throws: std::invalid_argument when the range is empty; as as_completed().
template <FutureRange Range>
[[nodiscard]] std::size_t wait_any(Range&& futures) {
    if constexpr (std::ranges::forward_range<Range>) {
        std::size_t position = 0;
        for (auto&& future : futures) {
            if (!future_in(future).valid()) { throw std::future_error(std::future_errc::no_state); }
            if (future_in(future).ready()) { return position; }
            ++position;
        }
    }
    AsCompleted completed{futures, detail::Deadline::never()};
    const auto first = completed.begin();
    if (first == std::default_sentinel) {
        throw std::invalid_argument("procpool: wait_any() needs a future to wait for");
    }
    return *first;
}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/future/wait.ipp>
#endif
