// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ByteQueue: a bounded queue of byte strings in shared memory, whose users may be killed at any instruction.

#include <procpool/channel/binder.hpp>
#include <procpool/channel/hands.hpp>
#include <procpool/channel/ring_memory.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/sync/robust_lock.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace procpool::inline v0 {

/// How large a Queue is; it keeps its size.
struct QueueOptions {
    /// The most items that it holds at a time; 1 to 2^28.
    std::size_t capacity = 1024;
    /// Memory for the items that it holds, in bytes, rounded up to a power of two of 4 KiB to 1 GiB; 0: 256 for each
    /// item of the capacity, 64 KiB to 16 MiB. Items of up to 52 bytes need none of it. Items larger than a quarter of
    /// it lie in an area of their own, of 64 MiB or four times as much as this (less where shared memory is scarce),
    /// whose pages are absent until they are used; no item may be larger than that area.
    std::size_t bytes = 0;
};

namespace detail::channel {

/// The threads at the other end for either side of a queue of a pipe; null where nobody watches. While that is dead and
/// there is nothing (no room) in the queue, get() (put()) gives up.
struct Peers {
    const Binder* of_getters = nullptr;
    const Binder* of_putters = nullptr;
};

/// Two robust locks, one for each side, and two words that count what has been put and taken. An item is put, or taken,
/// by the one step that moves a word on and wakes the sleeper of the other side; everything before it has no effect, so
/// that a death leaves nothing to repair: what lies in the queue and where there is room follows from the two words and
/// from the cells between them. The owner of a side's lock alone sleeps on the other side's word, the others at the
/// lock, where the kernel moves the next one up when the owner dies.
/// Called by: any thread of any process.
class ByteQueue {
public:
    enum class Result : std::uint8_t {
        done,
        late,      // the deadline has passed
        closed,    // and, for get(), drained
        deserted,  // the peer is dead, and, for get(), the queue is drained
    };
    /// Gives memory for so many bytes, for the next item.
    using Room = core::FunctionRef<std::span<std::byte>(std::size_t size)>;
    /// Gives the bytes of an item, by its number.
    using Items = core::FunctionRef<std::span<const std::byte>(std::size_t number)>;
    /// Of put_all(): what became of it, and how many items were put.
    struct Progress {
        Result result;
        std::size_t count;
    };

    /// what: the name of the type, for errors. Throws: std::logic_error where the object is not in shared memory,
    /// std::invalid_argument, SharedMemoryExhausted.
    ByteQueue(const QueueOptions& options, const char* what, bool counts_hands = true, Peers peers = {});
    ByteQueue(const ByteQueue&) = delete;
    ByteQueue& operator=(const ByteQueue&) = delete;
    /// Wakes all that wait, who throw std::logic_error. Does nothing in a forked child.
    ~ByteQueue();

    /// Throws: std::length_error when the item is too large for the queue; SharedMemoryExhausted; std::logic_error once
    /// the queue is destroyed. Nothing has changed then. Deadline::immediately(): does not wait.
    [[nodiscard]] Result put(std::span<const std::byte> item, Deadline deadline);
    /// Effects: puts so many items, next to each other; waits while there is no room for the next one. Throws: as
    /// put(); the first ones may have been put when the memory was exhausted or the queue destroyed.
    [[nodiscard]] Progress put_all(std::size_t count, Items items, Deadline deadline);
    /// Effects: takes the oldest item, and after it what else is there, up to `most`: calls room(size) for each, copies
    /// it there, and takes all together. When room() throws, they stay. Throws: as put(); as room().
    [[nodiscard]] Result get(Room room, Deadline deadline, std::size_t most = 1);
    /// Effects: waits until there is an item, or for get()'s other results. Takes nothing.
    [[nodiscard]] Result wait_for_item(Deadline deadline);
    /// Whether get() would return at once, and the peer's death counts. Throws: std::logic_error once it is destroyed.
    [[nodiscard]] bool is_ready() const;
    /// Effects: adds the words that change when is_ready() does: that of the queue, then that of the peer's life. Only
    /// for the queues of a pipe: those wake all that sleep, not their front alone. Returns: false when it may be ready.
    [[nodiscard]] bool watch(std::vector<os::FutexLook>& words);
    /// Effects: nothing can be put any more. A second time is harmless.
    void close() noexcept;

    [[nodiscard]] bool was_closed() const noexcept { return (tail_.load(std::memory_order_acquire) & closed) != 0; }
    [[nodiscard]] std::size_t was_size() const noexcept;
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    /// Throws: std::logic_error when as many items are done as have been put.
    void finish_item();
    /// Effects: waits until every item that was put is done or lost. Returns: false when the deadline came first.
    [[nodiscard]] bool join(Deadline deadline);
    /// Returns: how many items were taken by threads that ended before they called finish_item().
    [[nodiscard]] std::size_t lost();

    /// How an address in an item is seen by those that may take it.
    [[nodiscard]] codec::VisibilityOf visibility() const noexcept;

private:
    /// Of one item. Its bytes lie here, or in one of the areas, which end where it says after this item.
    struct alignas(cache_line) Cell {
        std::uint32_t size;
        std::uint32_t ends[2];
        std::byte bytes[52];
    };
    static_assert(sizeof(Cell) == cache_line);

