// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <bit>
#include <utility>

namespace procpool::inline v0::detail::task {

PROCPOOL_DECL Board& Board::create(std::span<std::byte> region, BoardSize size) {
    std::size_t used = 0;
    const auto place = [&](std::size_t bytes, std::size_t alignment) {
        used = round_up(used, alignment);
        if (bytes > region.size() - std::min(used, region.size())) { throw SharedMemoryExhausted{used + bytes}; }
        return region.data() + std::exchange(used, used + bytes);
    };
    const auto words = [&](std::size_t count) {
        return reinterpret_cast<std::atomic<std::uint64_t>*>(place(count * 8, apart));
    };

    // All-zero memory is the valid initial state of everything below but the parkers, so construction touches almost
    // nothing.
    auto& board = *reinterpret_cast<Board*>(place(sizeof(Board), os::page_size));
    // First, so that they are in the same place on every board that uses this memory: see Guests::take().
    auto* const guests = reinterpret_cast<Guest*>(place(size.guests * sizeof(Guest), apart));
    const std::uint32_t sleepers = size.seats + (size.shrinks ? 1 : 0);
    board.sleeping.attach(words(SeatSet::words_for(sleepers)), sleepers);
    board.spinning.attach(words(SeatSet::words_for(size.seats)), size.seats);
    board.seats_ = reinterpret_cast<Seat*>(place(size.seats * sizeof(Seat), apart));
    const std::span parkers{reinterpret_cast<sync::Parker*>(place(size.parkers * sizeof(sync::Parker), apart)),
                            size.parkers};
    board.size_ = size;
    if (size.indices == 0) { board.size_.indices = size.indices = size.seats; }
    const std::uint32_t all_slots = size.slot_count + size.guests;
    // For all slots: a guest's word may say anything.
    auto* const marks = words(size.parkers * Waiters::words_for(all_slots));
    board.latencies_ = reinterpret_cast<Latencies*>(place(size.seats * sizeof(Latencies), apart));
    board.mailboxes_ = reinterpret_cast<Mailbox*>(place(size.indices * sizeof(Mailbox), apart));
    board.slots_ = reinterpret_cast<Slot*>(place(all_slots * sizeof(Slot), apart));
    board.labels_ = reinterpret_cast<TaskLabel*>(place(all_slots * sizeof(TaskLabel), apart));
    std::byte* const result_pockets = place(all_slots * ResultStore::pocket_bytes, apart);
    auto* const touched_results = reinterpret_cast<std::uint8_t*>(place(all_slots, apart));
    // Tasks of guests that keep their order stay in the ring until their turn comes, also when they were cancelled.
    const std::uint32_t guest_capacity = std::bit_ceil((size.open_to_all ? 64 : 4) * size.guests);
    auto* const guest_entries = words(guest_capacity);
    board.guests.helping.attach(words(SeatSet::words_for(size.seats)), size.seats);
    const std::uint32_t linked_slots =
        size.open_to_all ? 0 : size.slot_count;  // calls of actors do not depend on others
    board.queue.attach_ready(words(Queue::priorities * ReadySet::words_for(linked_slots)), linked_slots);
    board.links_ = reinterpret_cast<Links*>(place(linked_slots * sizeof(Links), apart));
    // A task may depend on all others. Pages that are not used cost nothing.
    constexpr std::uint32_t most_words = 512;
    board.more_words_ = std::min(most_words, Links::words_for(linked_slots)) - 1;
    board.more_missing_ = words(std::size_t{board.more_words_} * linked_slots);

    // From here on to the results: memory that only parent and supervisor write.
    std::byte* const guarded = place(0, os::page_size);
    auto* const elsewhere =
        reinterpret_cast<std::atomic<sync::Parker*>*>(place(size.parkers * sizeof(sync::Parker*), apart));
    board.waiters.attach(parkers, elsewhere, marks, all_slots);
    for (sync::Parker& parker : board.parkers()) {
        parker.reset();
    }  // those of the seats are reset when a worker gets one
    const std::uint32_t ring_capacity = std::bit_ceil(2 * size.slot_count);
    board.queue.attach(board.from_workers.queue, ring_capacity, [&](std::uint32_t) { return words(ring_capacity); });
    if (size.guests != 0) { board.queue.attach_guests(board.from_workers.queue, guest_entries, guest_capacity); }
    board.issues_ = reinterpret_cast<Issue*>(place(size.slot_count * sizeof(Issue), apart));
    board.sitters_ = reinterpret_cast<std::atomic<std::int32_t>*>(place(size.seats * sizeof(std::int32_t), apart));
    board.mail_ = reinterpret_cast<Ring*>(place(size.indices * sizeof(Ring), apart));
    for (std::uint32_t index = 0; index < size.indices; ++index) {
        board.mail_[index].attach(words(ring_capacity), board.mailboxes_[index].head(), ring_capacity);
    }
    std::byte* const argument_pockets = place(size.slot_count * ArgumentStore::pocket_bytes, apart);
    auto* const touched_arguments = reinterpret_cast<std::uint8_t*>(place(size.slot_count, apart));
    board.notes_ = place(std::size_t{size.notes} * size.slot_count, os::page_size);
    constexpr std::uint32_t edges_for_each = 64;  // pages that are not used cost nothing
    board.edge_count_ = edges_for_each * linked_slots;
    board.edges_ = reinterpret_cast<Edge*>(place(board.edge_count_ * sizeof(Edge), apart));

    // A quarter of what is left becomes windows, the rest extents; both halves alike.
    const std::size_t side = (region.size() - used) / 2;
    const std::size_t window = std::clamp(std::bit_floor(side / 4 / all_slots), os::page_size, std::size_t{64} << 10);
    const std::size_t windows = window * size.slot_count;
    const std::size_t guest_windows = window * size.guests;  // each for arguments, and for results
    const std::size_t rest = side - std::min(side, windows + 2 * guest_windows + 3 * os::page_size);
    const auto extents =
        static_cast<std::uint32_t>(std::min<std::size_t>(rest / (Extents::extent_size + 8), UINT32_MAX - 1));
    auto* const argument_words = words(extents);
    std::byte* const argument_windows = place(windows, os::page_size);
    board.arguments.attach(board.slots_, argument_pockets, argument_windows, window, touched_arguments);
    board.arguments.extents().attach(argument_words, place(extents * Extents::extent_size, os::page_size), extents,
                                     board.use_of_arguments_);
    board.argument_side_ = {guarded, static_cast<std::size_t>(region.data() + used - guarded)};
    auto* const result_words =
        reinterpret_cast<std::atomic<std::uint64_t>*>(place(extents * sizeof(std::uint64_t), os::page_size));
    std::byte* const result_windows = place(windows + guest_windows, os::page_size);
    std::byte* const guest_arguments = place(guest_windows, os::page_size);
    board.results.attach(board.slots_, result_pockets, result_windows, window, touched_results);
    board.results.extents().attach(result_words, place(extents * Extents::extent_size, os::page_size), extents,
                                   board.from_workers.use_of_results);
    board.guests.attach({board.slots_, guests, guest_arguments, window, &board.queue.ring(Queue::guests),
                         &board.from_workers.guests, size.slot_count, size.guests, size.id, os::process_token(),
                         size.open_to_all});

    const auto part = [&](const void* where, std::size_t count) {
        return BoardHead::Part{static_cast<std::uint64_t>(static_cast<const std::byte*>(where) - region.data()), count};
    };
    BoardHead& head = board.head;
    head.layout = layout_of_board();
    head.size = region.size();
    head.control = part(&board.control, 1);
    head.from_workers = part(&board.from_workers, 1);
    head.seats = part(board.seats_, size.seats);
    head.sitters = part(board.sitters_, size.seats);
    head.latencies = part(board.latencies_, size.seats);
    head.all_slots = part(board.slots_, all_slots);
    head.issues = part(board.issues_, size.slot_count);
    head.labels = part(board.labels_, all_slots);
    head.guests = part(guests, size.guests);
    head.notes = part(board.notes_, size.slot_count);
    head.note_size = size.notes;
    head.parents_slots = size.slot_count;
    head.workers_seats = board.workers_seats();
    head.built_at = Clock::now().time_since_epoch().count();
    head.built_tick = os::ticks();
    head.magic.store(BoardHead::right_magic, std::memory_order_release);
    return board;
}

PROCPOOL_DECL void Board::mend_queue() noexcept {
    for (std::uint32_t level = 0; level < Queue::levels; ++level) { static_cast<void>(queue.ring(level).mend()); }
    queue.mark_all_levels();
    for (std::uint32_t index = 0; index < all_places(); ++index) { static_cast<void>(mail_[index].mend()); }
    mark_all_mail();
}

PROCPOOL_DECL void Board::mark_all_mail() noexcept {
    for (std::uint32_t index = 0; index < all_places(); ++index) {
        if (mail_[index].tail() != 0) { mailboxes_[index].mark(); }
    }
}

PROCPOOL_DECL void Board::wake_for_mail(std::uint32_t index) noexcept {
    if (index >= control.places && size_.companion_seats != 0) {
        seats_[workers_seats()].stopper.notify();  // says which reason there is
        seats_[workers_seats()].parker.notify();
        return;
    }
    for (Seat& seat : seats()) {
        // One without an index may be getting this one.
        const std::uint32_t its = seat.index.load(std::memory_order_seq_cst);
        if (its == index || its >= control.places) { seat.parker.notify(); }
    }
}

PROCPOOL_DECL void Board::rouse_workers() noexcept {
    spinning.clear();
    for (Seat& seat : seats()) {
        seat.parker.rouse();
        seat.stopper.rouse();
    }
}

PROCPOOL_DECL bool Board::is_plausible(std::uint32_t slot, Word word) const noexcept {
    const bool has_seat =
        word.has_not_started() ? word.seat() == 0 : word.phase() != Phase::started || seat_of(word.seat()) != nullptr;
    return word.phase() > Phase::free && word.phase() <= Phase::taken && has_seat && is_of_issue(slot, word) &&
           (word.phase() != Phase::blocked || is_linked(slot));
}

PROCPOOL_DECL void Board::lose_overwritten(std::uint32_t slot) noexcept {
    std::uint64_t bits = slots_[slot].word.load(std::memory_order_seq_cst);
    if (is_overwritten(slot)) {
        const Word lost =
            Word::pending(issues_[slot].generation.load(std::memory_order_relaxed), true).with(Phase::lost);
        slots_[slot].loss.store(Ending::overwritten, std::memory_order_relaxed);
        control.casualties.fetch_add(
            1, std::memory_order_relaxed);  // first: a thread that learns of it from the word finds it counted
        if (!slots_[slot].word.compare_exchange_strong(bits, lost.bits(), std::memory_order_seq_cst)) {
            control.casualties.fetch_sub(1, std::memory_order_relaxed);
            return;
        }
        head.count_loss(Ending::overwritten);
        waiters.call_all();  // the set of its waiters may be overwritten too
        if (!guests.hold(slot)) {
            tell_dependants(slot, lost, nullptr);
            wake_for_ready();
        }
        notify_capacity_waiter();
    }
    issues_[slot].overwritten.store(0, std::memory_order_relaxed);
}

PROCPOOL_DECL std::span<std::byte> Board::constant_side() noexcept {
    auto* const begin = reinterpret_cast<std::byte*>(this);
    return {begin, static_cast<std::size_t>(reinterpret_cast<std::byte*>(&from_workers) - begin)};
}

PROCPOOL_DECL void Board::guard() noexcept {
    os::make_read_only(argument_side_.data(), argument_side_.size());
    os::make_read_only(constant_side().data(), constant_side().size());
}

PROCPOOL_DECL bool Board::is_overwritten(std::uint32_t slot) const noexcept {
    const Word word{slots_[slot].word.load(std::memory_order_seq_cst)};
    return is_marked(slot) &&
           (!is_plausible(slot, word) || word.phase() == Phase::pending || word.phase() == Phase::taken);
}

PROCPOOL_DECL bool Board::is_marked(std::uint32_t slot) const noexcept {
    const std::uint32_t marked = issues_[slot].overwritten.load(std::memory_order_seq_cst);
    return marked != 0 && marked == issues_[slot].generation.load(std::memory_order_relaxed);
}

PROCPOOL_DECL bool Board::has_mail() const noexcept {
    for (std::uint32_t index = 0; index < all_places(); ++index) {
        if (has_mail(index)) { return true; }
    }
    return false;
}

PROCPOOL_DECL bool Board::take_from_ring(Offer offer, std::uint32_t generation) noexcept {
    if (!change(offer.slot, offer.generation, Phase::pending,
                [&](Word word) { return word.with_generation(generation); })) {
        return false;
    }
    issues_[offer.slot].generation.store(generation, std::memory_order_relaxed);
    return true;
}

PROCPOOL_DECL void Board::wake_all() noexcept {
    for (std::uint32_t number = sleeping.take_one(); number != SeatSet::nobody; number = sleeping.take_one()) {
        notify(number);
    }
    if (const std::uint32_t spare = from_workers.spare.load(std::memory_order_seq_cst); spare != 0) {
        notify(spare - 1);
    }
    wake_retiree();
}

PROCPOOL_DECL void Board::wake_for_guest() noexcept {
    if (!spinning.was_empty()) { return; }
    // A worker that claims a task wakes the next one.
    if (notify(sitting_one_of(sleeping))) { return; }
    if (size_.shrinks && sleeping.remove(size_.seats)) { ring_supervisor(); }
    wake_helper();
}

[[gnu::noinline, gnu::cold]] PROCPOOL_DECL void Board::wake_next(std::uint32_t taken) noexcept {
    if (taken == size_.seats) { return ring_supervisor(); }  // there was no other sleeper
    wake_one();
}

PROCPOOL_DECL void Board::ring_supervisor() const noexcept {
    // A signal that it reads with those of its children; whoever else may have this number by now ignores it.
    if (const std::int32_t pid = control.supervisor_pid.load(std::memory_order_relaxed); pid > 0) {
        os::wake_watcher(pid);
    }
}

PROCPOOL_DECL std::uint32_t Board::waiting_tasks(std::uint32_t most) const noexcept {
    std::uint32_t found = 0;
    each_used([&](std::uint32_t slot) {
        const bool waits =
            found < most && Word{slots_[slot].word.load(std::memory_order_seq_cst)}.phase() == Phase::pending;
        if (waits && !slots_[slot].is_mailed()) { ++found; }
    });
    return found;
}

PROCPOOL_DECL void Board::wake_helper() noexcept {
    const std::uint32_t number = sitting_one_of(guests.helping);
    const Seat* const seat = seat_of(number);
    // relaxed: written before the seat was added to the set.
    const std::uint32_t place = seat != nullptr ? seat->helps_at.load(std::memory_order_relaxed) : 0;
    sync::Parker* const elsewhere = place != 0 ? sync::Members::parker_at(place) : nullptr;
    elsewhere != nullptr ? elsewhere->notify() : static_cast<void>(notify(number));
}

PROCPOOL_DECL void Board::notify_guest(std::uint32_t slot) noexcept {
    const std::uint32_t sleeper = guests.guest(slot).sleeper.load(std::memory_order_relaxed);
    if ((sleeper & Guest::member) == 0) {
        notify(sleeper - 1);
    } else if (sleeper == Guest::nobody) {
        guests.free_detached(results, slot);
    } else if (sync::Parker* const parker = sync::Members::parker_at(sleeper & ~Guest::member)) {
        parker->notify();
    }
}

[[gnu::noinline]] PROCPOOL_DECL void Board::notify_those_without_room() noexcept {
    const std::uint32_t waiting = from_workers.capacity_waiter.exchange(0, std::memory_order_acq_rel);
    const std::uint32_t waiter = (waiting & ~FromWorkers::guests_wait) - 1;
    if (waiter < size_.parkers) { parkers()[waiter].notify(); }
    if ((waiting & FromWorkers::guests_wait) != 0) { guests.wake_for_room(); }
}

PROCPOOL_DECL bool Board::push_guest(Offer offer) noexcept {
    if (!guests.push(offer)) { return false; }
    queue.mark(Queue::guests);
    reach(FaultPoint::guest_pushed);
    wake_for_guest();
    return true;
}

PROCPOOL_DECL void Board::publish_to(std::uint32_t index, Offer offer, bool waited) noexcept {
    make_pending(offer, Issue::mailed | index, waited);
    deliver(index, offer);
}

PROCPOOL_DECL bool Board::withdraw_guest(Offer offer) noexcept {
    const bool withdrawn = withdraw(offer.slot, offer.generation);
    if (withdrawn) { guests.count_cancelled(); }
    return withdrawn;
}

PROCPOOL_DECL std::optional<Claim> Board::claim_usual_or_guest(std::uint32_t seat) noexcept {
    // Each claim moves one of the two heads by one, so they take turns while both rings hold something.
    Ring& usual = queue.ring(Queue::usual);
    const bool guest_first = (usual.head() + queue.ring(Queue::guests).head()) % 2 == 0;
    std::optional<Claim> claimed = guest_first ? claim_guest(seat) : claim_from(usual, seat);
    if (!claimed) { claimed = guest_first ? claim_from(usual, seat) : claim_guest(seat); }
    return claimed;
}

PROCPOOL_DECL std::optional<Claim> Board::claim_guest(std::uint32_t seat) noexcept {
    while (const std::optional<Offer> offer = guests.first_pending()) {
        const std::optional<Claim> claimed = claim_offered(*offer, seat);
        if (!claimed) { continue; }
        // Removes this offer. A guest that has notified an idle worker before relies on it for its next task, although
        // the worker takes this one.
        if (guests.first_pending() && !guests.helping.was_empty()) { wake_helper(); }
        return claimed;
    }
    return std::nullopt;
}

PROCPOOL_DECL void Board::wake_guest(std::uint32_t slot, Word decided) noexcept {
    if (decided.is_slept_on()) { os::futex_wake(Guests::half_of(slots_[slot].word)); }
    if (decided.is_parked_for()) { notify_guest(slot); }
}

PROCPOOL_DECL void Board::wake_retiree() noexcept {
    if (const std::uint32_t retiree = from_workers.retiree.load(std::memory_order_seq_cst); retiree != 0) {
        notify(retiree - 1);
    }
}

[[gnu::noinline]] PROCPOOL_DECL std::optional<Claim> Board::claim_by_level(std::uint32_t in_use,
                                                                           std::uint32_t seat) noexcept {
    for (std::uint32_t level = 0; level < Queue::levels; ++level) {
        if ((in_use & Queue::bit(Queue::ready)) != 0 && level >= Queue::first_priority) {
            if (const std::optional<Claim> claimed = claim_ready(level, seat)) { return claimed; }
        }
        const bool look = level == Queue::usual || (in_use & Queue::bit(level)) != 0;
        if (!look) { continue; }
        if (level == Queue::usual && (in_use & Queue::bit(Queue::guests)) != 0) {
            if (const std::optional<Claim> claimed = claim_usual_or_guest(seat)) { return claimed; }
            if (!queue.mark_empty(Queue::guests)) { wake_for_new_task(); }
            continue;
        }
        if (const std::optional<Claim> claimed = claim_from(queue.ring(level), seat)) { return claimed; }
        if (level != Queue::usual && !queue.mark_empty(level)) { wake_for_new_task(); }
    }
    if ((in_use & Queue::bit(Queue::ready)) != 0 && !queue.mark_empty(Queue::ready)) { wake_for_new_task(); }
    return std::nullopt;
}

PROCPOOL_DECL std::optional<Claim> Board::claim_for_companion(std::uint32_t seat) noexcept {
    const std::uint32_t in_use = queue.was_in_use();
    for (std::uint32_t level = 0; level < Queue::levels; ++level) {
        if ((in_use & Queue::bit(Queue::ready)) != 0 && level >= Queue::first_priority) {
            if (const std::optional<Claim> claimed = claim_ready(level, seat)) { return claimed; }
        }
        if (level != Queue::usual && (in_use & Queue::bit(level)) == 0) { continue; }
        if (const std::optional<Claim> claimed = claim_from(queue.ring(level), seat)) { return claimed; }
    }
    return std::nullopt;
}

[[gnu::noinline]] PROCPOOL_DECL std::optional<Claim> Board::claim_mail(std::uint32_t index,
                                                                       std::uint32_t seat) noexcept {
    Mailbox& box = mailboxes_[index];
    if (const std::optional<Offer> again = box.look()) {
        const std::optional<Claim> claimed =
            again->slot < size_.slot_count ? claim_offered(*again, seat) : std::nullopt;
        box.remove(*again);
        if (claimed) { return claimed; }
    }
    if (const std::optional<Claim> claimed = claim_from(mail_[index], seat)) { return claimed; }
    reach(FaultPoint::mail_empty);
    box.clear_mark();
    reach(FaultPoint::mail_cleared);
    if (!mail_[index].was_empty()) { box.mark(); }  // and the caller looks again, before it sleeps
    return std::nullopt;
}

[[gnu::noinline]] PROCPOOL_DECL bool Board::finish_for_guest(std::uint32_t index, Word seen) noexcept {
    std::atomic<std::uint64_t>& word = slots_[index].word;
    constexpr std::uint64_t flags = Word::asleep_bit | Word::parked_bit | Word::finishing_bit;
    const std::uint32_t generation = seen.generation();
    for (;;) {
        if (seen.generation() != generation) { return true; }  // as finish()
        if (seen.phase() != Phase::started || seen.is_condemned()) { return false; }
        std::uint64_t bits = seen.bits();
        const bool sleeps = guests.hold(index) && seen.is_slept_on();
        // Orders: as finish(). From `finishing` on nobody else changes the word while the worker lives.
        const Word next = sleeps ? seen.with_flag(Word::finishing_bit) : seen.with(Phase::done).without_flags(flags);
        if (!word.compare_exchange_strong(bits, next.bits(), std::memory_order_seq_cst)) {
            seen = Word{bits};
            continue;
        }
        if (sleeps) {
            reach(FaultPoint::guest_finishing);
            const auto change = static_cast<std::int32_t>(Phase::done) - static_cast<std::int32_t>(Phase::started) -
                                static_cast<std::int32_t>(next.bits() & flags);
            os::change_and_wake(Guests::half_of(word), os::Change::add, os::Operand{change});
        }
        reach(FaultPoint::guest_done);
        if (guests.hold(index) && seen.is_parked_for()) { notify_guest(index); }
        announce(index, seen);
        return true;
    }
}

PROCPOOL_DECL void Board::request_stop(std::uint32_t slot, Word word, std::uint64_t number,
                                       std::uint64_t seen) noexcept {
    if (word.phase() != Phase::started) { return; }
    // seq_cst, and then another look at the word: the task may have gone to another seat, which looks at the request
    // once the word is its own, and may have looked before.
    slots_[slot].stop_request.compare_exchange_strong(seen, number, std::memory_order_seq_cst);
    for (;;) {
        if (Seat* const seat = seat_of(word.seat())) { seat->stopper.notify(); }
        const Word now{slots_[slot].word.load(std::memory_order_seq_cst)};
        const bool has_moved =
            now.phase() == Phase::started && now.generation() == word.generation() && now.seat() != word.seat();
        if (!has_moved) { return; }
        word = now;
    }
}

PROCPOOL_DECL bool Board::condemn(std::uint32_t slot, std::uint32_t generation, Ending verdict) noexcept {
    return change(slot, generation, Phase::started, [&](Word word) {
        if (word.is_finishing()) { return word; }
        const bool may = !word.is_condemned() || (word.verdict() != Ending::cancelled && verdict == Ending::cancelled);
        return may ? word.condemned(verdict) : word;
    });
}

PROCPOOL_DECL bool Board::requeue(std::uint32_t slot, Word started, std::uint32_t level) noexcept {
    const bool is_guests = guests.hold(slot);
    const std::uint32_t place = is_guests ? 0 : issues_[slot].place.load(std::memory_order_relaxed);
    const bool mailed = (place & Issue::mailed) != 0;
    if (!mailed && !is_guests && queue.ring(level).is_full()) { return false; }
    const Word pending = started.without_verdict().without_flags(Word::finishing_bit).with_seat(0).with(Phase::pending);
    std::uint64_t bits = started.bits();
    if (!slots_[slot].word.compare_exchange_strong(bits, pending.bits(), std::memory_order_seq_cst)) { return false; }
    const Offer again{slot, started.generation()};
    if (is_guests) {
        // Without room, its guest will offer it again; a wild write may have filled the ring.
        static_cast<void>(push_guest(again));
    } else if (mailed) {
        mailboxes_[place & ~Issue::mailed].put_back(again);
        wake_for_mail(place & ~Issue::mailed);
    } else {
        queue.push(level, again);
    }
    return true;
}

PROCPOOL_DECL bool Board::lose_started(std::uint32_t slot, Word started, Ending ending) noexcept {
    slots_[slot].loss.store(ending, std::memory_order_relaxed);
    std::uint64_t bits = started.bits();
    if (!slots_[slot].word.compare_exchange_strong(bits, started.with(Phase::lost).bits(), std::memory_order_seq_cst)) {
        return false;
    }
    head.count_loss(ending);
    announce(slot, started);
    if (guests.hold(slot)) { wake_guest(slot, started); }
    return true;
}

PROCPOOL_DECL bool Board::withdraw_started(std::uint32_t slot, Word started) noexcept {
    std::uint64_t bits = started.bits();
    const std::uint64_t cancelled = started.with(Phase::cancelled).bits();
    if (!slots_[slot].word.compare_exchange_strong(bits, cancelled, std::memory_order_seq_cst)) { return false; }
    announce(slot, started);
    return true;
}

PROCPOOL_DECL bool Board::lose(std::uint32_t slot, std::uint32_t generation, Ending ending) noexcept {
    if (lose_pending(slot, generation, ending)) { return true; }
    const bool lost = decide(slot, generation, Phase::started, Phase::lost);
    if (lost && !guests.hold(slot)) { head.count_loss(ending); }
    return lost;
}

PROCPOOL_DECL bool Board::lose_pending(std::uint32_t slot, std::uint32_t generation, Ending ending) noexcept {
    slots_[slot].loss.store(ending,
                            std::memory_order_relaxed);  // counts once the word says lost, which releases it
    const bool lost =
        decide(slot, generation, Phase::blocked, Phase::lost) || decide(slot, generation, Phase::pending, Phase::lost);
    if (lost && !guests.hold(slot)) { head.count_loss(ending); }  // a guest cannot write there
    return lost;
}

PROCPOOL_DECL void Board::lose_all_pending(Ending ending) noexcept {
    each_used([&](std::uint32_t i) {
        const Word word{slots_[i].word.load(std::memory_order_seq_cst)};
        if (word.has_not_started() && lose_pending(i, word.generation(), ending) && guests.hold(i)) {
            head.count_loss(ending);
        }
    });
}

PROCPOOL_DECL void Board::lose_all(Ending ending) noexcept {
    each_used([&](std::uint32_t i) {
        for (;;) {  // a submitter that has not looked at life yet may move it to the end of a ring meanwhile
            const Word word{slots_[i].word.load(std::memory_order_seq_cst)};
            if (!word.is_undecided()) { break; }
            if (!lose(i, word.generation(), ending)) { continue; }
            if (guests.hold(i)) { head.count_loss(ending); }
            break;
        }
    });
}

PROCPOOL_DECL void Board::mark_overwritten(std::uint32_t slot) noexcept {
    issues_[slot].overwritten.store(issues_[slot].generation.load(std::memory_order_relaxed),
                                    std::memory_order_seq_cst);
}

}  // namespace procpool::detail::task
