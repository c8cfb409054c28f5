// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Queue: a bounded queue between processes.

#include <procpool/channel/byte_queue.hpp>
#include <procpool/channel/item.hpp>
#include <procpool/channel/items.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

/// A bounded queue of values between any processes of the program and their threads, first in, first out; many may put
/// and get at a time. Lives in shared memory: Shared<Queue<Job>> jobs{100}; tasks capture or get jobs.get(). Values
/// travel by their Codec. A user that is killed at any instruction blocks no other, and takes with it the item that it
/// has in hand at most: none is torn, doubled or out of its producer's order.
template <class T>
class Queue {
    using Result = detail::channel::ByteQueue::Result;

public:
    using value_type = T;  ///< the type of the items

    /// Holds up to `capacity` items. Throws: std::invalid_argument unless that is 1 to 2^28; std::logic_error where the
    /// queue is not in shared memory; SharedMemoryExhausted.
    template <std::integral Integer>
    explicit Queue(Integer capacity) : Queue(QueueOptions{detail::channel::capacity_of(capacity), 0}) {}
    /// As above.
    explicit Queue(const QueueOptions& options = {}) : bytes_(options, "Queue") { detail::channel::require_item<T>(); }
    PROCPOOL_UNCOPIED(Queue, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a Queue is not copied: capture or pass its address")
    Queue& operator=(const Queue&) = delete;
    /// Those that still wait get std::logic_error.
    ~Queue() = default;

    /// \{
    /// Puts a copy of the value into the queue, and waits while there is no room: try_put() not at all, put_for() and
    /// put_until() for a time. Returns: false when there was no room in time. Throws: QueueClosed; the exceptions of
    /// the value's Codec, CodecError; std::length_error when it is larger than QueueOptions::bytes allow. The queue is
    /// as before then.
    void put(const T& value) { static_cast<void>(put_by(value, detail::Deadline::never())); }
    [[nodiscard]] bool try_put(const T& value) { return put_by(value, detail::Deadline::immediately()); }
    template <class Duration>
    [[nodiscard]] bool put_for(const T& value, const Duration& timeout) {
        return put_by(value, detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] bool put_until(const T& value, const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return put_by(value, deadline); });
    }
    /// \}

