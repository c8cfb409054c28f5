// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Guests: tasks that any process of the program submits to a board, without the pool's parent: their slots and their
/// ring.

#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/sync/word.hpp>
#include <procpool/task/issue.hpp>
#include <procpool/task/ring.hpp>
#include <procpool/task/seat.hpp>
#include <procpool/task/slot.hpp>
#include <procpool/task/store.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Belongs to a guest's slot, besides the slot. All processes can write it, so that supervisor and parent believe
/// none of it. All-zero memory is a free one.
struct alignas(apart) Guest {
    static constexpr std::size_t pocket_bytes = 160;
    static constexpr std::uint32_t member = std::uint32_t{1} << 31;
    static constexpr std::uint32_t nobody = member;  // and a place that there is not: it is detached

    std::atomic<std::uint64_t> owner;    // 0: free; the stamp of the process that may change the rest; Guests::detached
    std::atomic<std::uint64_t> number;   // of the task: see Board::number_of()
    std::atomic<std::uint64_t> run;      // extents of the arguments: first 32 bits, count 32
    std::atomic<std::uint32_t> sleeper;  // the thread that parks until the task is decided, if one does: seat + 1 of a
                                         // worker, or `member` and a place among sync::Members
    std::atomic<bool> has_extents;       // some may have been taken for the arguments
    std::atomic<bool> is_observed;       // of a detached one: its failure counts as taken
    std::uint8_t touched;                // so many pages of the window have been counted
    Issue issue;
    std::array<std::byte, pocket_bytes> pocket;  // small arguments
};
static_assert(sizeof(Guest) == 2 * apart && std::is_trivially_destructible_v<Guest>,
              "four lines each, and no process destroys them");

/// The words of all guests of a board that they write. All-zero memory is the valid initial state.
struct GuestWords {
    std::atomic<std::uint64_t> tail;        // a position of the ring before which there is no free place: a hint
    std::atomic<std::uint64_t> numbers;     // of tasks so far
    std::atomic<std::uint64_t> cancelled;   // of those
    std::atomic<std::uint32_t> used;        // the first so many slots have been in use
    std::atomic<std::uint64_t> unobserved;  // so many failed whose results nobody has read, nor would
    std::atomic<std::uint32_t> detached;    // about so many tasks wait for a sweep
    std::atomic<std::uint32_t> room;        // changes when there may be room for those that sleep on it; sync::asleep
};

/// The guests' part of a board: a range of slots behind those of the parent, whose tasks are claimed, run, finished and
/// settled like any other. A slot is taken by its owner's stamp, filled, and pending; when it is decided, its owner
/// reads the result and makes it free. Nobody but the owner writes to it before it is pending and after it is decided,
/// unless the owner is dead or has detached the task: then anybody who finds no free slot, and the supervisor after
/// each death, makes it free. So the death of a guest costs its own tasks that have not started, and a slot only until
/// somebody needs it. A task is offered in one step, by a place of the ring; a death before leaves it pending where
/// nobody looks but who frees it.
///
/// An owner that waits sets `asleep` and sleeps on the word, or `parked` if it is a worker of this board, which may be
/// woken for other tasks too, or waits for several. The worker that finishes the task wakes it in the same step in the
/// first case, and notifies its parker afterwards in the second: when a worker dies, the supervisor notifies those of
/// all workers, and the others look again after a while. A detached task is `parked` too: the process that decides it
/// frees its slot.
/// The object itself lies where workers cannot write.
class Guests {
public:
    /// The owner of a task whose result nobody will read.
    static constexpr sync::Stamp detached = 1;
    /// Numbers of their tasks have this bit.
    static constexpr std::uint64_t number_bit = std::uint64_t{1} << 63;

    struct Places {
        Slot* first_slot;
        Guest* guests;
        std::byte* windows;  ///< for larger arguments
        std::size_t window_size;
        Ring* ring;
        GuestWords* words;
        std::uint32_t first;  ///< the number of the first slot on the board
        std::uint32_t count;
        std::uint64_t id;   ///< of the board: another one never has it, nor has memory that is none; not 0
        os::Token creator;  ///< the process that made it
        /// Guests are other processes than the workers too, whose tasks start in the order of their submission.
        bool open_to_all;
    };
    /// Memory order: the id comes last: guests that come late look for it after each step that could touch another
    /// board's slot.
    void attach(const Places& places) noexcept {
        at_ = places;
        id_.store(places.id, std::memory_order_release);
    }
    /// Workers that wait for a task of theirs, and may run others meanwhile.
    SeatSet helping;

