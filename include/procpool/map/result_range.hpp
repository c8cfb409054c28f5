// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ResultRange: results of a call over many items, as they come.

#include <procpool/core/deadline.hpp>
#include <procpool/map/outcome.hpp>

#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace procpool::inline v0 {

/// The result of the item at `index` of the input, counted from 0.
template <class T>
struct Indexed {
    std::size_t index;  ///< of the item
    T value;            ///< its result
};

namespace detail::map {

/// The source of a ResultRange.
template <class T>
class ResultSource {
public:
    ResultSource() = default;
    ResultSource(const ResultSource&) = delete;
    ResultSource& operator=(const ResultSource&) = delete;
    virtual ~ResultSource() = default;

    /// Returns: nothing when there are no more, or the deadline came first.
    [[nodiscard]] virtual std::optional<Outcome<T>> next(Deadline deadline) = 0;
    /// Whether there are no more.
    [[nodiscard]] virtual bool is_over() const noexcept = 0;

    std::optional<Outcome<T>> current;  ///< of the iterator
    bool begun = false;
};

}  // namespace detail::map

/// A move-only, single-pass std::ranges::input_range of T, which next() reads too. May outlive its pool. Destroying it
/// withdraws the items that have not started, and drops the results of the others. Called by: one thread at a time. In
/// a child that was forked with it, only the destructor.
template <class T>
class [[nodiscard]] ResultRange {
public:
    /// Called by: imap() and its relatives.
    explicit ResultRange(std::unique_ptr<detail::map::ResultSource<T>> source) noexcept : source_(std::move(source)) {}

    /// A std::input_iterator. Lifetime: no longer than the range.
    class iterator {
    public:
        /// \{
        /// As std::input_iterator says.
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        iterator() = default;
        explicit iterator(detail::map::ResultSource<T>* source) noexcept : source_(source) {}
        /// \}
        /// \{
        /// The result. Throws: the error of the item; ++ goes on with the next. An error of the input stands where its
        /// next item would have been.
        T& operator*() const { return source_->current->value(); }
        T* operator->() const { return &**this; }
        /// \}
        /// \{
        /// Blocks until the next result is there.
        iterator& operator++() {
            source_->current = source_->next(detail::Deadline::never());
            return *this;
        }
        void operator++(int) { ++*this; }
        /// \}
        /// Whether there are no more results.
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept {
            return !it.source_->current.has_value();
        }

    private:
        detail::map::ResultSource<T>* source_ = nullptr;
    };

    /// Blocks until the first result is there.
    [[nodiscard]] iterator begin() {
        if (!std::exchange(source_->begun, true)) { source_->current = source_->next(detail::Deadline::never()); }
        return iterator{source_.get()};
    }
    /// Reached when there are no more results.
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// Blocks until the next result is there. Returns: the result or its error; nothing once the range is over.
    [[nodiscard]] std::optional<Outcome<T>> next() { return source_->next(detail::Deadline::never()); }
    /// As next(), but also returns nothing when the time is over; is_over() tells the two apart. The time does not
    /// bound a slow input, which is not asked for another item when the time is over and items are under way.
    template <class Rep, class Period>
    [[nodiscard]] std::optional<Outcome<T>> next_for(std::chrono::duration<Rep, Period> timeout) {
        return source_->next(detail::Deadline::after(timeout));
    }
    /// Whether next() has come to the end, or would.
    [[nodiscard]] bool is_over() const noexcept { return source_->is_over(); }

private:
    std::unique_ptr<detail::map::ResultSource<T>> source_;
};

}  // namespace procpool