    /// Takes the oldest item, and waits while there is none. Throws: QueueClosed once the queue is closed and drained;
    /// the exceptions of the item's Codec, with which it is gone.
    [[nodiscard]] T get() {
        return detail::channel::get_decoded<T>(
            bytes_.visibility(), [&](auto room) { return bytes_.get(room, detail::Deadline::never()) == Result::done; },
            []() -> T { detail::channel::refuse_closed(); });
    }
    /// \{
    /// Takes the oldest item, and does not wait, or for a time. Returns: nothing when there was none in time, or the
    /// queue is closed and drained. Throws: the exceptions of the item's Codec, with which it is gone.
    [[nodiscard]] std::optional<T> try_get() { return get_by(detail::Deadline::immediately()); }
    template <class Duration>
    [[nodiscard]] std::optional<T> get_for(const Duration& timeout) {
        return get_by(detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] std::optional<T> get_until(const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return get_by(deadline); });
    }
    /// \}

    /// \{
    /// Puts copies of the values of a range into the queue, next to each other: one lock and one wake-up for many. They
    /// are encoded before the first is put. put_all() waits while there is no room, the others not at all, or for a
    /// time. Returns: how many were put; fewer than all when there was no room in time or, some being in, the queue was
    /// closed. Throws: as put(), with none put; put_all() throws QueueClosed unless all were put.
    template <std::ranges::input_range Range>
    requires std::convertible_to < std::ranges::range_reference_t<Range>,
    const T& > void put_all(Range&& values) {
        detail::channel::EncodedItems items{values, bytes_.visibility(), std::type_identity<T>{}};
        if (put_by(items, detail::Deadline::never()) != items.count()) { detail::channel::refuse_closed(); }
    }
    template <std::ranges::input_range Range>
    requires std::convertible_to < std::ranges::range_reference_t<Range>,
    const T& > [[nodiscard]] std::size_t try_put_all(Range&& values) {
        return put_by({values, bytes_.visibility(), std::type_identity<T>{}}, detail::Deadline::immediately());
    }
    template <std::ranges::input_range Range, class Duration>
    requires std::convertible_to < std::ranges::range_reference_t<Range>,
    const T& > [[nodiscard]] std::size_t put_all_for(Range&& values, const Duration& timeout) {
        return put_by({values, bytes_.visibility(), std::type_identity<T>{}}, detail::core::after(timeout));
    }
    template <std::ranges::input_range Range, class TimePoint>
    requires std::convertible_to < std::ranges::range_reference_t<Range>,
    const T& > [[nodiscard]] std::size_t put_all_until(Range&& values, const TimePoint& when) {
        const detail::channel::EncodedItems items{values, bytes_.visibility(), std::type_identity<T>{}};
        std::size_t count = 0;
        static_cast<void>(detail::core::until(when, [&](detail::Deadline deadline) {
            count += put_by(items, deadline, count);
            return count == items.count() || (count != 0 && was_closed());
        }));
        return count;
    }
    /// \}
    /// \{
    /// Takes the oldest items, up to `most`, by one lock: waits for the first, try_get_some() not at all,
    /// get_some_for() and get_some_until() for a time, and takes what else is there. Returns: the items; none when
    /// there was none in time, or the queue is closed and drained. Throws: the exceptions of an item's Codec, with
    /// which all of these are gone; get_some() QueueClosed, as get().
    [[nodiscard]] std::vector<T> get_some(std::size_t most) {
        std::vector<T> items = get_by(most, detail::Deadline::never());
        if (items.empty() && most != 0) { detail::channel::refuse_closed(); }
        return items;
    }
    [[nodiscard]] std::vector<T> try_get_some(std::size_t most) {
        return get_by(most, detail::Deadline::immediately());
    }
    template <class Duration>
    [[nodiscard]] std::vector<T> get_some_for(std::size_t most, const Duration& timeout) {
        return get_by(most, detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] std::vector<T> get_some_until(std::size_t most, const TimePoint& when) {
        std::vector<T> items;
        static_cast<void>(detail::core::until(when, [&](detail::Deadline deadline) {
            items = get_by(most, deadline);
            return !items.empty();
        }));
        return items;
    }
    /// \}

    /// Ends the queue: put() throws from now on, get() gives what is left and throws then, also in those that wait.
    void close() noexcept { bytes_.close(); }
    /// Whether it is closed.
    [[nodiscard]] bool was_closed() const noexcept { return bytes_.was_closed(); }
    /// The number of items at some moment.
    [[nodiscard]] std::size_t was_size() const noexcept { return bytes_.was_size(); }
    /// The most items that it holds at a time.
    [[nodiscard]] std::size_t capacity() const noexcept { return bytes_.capacity(); }

    /// Reports that an item is done, for join(). Called by: the thread that took the item, after its work: should the
    /// thread or its process end before, the item counts as lost. Throws: std::logic_error when the thread has taken
    /// none that it has not reported.
    void task_done() { bytes_.finish_item(); }
    /// Waits until every item that was put has been reported done, or is lost.
    void join() { static_cast<void>(bytes_.join(detail::Deadline::never())); }
    /// \{
    /// As join(), for a time. Returns: false when that was over first.
    template <class Duration>
    [[nodiscard]] bool join_for(const Duration& timeout) {
        return bytes_.join(detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] bool join_until(const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return bytes_.join(deadline); });
    }
    /// \}
    /// The number of items that went with a thread that took them and ended before it called task_done(). For queues
    /// whose consumers call that.
    [[nodiscard]] std::size_t lost() { return bytes_.lost(); }

    /// A std::input_iterator that takes items.
    class iterator {
    public:
        /// \{
        /// As std::input_iterator says.
        using value_type = T;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::input_iterator_tag;
        explicit iterator(Queue& queue) : queue_(&queue), item_(queue.get_by(detail::Deadline::never())) {}
        T& operator*() const { return *item_; }
        T* operator->() const { return &*item_; }
        iterator& operator++() {
            item_ = queue_->get_by(detail::Deadline::never());
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& it, std::default_sentinel_t) noexcept { return !it.item_; }
        /// \}

    private:
        Queue* queue_;
        mutable std::optional<T> item_;
    };
    /// \{
    /// for (Job& job : *jobs): takes items until the queue is closed and drained.
    [[nodiscard]] iterator begin() { return iterator{*this}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }
    /// \}

private:
    bool put_by(const T& value, detail::Deadline deadline) {
        const Result result = detail::channel::put_encoded(
            value, bytes_.visibility(), [&](std::span<const std::byte> item) { return bytes_.put(item, deadline); });
        if (result == Result::closed) { detail::channel::refuse_closed(); }
        return result == Result::done;
    }
    std::optional<T> get_by(detail::Deadline deadline) {
        return detail::channel::get_decoded<T, std::optional<T>>(
            bytes_.visibility(), [&](auto room) { return bytes_.get(room, deadline) == Result::done; },
            [] { return std::nullopt; });
    }

    std::size_t put_by(const detail::channel::EncodedItems& items, detail::Deadline deadline, std::size_t from = 0) {
        const auto [result, count] = bytes_.put_all(
            items.count() - from, [&](std::size_t number) { return items.item(from + number); }, deadline);
        if (result == Result::closed && count + from == 0) { detail::channel::refuse_closed(); }
        return count;
    }
    std::vector<T> get_by(std::size_t most, detail::Deadline deadline) {
        detail::channel::TakenItems items;
        std::vector<T> values;
        if (most == 0 ||
            bytes_.get([&](std::size_t size) { return items.add(size); }, deadline, most) != Result::done) {
            return values;
        }
        items.decode(values, bytes_.visibility());
        return values;
    }

    detail::channel::ByteQueue bytes_;
};

/// All that a queue refers to is shared.
template <class T>
inline constexpr bool enable_shared<Queue<T>> = true;

}  // namespace procpool
