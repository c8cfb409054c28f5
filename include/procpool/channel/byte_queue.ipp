// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/byte_queue.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/sync/placement.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace procpool::inline v0::detail::channel {

/// A put() that waits for room looks again after this time: the process that closed the queue may have died between
/// telling the producers to come and those that sleep.
inline constexpr std::chrono::milliseconds look_for_close{500};
/// A join() looks again after this time: nobody wakes it when a consumer dies.
inline constexpr std::chrono::milliseconds look_for_lost{100};

[[gnu::cold, noreturn]] inline void refuse_damaged() {
    throw CodecError("procpool: the bytes of an item in a queue have been overwritten");
}

[[gnu::cold]] PROCPOOL_DECL void refuse_closed() { throw QueueClosed{}; }

[[gnu::cold]] PROCPOOL_DECL void refuse_capacity(const std::string& capacity) {
    throw std::invalid_argument("procpool: a queue or pipe holds 1 to 268435456 items, not " + capacity);
}

PROCPOOL_DECL ByteQueue::ByteQueue(const QueueOptions& options, const char* what, bool counts_hands, Peers peers)
    : peers_(peers),
      counts_hands_(counts_hands) {
    sync::require_program_heap(this, what);
    if (options.capacity == 0 || options.capacity > most_capacity) {
        refuse_capacity(std::to_string(options.capacity));
    }
    constexpr std::size_t most_bytes = std::size_t{1} << 30;
    if (options.bytes > most_bytes) {
        throw std::invalid_argument("procpool: a queue has up to 1073741824 bytes for its items, not " +
                                    std::to_string(options.bytes));
    }
    const std::size_t bytes = options.bytes != 0 ? std::max<std::size_t>(options.bytes, 4096)
                                                 : std::clamp<std::size_t>(options.capacity * 256, 65536, 16 << 20);
    const auto small = static_cast<std::uint32_t>(std::bit_ceil(bytes));
    capacity_ = static_cast<std::uint32_t>(options.capacity);
    heap_ = &shm::Heap::of_this_process();
    // The address space of the heap is finite, so that many queues get less each.
    const auto wanted = std::clamp<std::size_t>(std::size_t{small} * 4, std::size_t{64} << 20, most_bytes);
    const auto large = std::bit_floor(std::clamp<std::size_t>(heap_->free_bytes() / 64, small, wanted));
    // A cell more than items, so that the one before the tail, which says where the areas end, is never written.
    allocate(std::bit_ceil(options.capacity + 1), small, static_cast<std::uint32_t>(large));
}

PROCPOOL_DECL void ByteQueue::allocate(std::size_t cells, std::uint32_t small, std::uint32_t large) {
    const std::size_t bytes_of_hands = counts_hands_ ? Hands::bytes : 0;
    const std::size_t bytes_of_cells = round_up(cells * sizeof(Cell), os::page_size);
    bytes_ = bytes_of_hands + bytes_of_cells + small + large;
    memory_ = static_cast<std::byte*>(heap_->reserve(bytes_));
    std::byte* const cells_begin = memory_ + bytes_of_hands;
    try {
        os::commit(cells_begin, bytes_of_cells);
    } catch (...) {
        heap_->deallocate(memory_, bytes_);
        throw;
    }
    hands_.use(memory_);
    cells_ = reinterpret_cast<Cell*>(cells_begin);
    mask_ = static_cast<std::uint32_t>(cells - 1);
    areas_[small_area] = RingMemory{cells_begin + bytes_of_cells, small};
    areas_[large_area] = RingMemory{cells_begin + bytes_of_cells + small, large};
}