    // A word: position 30 bits, closed, asleep. Its reader may sleep on it while it is as seen, with the bit asleep;
    // the bit is set by the compare-and-swap that confirms what was seen.
    static constexpr std::uint32_t asleep = 1;
    static constexpr std::uint32_t closed = 2;
    static constexpr std::uint32_t one = 4;
    static constexpr std::uint32_t most_capacity = std::uint32_t{1} << 28;
    /// Items that one step puts or takes: what the operand of a system call has room for.
    static constexpr std::uint32_t most_in_step = 256;
    [[nodiscard]] static std::uint32_t position_of(std::uint32_t word) noexcept { return word / one; }
    [[nodiscard]] static std::uint32_t distance(std::uint32_t from, std::uint32_t to) noexcept {
        return (to - from) & (UINT32_MAX / one);
    }

    static constexpr std::uint32_t small_area = 0;
    static constexpr std::uint32_t large_area = 1;
    static constexpr std::uint32_t in_cell = 2;
    [[nodiscard]] std::uint32_t area_of(std::size_t size) const noexcept {
        if (size <= sizeof Cell::bytes) { return in_cell; }
        return size <= areas_[small_area].size() / 4 ? small_area : large_area;
    }
    [[nodiscard]] Cell& cell(std::uint32_t position) const noexcept { return cells_[position & mask_]; }

    void allocate(std::size_t cells, std::uint32_t small, std::uint32_t large);
    void require_room_for(std::size_t size) const {
        if (size > areas_[large_area].size()) [[unlikely]] { refuse_size(size); }
    }
    [[noreturn]] void refuse_size(std::size_t size) const;
    void write(std::uint32_t position, std::span<const std::byte> item, const std::uint32_t* ends);
    /// Effects: takes the lock of a side, and completes what its last owner was at when it died.
    /// Returns: false when the deadline has passed. One that passes through it is waited for even then.
    [[nodiscard]] bool enter(sync::RobustLock& lock, Deadline deadline) {
        const sync::Locked locked = lock.try_lock();
        return locked == sync::Locked::yes || enter(lock, locked, deadline);
    }
    [[nodiscard]] bool enter(sync::RobustLock& lock, sync::Locked locked, Deadline deadline);
    [[nodiscard]] bool seems_stuck(const sync::RobustLock& lock, int look) const noexcept;
    [[nodiscard]] bool find_room(std::uint32_t position, std::uint32_t size, std::uint32_t* ends) const noexcept;
    [[nodiscard]] Result wait_for_room(std::uint32_t position, std::uint32_t size, std::uint32_t* ends,
                                       Deadline deadline);
    [[nodiscard]] Result wait_until_filled(std::uint32_t position, Deadline deadline);
    [[nodiscard]] static bool wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, const Binder* peer,
                                   Deadline deadline, FaultPoint point);
    void take(std::uint32_t position, std::uint32_t count);
    static void advance(std::atomic<std::uint32_t>& word, std::uint32_t count, std::uint32_t sleepers) noexcept;
    [[nodiscard]] Result result_of_closed() const;
    void settle_taking() noexcept;
    void settle_finishing() noexcept;
    void lock_finishing();
    /// Effects: leaves finish_lock_ held, and nothing to settle.
    void settle_both();
    void count_finished(bool is_last) noexcept;
    [[nodiscard]] static bool is_deserted(const Binder* peer) noexcept {
        return peer != nullptr && !peer->look().is_alive();
    }

    // Never changed
    shm::Heap* heap_ = nullptr;
    std::byte* memory_ = nullptr;
    std::size_t bytes_ = 0;
    Cell* cells_ = nullptr;
    std::uint32_t mask_ = 0;
    std::uint32_t capacity_ = 0;
    Peers peers_;
    bool counts_hands_;
    std::atomic<bool> destroyed_{false};
    // Of the producer that holds the lock; areas_ are read by others, too
    alignas(apart) sync::RobustLock put_lock_;
    std::uint32_t known_head_ = 0;  // as it was at some time
    RingMemory areas_[2];
    alignas(apart) std::atomic<std::uint32_t> tail_{0};
    // Of the consumer that holds the lock
    alignas(apart) sync::RobustLock get_lock_;
    std::uint32_t known_tail_ = 0;
    std::uint32_t taker_ = 0;   // its place in the table of hands
    std::uint32_t taking_ = 0;  // the position that it takes from, or took from last
    std::uint32_t taken_ = 0;   // how many
    alignas(apart) std::atomic<std::uint32_t> head_{0};
    // Of those that report items done
    alignas(apart) sync::RobustLock finish_lock_;
    std::uint32_t finisher_ = 0;
    std::uint32_t finishing_ = 0;
    alignas(apart) std::atomic<std::uint32_t> finished_{0};  // closed: destroyed
    Hands hands_;
};

/// Throws: QueueClosed.
[[noreturn]] void refuse_closed();
/// Throws: std::invalid_argument that says that there is no queue of that capacity.
[[noreturn]] void refuse_capacity(const std::string& capacity);

/// Returns: the number as a capacity. Throws: std::invalid_argument when it is negative.
template <std::integral Integer>
[[nodiscard]] std::size_t capacity_of(Integer number) {
    if constexpr (std::is_signed_v<Integer>) {
        if (number < 0) { refuse_capacity(std::to_string(static_cast<long long>(number))); }
    }
    return static_cast<std::size_t>(number);
}

}  // namespace detail::channel

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/channel/byte_queue.ipp>
#endif
