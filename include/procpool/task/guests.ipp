// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/task/guests.hpp>

#include <procpool/core/ending.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>

#include <bit>
#include <cstring>
#include <exception>

namespace procpool::inline v0::detail::task {

PROCPOOL_DECL std::uint32_t Guests::was_in_use() const noexcept {
    std::uint32_t in_use = 0;
    for (std::uint32_t i = 0; i < used(); ++i) {
        in_use += at_.guests[i].owner.load(std::memory_order_seq_cst) != 0 ? 1U : 0U;
    }
    return in_use;
}

/// In all stamps here. They name a process, which may outlive the thread, as its futures do: its number in the lower
/// half, and the place of the thread among sync::Members above it, 0 for none. While that thread lives, a look at the
/// place says that the process does.
inline constexpr sync::Stamp stamp_of_process = sync::Stamp{1} << 63;
inline constexpr int place_shift = 32;
/// In the stamp of a process that frees a detached task's slot, or finds it to be another's by now.
inline constexpr sync::Stamp sweeping = sync::Stamp{1} << 62;

PROCPOOL_DECL sync::Stamp Guests::own_stamp() noexcept {
    if (own_.stamp != sync::nobody && os::is_process(own_.process)) [[likely]] { return own_.stamp; }
    sync::Stamp place = 0;
    try {
        place = sync::Members::place_of(sync::Members::own());
    } catch (const std::exception&) {}  // others ask the system
    own_ = {os::process_token(),
            stamp_of_process | place << place_shift | static_cast<std::uint32_t>(os::this_process())};
    return own_.stamp;
}

PROCPOOL_DECL bool Guests::is_alive(sync::Stamp owner) noexcept {
    if ((owner & stamp_of_process) == 0) { return false; }  // detached, or a task has written there
    // A process that has the number of a dead one keeps a slot from being used; that is all.
    const auto pid = static_cast<std::int32_t>(owner);
    const auto place = static_cast<std::uint32_t>(owner >> place_shift) & 0xffff;
    if (sync::Members::is_of_process(place, pid)) { return true; }
    if (os::is_gone(pid)) { return false; }
    // Readable when all threads have ended, also while nobody has waited for it.
    const os::Descriptor process = os::open_pidfd(pid);
    return !process || !os::wait_readable(process.number(), Deadline::after(std::chrono::seconds{0}));
}

PROCPOOL_DECL std::atomic<std::uint32_t>& Guests::half_of(std::atomic<std::uint64_t>& word) noexcept {
    constexpr std::size_t low = std::endian::native == std::endian::little ? 0 : 1;
    return reinterpret_cast<std::atomic<std::uint32_t>*>(&word)[low];
}

PROCPOOL_DECL std::optional<std::uint32_t> Guests::take(sync::Stamp own, std::uint32_t near, std::uint64_t id,
                                                        core::FunctionRef<bool()> is_open) noexcept {
    // All boards that may lie here have their guests in the same place. acquire: read before the id.
    Guest* const guests = std::atomic_ref{at_.guests}.load(std::memory_order_acquire);
    const std::uint32_t count = std::atomic_ref{at_.count}.load(std::memory_order_acquire);
    const std::uint32_t first = std::atomic_ref{at_.first}.load(std::memory_order_acquire);
    if (this->id() != id) { return std::nullopt; }
    std::uint32_t at = near - first < count ? near - first : 0;
    for (std::uint32_t looked = 0; looked < count; ++looked, at = at + 1 == count ? 0 : at + 1) {
        std::atomic<std::uint64_t>& owner = guests[at].owner;
        if (owner.load(std::memory_order_seq_cst) != 0) { continue; }
        reach(FaultPoint::guest_taking);
        std::uint64_t nobody = 0;
        if (!owner.compare_exchange_strong(nobody, own, std::memory_order_seq_cst)) { continue; }
        reach(FaultPoint::guest_taken);
        if (!is_open()) {  // perhaps another board's slot: nothing else of it has been touched
            owner.compare_exchange_strong(own, 0, std::memory_order_seq_cst);
            return std::nullopt;
        }
        if (word_of(at_.first + at).generation() == 0) {  // which stands for none
            slot(at_.first + at).word.store(Word{}.with_generation(1).bits(), std::memory_order_relaxed);
        }
        std::uint32_t used = at_.words->used.load(std::memory_order_relaxed);
        // seq_cst: before the task is published, as Control::slots_used.
        while (used <= at && !at_.words->used.compare_exchange_weak(used, at + 1, std::memory_order_seq_cst)) {}
        return at_.first + at;
    }
    return std::nullopt;
}

PROCPOOL_DECL std::uint64_t Guests::stamp_of_arguments(std::uint32_t number) const noexcept {
    return Extents::stamp(number + at_.count, word_of(number).generation());
}

PROCPOOL_DECL std::span<std::byte> Guests::grow(Extents& memory, std::uint32_t number, std::span<std::byte> current,
                                                std::size_t used, std::size_t need) {
    Guest& guest = this->guest(number);
    if (need <= at_.window_size) {
        std::byte* const window = at_.windows + std::size_t{number - at_.first} * at_.window_size;
        const std::size_t ready = std::min(guest.touched * os::page_size, at_.window_size);
        const std::size_t wanted = std::max(ready, std::bit_ceil(round_up(need, os::page_size)));
        if (wanted > ready) {
            memory.budget().charge(window + ready, wanted - ready);
            guest.touched = static_cast<std::uint8_t>(wanted / os::page_size);
        }
        if (current.data() != window) { std::memcpy(window, current.data(), used); }
        return {window, wanted};
    }
    const bool was_large = current.size() > at_.window_size;
    guest.has_extents.store(true, std::memory_order_relaxed);  // first: its guest may die at any instruction
    const Extents::Run run =
        memory.acquire(was_large ? std::max(need, current.size() * 2) : need, stamp_of_arguments(number));
    std::memcpy(memory.address(run), current.data(), used);
    const std::uint64_t before =
        guest.run.exchange((std::uint64_t{run.count} << 32) | run.first, std::memory_order_relaxed);
    const Extents::Run old{static_cast<std::uint32_t>(before), static_cast<std::uint32_t>(before >> 32)};
    if (was_large && memory.is_of(old, number + at_.count)) { memory.release(old); }
    return {memory.address(run), run.count * Extents::extent_size};
}

PROCPOOL_DECL void Guests::release_arguments(Extents& memory, std::uint32_t number, bool is_dead) noexcept {
    Guest& guest = this->guest(number);
    if (!guest.has_extents.load(std::memory_order_relaxed)) { return; }
    const std::uint64_t held = guest.run.exchange(0, std::memory_order_relaxed);
    const Extents::Run run{static_cast<std::uint32_t>(held), static_cast<std::uint32_t>(held >> 32)};
    if (is_dead) {  // perhaps before it noted them; the table is long
        memory.release_all_of(stamp_of_arguments(number));
    } else if (memory.is_of(run, number + at_.count)) {
        memory.release(run);
    }
    guest.has_extents.store(false, std::memory_order_relaxed);
}

PROCPOOL_DECL Offer Guests::publish(std::uint32_t number) noexcept {
    const std::uint32_t generation = word_of(number).generation();
    guest(number).issue.generation.store(generation, std::memory_order_relaxed);
    reach(FaultPoint::guest_filled);
    slot(number).word.store(Word::pending(generation, false).bits(), std::memory_order_release);
    reach(FaultPoint::guest_pending);
    return {number, generation};
}

PROCPOOL_DECL bool Guests::is_good(Offer in_ring) const noexcept {
    if (in_ring.slot >= at_.count) { return false; }
    const Word word = word_of(at_.first + in_ring.slot);
    return word.phase() == Phase::pending && word.generation() == in_ring.generation;
}

PROCPOOL_DECL std::uint64_t Guests::tail() const noexcept {
    const std::uint64_t head = at_.ring->head();
    const std::uint64_t hint = at_.words->tail.load(std::memory_order_relaxed);
    std::uint64_t position = hint - head <= at_.ring->capacity() ? hint : head;
    while (at_.ring->at(position)) { ++position; }
    return position;
}

PROCPOOL_DECL void Guests::raise_tail(std::uint64_t position) noexcept {
    // relaxed: a hint. It may be behind, and one that a task has overwritten is not used.
    std::uint64_t seen = at_.words->tail.load(std::memory_order_relaxed);
    while (static_cast<std::int64_t>(position - seen) > 0 &&
           !at_.words->tail.compare_exchange_weak(seen, position, std::memory_order_relaxed)) {}
}

PROCPOOL_DECL bool Guests::push_within(std::uint64_t room, Offer in_ring) noexcept {
    for (std::uint64_t position = tail();; ++position) {
        const std::uint64_t head = at_.ring->head();
        if (static_cast<std::int64_t>(position - head) < 0) { position = head; }
        if (position - head >= room) { return false; }
        if (at_.ring->try_push_at(position, in_ring)) {
            raise_tail(position + 1);
            return true;
        }
    }
}

/// Tasks that their own guests have run, and cancelled ones, leave offers behind, which workers drop at the head. A
/// good one there may stay for long: it is copied to the end first, so that a death here hides none.
PROCPOOL_DECL void Guests::drop_stale_offers() noexcept {
    const std::uint64_t end = tail();
    for (std::uint64_t position = at_.ring->head(); static_cast<std::int64_t>(end - position) > 0;
         position = at_.ring->head()) {
        const std::optional<Offer> offer = at_.ring->at(position);
        if (!offer || (is_good(*offer) && (at_.open_to_all || !push_within(at_.ring->capacity(), *offer)))) { return; }
        at_.ring->advance_past(position);
    }
}

/// Behind a task that waits for long there may be any number of cancelled ones. Where no good offer follows a stale
/// one, the order is kept if the new one takes its place. Returns: whether it did.
PROCPOOL_DECL bool Guests::replace_stale_offer(Offer in_ring) noexcept {
    const std::uint64_t head = at_.ring->head();
    std::uint64_t position = tail();
    std::optional<Offer> stale;
    while (position > head + 1) {
        const std::optional<Offer> before = at_.ring->at(position - 1);
        if (!before || is_good(*before)) { break; }
        stale = before;
        --position;
    }
    // Not at the head: a worker may be about to pass it over.
    return stale && at_.ring->try_replace_at(position, *stale, in_ring) && at_.ring->head() < position;
}

PROCPOOL_DECL bool Guests::push(Offer offer) noexcept {
    const Offer in_ring{offer.slot - at_.first, offer.generation};
    // As many as are pending, and some that are not: so the looks at those are short.
    const std::uint64_t usual = 2 * std::uint64_t{at_.count};
    if (push_within(usual, in_ring)) { return true; }
    drop_stale_offers();
    if (push_within(usual, in_ring)) { return true; }
    return at_.open_to_all && (replace_stale_offer(in_ring) || push_within(at_.ring->capacity(), in_ring));
}

PROCPOOL_DECL bool Guests::is_offered(Offer offer) const noexcept {
    std::uint64_t position = at_.ring->head();
    for (std::uint64_t looked = 0; looked < at_.ring->capacity(); ++looked, ++position) {
        const std::optional<Offer> in_ring = at_.ring->at(position);
        if (!in_ring) { return false; }
        if (in_ring->slot == offer.slot - at_.first && in_ring->generation == offer.generation) { return true; }
    }
    return true;
}

PROCPOOL_DECL std::optional<Offer> Guests::first_pending() noexcept {
    for (;;) {
        const std::uint64_t position = at_.ring->head();
        const std::optional<Offer> in_ring = at_.ring->at(position);
        if (!in_ring && at_.ring->head() == position) { return std::nullopt; }
        if (!in_ring) { continue; }
        if (is_good(*in_ring)) { return Offer{at_.first + in_ring->slot, in_ring->generation}; }
        at_.ring->advance_past(position);
    }
}

[[gnu::cold]] PROCPOOL_DECL void Guests::change_room() noexcept {
    // Takes the bit away, and counts. If two do, the bit stays, which costs a system call.
    os::change_and_wake(at_.words->room, os::Change::add, os::Operand{1});
}

PROCPOOL_DECL void Guests::free(ResultStore& results, std::uint32_t number, bool is_dead) noexcept {
    Slot& slot = this->slot(number);
    const Word word = word_of(number);
    release_arguments(results.extents(), number, is_dead);
    if (word.phase() == Phase::lost) {
        results.release_after_death(number, word.generation());
    } else if (word.phase() != Phase::free) {
        results.release(number);
        slot.has_extents = false;
    }
    // The next task's generation, also for what is taken before that is published.
    const std::uint32_t next = word.generation() + 1 != 0 ? word.generation() + 1 : 1;
    slot.word.store(Word{}.with_generation(next).bits(), std::memory_order_release);
    // seq_cst: before the look for those that wait; they register before they look at the owners.
    guest(number).owner.store(0, std::memory_order_seq_cst);
    wake_for_room();
}

PROCPOOL_DECL void Guests::count_if_failed(std::uint32_t number) noexcept {
    const Guest& guest = this->guest(number);
    if (!guest.is_observed.load(std::memory_order_relaxed) &&
        core::is_failure(slot(number).ending(word_of(number).phase()))) {
        count_unobserved();
    }
}

PROCPOOL_DECL void Guests::detach(ResultStore& results, std::uint32_t number, bool observed) noexcept {
    Guest& guest = this->guest(number);
    guest.is_observed.store(observed, std::memory_order_relaxed);
    if (word_of(number).finished()) {
        count_if_failed(number);
        return give_back(results, number);
    }
    const std::uint32_t generation = word_of(number).generation();
    guest.sleeper.store(Guest::nobody, std::memory_order_relaxed);  // released by the flag
    // release: to whoever frees the slot, perhaps before the flag is set.
    guest.owner.store(detached, std::memory_order_release);
    std::uint64_t bits = slot(number).word.load(std::memory_order_acquire);
    for (;;) {
        const Word word{bits};
        if (word.generation() != generation) { return; }
        if (word.finished()) { return free_detached(results, number); }
        if (word.is_finishing()) {  // its worker wakes those that slept, and nobody else
            at_.words->detached.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        if (slot(number).word.compare_exchange_weak(bits, word.with_flag(Word::parked_bit).bits(),
                                                    std::memory_order_seq_cst)) {
            return;
        }
    }
}

PROCPOOL_DECL void Guests::free_detached(ResultStore& results, std::uint32_t number) noexcept {
    std::uint64_t of = detached;
    if (!guest(number).owner.compare_exchange_strong(of, own_stamp() | sweeping, std::memory_order_acq_rel)) { return; }
    if (word_of(number).finished()) {
        count_if_failed(number);
        free(results, number, false);
    } else {  // another task by now, which its guest has detached too
        guest(number).owner.store(detached, std::memory_order_release);
    }
}

PROCPOOL_DECL bool Guests::sweep_one(ResultStore& results, std::uint32_t number, sync::Stamp own) noexcept {
    std::atomic<std::uint64_t>& owner = guest(number).owner;
    std::uint64_t of = owner.load(std::memory_order_acquire);
    if (of == 0 || (of & ~sweeping) == own) { return false; }
    const bool is_read_by_nobody = of == detached || (of & sweeping) != 0;
    const Word seen = word_of(number);
    if (is_read_by_nobody ? !seen.finished() : seen.phase() == Phase::started) { return false; }
    if (of != detached && is_alive(of & ~sweeping)) { return false; }
    reach(FaultPoint::guest_found);
    // Owned before it is touched: of several that sweep, one does; if that one dies, others do.
    if (!owner.compare_exchange_strong(of, is_read_by_nobody ? own | sweeping : own, std::memory_order_acq_rel)) {
        return false;
    }
    reach(FaultPoint::guest_taken_over);
    if (is_read_by_nobody && !word_of(number).finished()) {  // another task by now, which its guest has detached too
        owner.store(detached, std::memory_order_release);
        return false;
    }
    for (Word word = word_of(number); word.phase() == Phase::pending || word.phase() == Phase::started;
         word = word_of(number)) {
        if (word.phase() == Phase::started) {  // since that look
            owner.store(detached, std::memory_order_release);
            return false;
        }
        std::uint64_t bits = word.bits();
        if (slot(number).word.compare_exchange_strong(bits, word.with(Phase::cancelled).bits(),
                                                      std::memory_order_seq_cst)) {
            count_cancelled();
        }
    }
    if (is_read_by_nobody) { count_if_failed(number); }
    free(results, number, true);
    return true;
}

PROCPOOL_DECL bool Guests::sweep(ResultStore& results, sync::Stamp own) noexcept {
    bool any = false;
    at_.words->detached.store(0, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < used(); ++i) { any = sweep_one(results, at_.first + i, own) || any; }
    return any;
}

}  // namespace procpool::detail::task