PROCPOOL_DECL ByteQueue::~ByteQueue() {
    if (!heap_->is_mine()) { return; }
    destroyed_.store(true, std::memory_order_release);
    close();
    os::change_and_wake(finished_, os::Change::set_bits, os::Operand{closed});
    heap_->deallocate(memory_, bytes_);
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::result_of_closed() const {
    if (destroyed_.load(std::memory_order_acquire)) {
        throw std::logic_error("procpool: the queue was destroyed while it was still in use");
    }
    return Result::closed;
}

/// Effects: moves the word on by so many, and wakes those that sleep on it, in one step.
/// Memory order: release: with the acquire of the other side's look, what was written before is visible.
PROCPOOL_DECL void ByteQueue::advance(std::atomic<std::uint32_t>& word, std::uint32_t count,
                                      std::uint32_t sleepers) noexcept {
    static_assert(one * most_in_step < 2048, "so that it is an operand");
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    while ((seen & asleep) == 0) {
        if (word.compare_exchange_weak(seen, seen + one * count, std::memory_order_release,
                                       std::memory_order_relaxed)) {
            return;
        }
    }
    os::change_and_wake(word, os::Change::add, os::Operand{static_cast<std::int32_t>(one * count - asleep)}, sleepers);
}

/// Effects: sleeps while the word is as seen and the peer, if there is one, lives; may return early. Returns: false
/// when the deadline has passed. Called by: the owner of the lock of the side that waits.
PROCPOOL_DECL bool ByteQueue::wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, const Binder* peer,
                                   Deadline deadline, FaultPoint point) {
    if (deadline.passed()) { return false; }
    for (int round = 0; round < os::spin_rounds; ++round) {
        for (int look = 0; look < os::looks_per_round; ++look) {
            // relaxed: the caller looks again
            if (((word.load(std::memory_order_relaxed) ^ seen) & ~asleep) != 0) { return true; }
            relax();
        }
        os::yield();
    }
    // relaxed: both sides change the same word, so that one of them sees what the other has done.
    if ((seen & asleep) == 0 && !word.compare_exchange_strong(seen, seen | asleep, std::memory_order_relaxed)) {
        return true;
    }
    reach(point);
    const Deadline until = sync::slice(deadline, look_for_close);
    if (peer != nullptr) {
        const Binder::Look look = peer->look();
        if (look.is_alive()) { peer->wait(word, seen | asleep, look, until); }
    } else {
        os::futex_wait(word, seen | asleep, until);
    }
    return true;
}

/// Whether the owner of the lock keeps it because there is nothing to do on its side. A producer may wait for room for
/// the bytes of a large item; the bit that says so may be that of a former one.
PROCPOOL_DECL bool ByteQueue::seems_stuck(const sync::RobustLock& lock, int look) const noexcept {
    constexpr int enough = 20;
    if (&lock == &get_lock_) { return was_size() == 0; }
    return was_size() >= capacity_ || (look > enough && (head_.load(std::memory_order_relaxed) & asleep) != 0);
}

/// As in the header, after the first try.
PROCPOOL_DECL bool ByteQueue::enter(sync::RobustLock& lock, sync::Locked locked, Deadline deadline) {
    const bool waits = deadline.when() != Deadline::immediately().when();
    if (locked == sync::Locked::no && waits) { locked = lock.lock(deadline); }
    constexpr int most_looks = 1000;
    for (int look = 0; locked == sync::Locked::no; ++look) {
        if (look == most_looks || seems_stuck(lock, look)) { return false; }
        os::yield();
        locked = lock.try_lock();
    }
    if (locked == sync::Locked::own) {
        throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                                "procpool: a signal handler uses the queue that it has interrupted the use of");
    }
    if (locked == sync::Locked::owner_died) [[unlikely]] {
        if (&lock == &get_lock_) { settle_taking(); }
        lock.heal();
    }
    return true;
}