    [[nodiscard]] std::uint32_t count() const noexcept { return at_.count; }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_.load(std::memory_order_seq_cst); }
    [[nodiscard]] os::Token creator() const noexcept { return at_.creator; }
    [[nodiscard]] bool are_open_to_all() const noexcept { return at_.open_to_all; }
    /// Returns: the number of another task. Called by: a guest.
    [[nodiscard]] std::uint64_t next_number() noexcept {
        return number_bit | (at_.words->numbers.fetch_add(1, std::memory_order_relaxed) + 1);
    }
    /// Whether the slot is a guest's.
    [[nodiscard]] bool hold(std::uint32_t slot) const noexcept { return slot - at_.first < at_.count; }
    /// Slots that have ever been in use, at most: begin() and as many.
    [[nodiscard]] std::uint32_t first() const noexcept { return at_.first; }
    [[nodiscard]] std::uint32_t used() const noexcept {
        return at_.count == 0 ? 0 : std::min(at_.words->used.load(std::memory_order_seq_cst), at_.count);
    }
    [[nodiscard]] Guest& guest(std::uint32_t slot) const noexcept { return at_.guests[slot - at_.first]; }
    /// How many tasks have been submitted, and how many of those cancelled.
    [[nodiscard]] std::uint64_t submitted() const noexcept {
        return at_.count == 0 ? 0 : at_.words->numbers.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t cancelled() const noexcept {
        return at_.count == 0 ? 0 : at_.words->cancelled.load(std::memory_order_relaxed);
    }
    /// Returns: the number of detached ones that failed.
    [[nodiscard]] std::uint64_t unobserved() const noexcept {
        return at_.count == 0 ? 0 : at_.words->unobserved.load(std::memory_order_relaxed);
    }
    /// How many slots were not free when looked at, one after the other.
    [[nodiscard]] std::uint32_t was_in_use() const noexcept;

    // ---- the guest. Called by: any thread of any process that has the board's memory

    /// Returns: the calling thread's mark of ownership, which is its process's.
    [[nodiscard]] static sync::Stamp own_stamp() noexcept;
    /// Whether a slot of that owner is still needed by it.
    [[nodiscard]] static bool is_alive(sync::Stamp owner) noexcept;

    /// Returns: a free slot, which is the caller's now; nothing when all are in use, or the board does not take tasks.
    /// near: where to look first. is_open: whether it is still the board with the `id`, and takes tasks. Memory order:
    /// seq_cst: the slot is taken before is_open() looks, and who uses the memory for another board looks at the slots
    /// when the board has ended: so the guest finds that it has ended, or that one finds the slot taken.
    [[nodiscard]] std::optional<std::uint32_t> take(sync::Stamp own, std::uint32_t near, std::uint64_t id,
                                                    core::FunctionRef<bool()> is_open) noexcept;

    /// The buffer that arguments are written to first.
    [[nodiscard]] std::span<std::byte> first_buffer(std::uint32_t slot) const noexcept { return guest(slot).pocket; }
    /// Returns: a buffer of at least `need` bytes that starts with the first `used` of `current`. memory: where large
    /// ones are. Throws: SharedMemoryExhausted.
    [[nodiscard]] std::span<std::byte> grow(Extents& memory, std::uint32_t slot, std::span<std::byte> current,
                                            std::size_t used, std::size_t need);

    /// Effects: makes the task pending, whose slot is filled. Returns: what to push.
    [[nodiscard]] Offer publish(std::uint32_t slot) noexcept;
    /// Effects: puts the offer of a pending task into the ring. Returns: false when there is no room for it now.
    [[nodiscard]] bool push(Offer offer) noexcept;
    /// Whether the ring, as workers read it, has the offer. Called by: a guest that has waited for a while.
    [[nodiscard]] bool is_offered(Offer offer) const noexcept;
    /// As Board::await_room(), for slots that become free.
    [[nodiscard]] std::uint32_t await_room() noexcept {
        return at_.words->room.fetch_or(sync::asleep, std::memory_order_seq_cst) | sync::asleep;
    }
    [[nodiscard]] const std::atomic<std::uint32_t>& room() const noexcept { return at_.words->room; }
    /// Effects: wakes those that sleep on room(). Called by: any process, after what it wakes them for; seq_cst.
    void wake_for_room() noexcept {
        if ((at_.words->room.load(std::memory_order_seq_cst) & sync::asleep) != 0) { change_room(); }
    }
    void count_unobserved() noexcept { at_.words->unobserved.fetch_add(1, std::memory_order_relaxed); }
    void count_cancelled() noexcept { at_.words->cancelled.fetch_add(1, std::memory_order_relaxed); }

    /// Effects: frees the slot. Requires: the caller owns it, and the task is not pending or started.
    void give_back(ResultStore& results, std::uint32_t slot) noexcept { free(results, slot, false); }
    /// Whether slots, and large results in them, wait for a sweep in numbers.
    [[nodiscard]] bool has_many_detached() const noexcept {
        constexpr std::uint32_t many = 32;
        return at_.words->detached.load(std::memory_order_relaxed) >= many;
    }
    /// Effects: the slot is freed when its task is decided, by the process that decides it, or by a sweep. observed: a
    /// failure of it is no unobserved one. Requires: the caller owns it.
    void detach(ResultStore& results, std::uint32_t slot, bool observed) noexcept;
    /// Effects: frees the slot of a detached task that is decided. Called by: the process that has decided it, or
    /// detached it.
    void free_detached(ResultStore& results, std::uint32_t slot) noexcept;

    /// Returns: the first offer in the ring of a task that is pending; nothing when there is none. Effects: removes
    /// offers before it that are not good any more. Memory order: seq_cst, see Ring::push(): a worker registers as a
    /// sleeper or helper before it looks.
    [[nodiscard]] std::optional<Offer> first_pending() noexcept;

    // ---- guests, and the supervisor

    /// Effects: frees the slots whose tasks nobody will read: those of dead guests, of which the pending ones are
    /// cancelled, and detached ones that are decided. Returns: whether there was any.
    bool sweep(ResultStore& results, sync::Stamp own) noexcept;

    /// The half of a word that its guest sleeps on.
    [[nodiscard]] static std::atomic<std::uint32_t>& half_of(std::atomic<std::uint64_t>& word) noexcept;

private:
    [[nodiscard]] Slot& slot(std::uint32_t number) const noexcept { return at_.first_slot[number]; }
    [[nodiscard]] Word word_of(std::uint32_t number) const noexcept {
        return Word{slot(number).word.load(std::memory_order_acquire)};
    }
    /// The owner of extents for arguments; no task's results have that.
    [[nodiscard]] std::uint64_t stamp_of_arguments(std::uint32_t slot) const noexcept;
    /// Whether the offer, as the ring has it, is of a task that is pending.
    [[nodiscard]] bool is_good(Offer in_ring) const noexcept;
    [[nodiscard]] std::uint64_t tail() const noexcept;
    void raise_tail(std::uint64_t position) noexcept;
    [[nodiscard]] bool push_within(std::uint64_t room, Offer in_ring) noexcept;
    void drop_stale_offers() noexcept;
    [[nodiscard]] bool replace_stale_offer(Offer in_ring) noexcept;
    void change_room() noexcept;

    struct Own {
        os::Token process;  // a forked child inherits the rest, but is another process
        sync::Stamp stamp;
    };
    static inline constinit thread_local Own own_{};  // to know it costs two system calls
    void release_arguments(Extents& memory, std::uint32_t slot, bool is_dead) noexcept;
    void free(ResultStore& results, std::uint32_t slot, bool is_dead) noexcept;
    void count_if_failed(std::uint32_t slot) noexcept;
    bool sweep_one(ResultStore& results, std::uint32_t slot, sync::Stamp own) noexcept;

    std::atomic<std::uint64_t> id_;
    Places at_;
};

static_assert(std::is_trivially_destructible_v<Guests>, "no process destroys what all share");

}  // namespace procpool::detail::task

#if PROCPOOL_BODIES
#include <procpool/task/guests.ipp>
#endif