/// Effects: says where both areas end with an item of that size at that position. Returns: false when there is no room.
PROCPOOL_DECL bool ByteQueue::find_room(std::uint32_t position, std::uint32_t size,
                                        std::uint32_t* ends) const noexcept {
    if (distance(known_head_, position) >= capacity_) { return false; }
    const Cell& last = cell(position - 1);
    std::memcpy(ends, last.ends, sizeof last.ends);
    const std::uint32_t area = area_of(size);
    if (area == in_cell) { return true; }
    std::uint32_t& end = ends[area];
    if (position == known_head_) {  // the queue is empty
        end = areas_[area].next_start(end) + size;
        return true;
    }
    const Cell& first = cell(known_head_);
    const std::uint32_t begin_of_used = first.ends[area] - (area_of(first.size) == area ? first.size : 0);
    end += size;
    return end - begin_of_used <= areas_[area].size();
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::wait_for_room(std::uint32_t position, std::uint32_t size,
                                                         std::uint32_t* ends, Deadline deadline) {
    for (bool in_time = true;;) {
        // acquire: the consumers are done with the cells before it
        const std::uint32_t head = head_.load(std::memory_order_acquire);
        known_head_ = position_of(head);
        if (was_closed()) { return result_of_closed(); }
        if (find_room(position, size, ends)) { return Result::done; }
        if (is_deserted(peers_.of_putters)) { return Result::deserted; }
        if (!in_time) { return Result::late; }
        in_time = wait(head_, head, peers_.of_putters, deadline, FaultPoint::queue_putter_asleep);
    }
}

[[gnu::cold]] PROCPOOL_DECL void ByteQueue::refuse_size(std::size_t size) const {
    throw std::length_error("procpool: an item of " + std::to_string(size) +
                            " bytes is too large for a queue that has " + std::to_string(areas_[large_area].size()) +
                            " for its largest items: give it more by QueueOptions::bytes");
}

/// Effects: writes the item to its cell and its area, where both areas end as find_room() says.
PROCPOOL_DECL void ByteQueue::write(std::uint32_t position, std::span<const std::byte> item,
                                    const std::uint32_t* ends) {
    const auto size = static_cast<std::uint32_t>(item.size());
    const std::uint32_t area = area_of(size);
    if (area != in_cell) { areas_[area].prepare(ends[area] - size, size); }
    Cell& place = cell(position);
    place.size = size;
    std::memcpy(place.ends, ends, sizeof place.ends);
    reach(FaultPoint::queue_cell_written);
    if (area == in_cell) {
        if (size != 0) { std::memcpy(place.bytes, item.data(), size); }
    } else {
        const std::uint32_t half = size / 2;
        areas_[area].write(ends[area] - size, item.first(half));
        reach(FaultPoint::queue_bytes_half);
        areas_[area].write(ends[area] - size + half, item.subspan(half));
    }
    reach(FaultPoint::queue_bytes_written);
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::put(std::span<const std::byte> item, Deadline deadline) {
    return put_all(
               1, [&](std::size_t) { return item; }, deadline)
        .result;
}

PROCPOOL_DECL ByteQueue::Progress ByteQueue::put_all(std::size_t count, Items items, Deadline deadline) {
    if (count == 0) { return {was_closed() ? result_of_closed() : Result::done, 0}; }
    std::span<const std::byte> item = items(0);
    require_room_for(item.size());
    for (std::size_t i = 1; i < count; ++i) { require_room_for(items(i).size()); }
    if (!enter(put_lock_, deadline)) { return {was_closed() ? result_of_closed() : Result::late, 0}; }
    const sync::HeldLock held{put_lock_};
    const std::uint32_t word = tail_.load(std::memory_order_relaxed);  // written by owners of the lock
    if ((word & closed) != 0) { return {result_of_closed(), 0}; }
    if (is_deserted(peers_.of_putters)) { return {Result::deserted, 0}; }
    std::uint32_t position = position_of(word);
    std::size_t put = 0;
    std::uint32_t written = 0;  // cells behind the tail
    for (;;) {
        const auto size = static_cast<std::uint32_t>(item.size());
        std::uint32_t ends[2];
        bool has_room = find_room(position, size, ends);
        if (!has_room && written == 0) {
            const Result result = wait_for_room(position, size, ends, deadline);
            if (result != Result::done) { return {result, put}; }
            has_room = true;
        }
        if (has_room) {
            write(position, item, ends);
            position = (position + 1) & (UINT32_MAX / one);
            ++written;
        }
        const bool is_full = !has_room || written == most_in_step;
        if (has_room && put + written < count) { item = items(put + written); }
        if (!is_full && put + written < count) { continue; }
        advance(tail_, written, counts_hands_ ? 1 : os::everybody);  // of a pipe: see watch()
        reach(FaultPoint::queue_stepped);
        put += std::exchange(written, 0);
        if (put == count) { return {Result::done, put}; }
    }
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::wait_until_filled(std::uint32_t position, Deadline deadline) {
    for (bool in_time = true, was_drained = false, was_deserted = false;;) {
        const std::uint32_t tail = tail_.load(std::memory_order_acquire);  // the items before it are visible
        known_tail_ = position_of(tail);
        if (known_tail_ != position) { return Result::done; }
        if ((tail & closed) != 0) {
            if (was_drained) { return result_of_closed(); }
            // A producer that has not seen that may put an item yet: one more look when none has the lock.
            if (!enter(put_lock_, deadline)) { return Result::late; }
            put_lock_.unlock();
            was_drained = true;
            continue;
        }
        if (was_deserted) { return Result::deserted; }
        if (is_deserted(peers_.of_getters)) {
            was_deserted = true;  // one more look for what it put before it died
            continue;
        }
        if (!in_time) { return Result::late; }
        in_time = wait(tail_, tail, peers_.of_getters, deadline, FaultPoint::queue_getter_asleep);
    }
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::get(Room room, Deadline deadline, std::size_t most) {
    if (!enter(get_lock_, deadline)) { return Result::late; }
    const sync::HeldLock held{get_lock_};
    const std::uint32_t position = position_of(head_.load(std::memory_order_relaxed));
    if (known_tail_ == position) {
        const Result result = wait_until_filled(position, deadline);
        if (result != Result::done) { return result; }
    }
    if (most != 1) { known_tail_ = position_of(tail_.load(std::memory_order_acquire)); }
    const std::size_t there = std::min<std::size_t>(most, distance(position, known_tail_));
    std::uint32_t count = 0;
    bool is_damaged = false;
    while (count < there && !is_damaged) {
        // Read once: a task may write there wildly, and what it has written is refused.
        const Cell& place = cell(position + count);
        const std::uint32_t size = std::atomic_ref{cell(position + count).size}.load(std::memory_order_relaxed);
        const std::uint32_t area = area_of(size);
        is_damaged = area == large_area && size > areas_[large_area].size();
        if (is_damaged && count != 0) {  // the next caller is told
            is_damaged = false;
            break;
        }
        if (!is_damaged) {
            const std::span<std::byte> to = room(size);
            if (area != in_cell) {
                areas_[area].read(place.ends[area] - size, to);
            } else if (size != 0) {
                std::memcpy(to.data(), place.bytes, size);
            }
        }
        ++count;
    }
    reach(FaultPoint::queue_copied_out);
    take(position, count);
    if (is_damaged) { refuse_damaged(); }
    return Result::done;
}

/// Effects: takes so many items, and notes them in the hand of the calling thread.
PROCPOOL_DECL void ByteQueue::take(std::uint32_t position, std::uint32_t count) {
    const std::uint32_t own = counts_hands_ ? Hands::own_place() : 0;
    if (counts_hands_ && !hands_.is_own(own)) [[unlikely]] {
        lock_finishing();
        const sync::HeldLock held_too{finish_lock_};
        hands_.adopt(own);
    }
    while (count != 0) {
        const std::uint32_t step = std::min(count, most_in_step);
        if (counts_hands_) {
            taker_ = own;
            taking_ = position;
            taken_ = step;
            hands_.start_taking(own);
        }
        advance(head_, step, 1);
        reach(FaultPoint::queue_taken);
        if (counts_hands_) { hands_.end_taking(own, step); }
        position = (position + step) & (UINT32_MAX / one);
        count -= step;
    }
}

PROCPOOL_DECL ByteQueue::Result ByteQueue::wait_for_item(Deadline deadline) {
    if (was_size() != 0) { return Result::done; }
    if (!enter(get_lock_, deadline)) { return was_size() != 0 ? Result::done : Result::late; }
    const sync::HeldLock held{get_lock_};
    const std::uint32_t position = position_of(head_.load(std::memory_order_relaxed));
    return known_tail_ != position ? Result::done : wait_until_filled(position, deadline);
}

PROCPOOL_DECL bool ByteQueue::is_ready() const {
    if (was_size() != 0) { return true; }
    if (was_closed()) {
        static_cast<void>(result_of_closed());
        return true;
    }
    return is_deserted(peers_.of_getters);
}

PROCPOOL_DECL bool ByteQueue::watch(std::vector<os::FutexLook>& words) {
    std::uint32_t seen = tail_.load(std::memory_order_relaxed);
    if (is_ready()) { return false; }
    // relaxed: see wait()
    if ((seen & asleep) == 0 && !tail_.compare_exchange_strong(seen, seen | asleep, std::memory_order_relaxed)) {
        return false;
    }
    const std::optional<os::FutexLook> peer = peers_.of_getters->watch();
    if (!peer) { return false; }
    words.push_back({&tail_, seen | asleep});
    words.push_back(*peer);
    return true;
}

PROCPOOL_DECL void ByteQueue::close() noexcept {
    // Producers first: none that comes from now on sleeps, and consumers that see it have seen all that was put.
    os::change_and_wake(tail_, os::Change::set_bits, os::Operand{closed});
    reach(FaultPoint::queue_half_closed);
    os::change_and_wake(head_, os::Change::set_bits, os::Operand{closed});
}

PROCPOOL_DECL std::size_t ByteQueue::was_size() const noexcept {
    const std::uint32_t head = position_of(head_.load(std::memory_order_acquire));  // first: the tail is not behind it
    const std::uint32_t tail = position_of(tail_.load(std::memory_order_acquire));
    return std::min(distance(head, tail), capacity_);
}

PROCPOOL_DECL void ByteQueue::settle_taking() noexcept {
    if (!counts_hands_) { return; }
    // Since the lock's last owner died nobody has moved the head.
    const bool has_taken = position_of(head_.load(std::memory_order_relaxed)) != taking_;
    hands_.end_taking(taker_, has_taken ? taken_ : 0);
}

PROCPOOL_DECL void ByteQueue::settle_finishing() noexcept {
    hands_.end_finishing(finisher_, position_of(finished_.load(std::memory_order_relaxed)) != finishing_);
}

PROCPOOL_DECL void ByteQueue::lock_finishing() {
    if (finish_lock_.lock() == sync::Locked::owner_died) {
        settle_finishing();
        finish_lock_.heal();
    }
}

/// Effects: counts one item more, and wakes those that wait for the last one, in one step.
/// Memory order: release: what was done with the items is visible to a join() that returns.
PROCPOOL_DECL void ByteQueue::count_finished(bool is_last) noexcept {
    std::uint32_t seen = finished_.load(std::memory_order_relaxed);
    while (!is_last || (seen & asleep) == 0) {
        if (finished_.compare_exchange_weak(seen, seen + one, std::memory_order_acq_rel, std::memory_order_relaxed)) {
            return;
        }
    }
    os::change_and_wake(finished_, os::Change::add, os::Operand{one - asleep});
}

PROCPOOL_DECL void ByteQueue::finish_item() {
    const std::uint32_t own = Hands::own_place();
    lock_finishing();
    const sync::HeldLock held{finish_lock_};
    const std::uint32_t position = position_of(finished_.load(std::memory_order_relaxed));
    const std::uint32_t left = distance(position, position_of(tail_.load(std::memory_order_acquire)));
    if (left == 0) { throw std::logic_error("procpool: task_done() was called more often than items were put"); }
    if (!hands_.is_own(own) || !hands_.holds_any(own)) {
        throw std::logic_error("procpool: task_done() is called by the thread that took the item, once for each");
    }
    finisher_ = own;
    finishing_ = position;
    hands_.start_finishing(own);
    count_finished(left == 1);
    reach(FaultPoint::queue_item_done);
    hands_.end_finishing(own, true);
}

PROCPOOL_DECL void ByteQueue::settle_both() {
    // With the lock of either side, what a dead owner was at is completed. A living owner has done that.
    const sync::Locked locked = get_lock_.try_lock();
    if (locked == sync::Locked::owner_died) {
        settle_taking();
        get_lock_.heal();
    }
    if (locked != sync::Locked::no) { get_lock_.unlock(); }
    lock_finishing();
}

PROCPOOL_DECL std::size_t ByteQueue::lost() {
    settle_both();
    const sync::HeldLock held{finish_lock_};
    return static_cast<std::size_t>(hands_.lost());
}

PROCPOOL_DECL bool ByteQueue::join(Deadline deadline) {
    for (;;) {
        std::uint32_t seen = finished_.load(std::memory_order_relaxed);
        if ((seen & closed) != 0) { static_cast<void>(result_of_closed()); }
        std::uint32_t ended = 0;
        {
            settle_both();
            const sync::HeldLock held{finish_lock_};
            seen = finished_.load(std::memory_order_acquire);
            ended = position_of(seen) + static_cast<std::uint32_t>(hands_.lost());
        }
        // Looked at last: when it equals what has ended, that was so at this moment.
        const std::uint32_t left = distance(ended, position_of(tail_.load(std::memory_order_acquire)));
        if (left == 0) { return true; }
        if (deadline.passed()) { return false; }
        if ((seen & closed) != 0) { continue; }
        if ((seen & asleep) == 0 &&
            !finished_.compare_exchange_strong(seen, seen | asleep, std::memory_order_relaxed)) {
            continue;
        }
        os::futex_wait(finished_, seen | asleep, sync::slice(deadline, look_for_lost));
    }
}

PROCPOOL_DECL codec::Visibility visibility_for_children(const void* address) {
    if (!os::may_be_address(address)) { return codec::Visibility::everywhere; }
    if (shm::is_shared_with_children(address)) { return codec::Visibility::shared; }
    if (os::reservations.hold(address) || os::in_loaded_module(address)) { return codec::Visibility::everywhere; }
    return os::is_readable(address) ? codec::Visibility::this_process : codec::Visibility::everywhere;
}

/// As above, for a queue that this process has inherited: memory that it has made itself is not the others'.
PROCPOOL_DECL codec::Visibility visibility_for_family(const void* address) {
    const codec::Visibility visibility = visibility_for_children(address);
    return visibility == codec::Visibility::shared && !shm::is_shared_with_parent(address)
               ? codec::Visibility::this_process
               : visibility;
}

PROCPOOL_DECL codec::VisibilityOf ByteQueue::visibility() const noexcept {
    return heap_->is_mine() ? visibility_for_children : visibility_for_family;
}

}  // namespace procpool::detail::channel
