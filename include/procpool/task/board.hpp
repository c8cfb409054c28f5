// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Board: a pool's region of shared memory, and the steps of a task through it.

#include <procpool/core/config.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/sync/parker.hpp>
#include <procpool/task/actor_record.hpp>
#include <procpool/task/board_head.hpp>
#include <procpool/task/board_size.hpp>
#include <procpool/task/control.hpp>
#include <procpool/task/crashes.hpp>
#include <procpool/task/guests.hpp>
#include <procpool/task/issue.hpp>
#include <procpool/task/latencies.hpp>
#include <procpool/task/links.hpp>
#include <procpool/task/mailbox.hpp>
#include <procpool/task/queue.hpp>
#include <procpool/task/ring.hpp>
#include <procpool/task/seat.hpp>
#include <procpool/task/slot.hpp>
#include <procpool/task/store.hpp>
#include <procpool/task/waiters.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::task {

/// Lies at the start of its region, and its pointers point into the region and mean the same in every process of the
/// pool, since all of them inherited the mapping. Workers cannot write it, but for its last member: see guard(). So
/// parent, supervisor and companion rely on its pointers and sizes, on Control and on the rings, and check what else
/// they read. A companion, which runs no code of the user's, writes all of it.
class alignas(os::page_size) Board {
public:
    /// Returns: the board of a fresh mapping, or of other zeroed memory that begins a page. Throws:
    /// SharedMemoryExhausted when it is too small.
    [[nodiscard]] static Board& create(std::span<std::byte> region, BoardSize size);
    [[nodiscard]] static Board& create(const os::Mapping& region, BoardSize size) {
        return create(std::span{region.data(), region.size()}, size);
    }

    BoardHead head;
    Control control;
    SeatSet sleeping;  // seats whose worker waits in park(); the process that takes one out must notify it
    SeatSet
        spinning;  // seats whose worker looks for work without sleeping; it looks once more after it has left the set
    Queue queue;
    Waiters waiters;  // threads of the parent that wait for tasks
    ArgumentStore arguments;
    ResultStore results;
    Crashes crashes;  // of lost tasks; added by the supervisor
    Guests guests;
    ActorRecord actor;

    [[nodiscard]] std::span<Slot> all_slots() const noexcept { return {slots_, size_.slot_count + size_.guests}; }
    /// Those for tasks of the parent's. Used: likewise.
    [[nodiscard]] std::span<Slot> parents_slots() const noexcept { return {slots_, size_.slot_count}; }
    /// Of the parent's slots, those that have ever had a task: a look at all tasks touches no memory for the others.
    /// Memory order: seq_cst: a submitter adds a slot here before it publishes its first task and looks at what others
    /// have written (life, armed); a process that writes one of those and then looks here finds the task, or the
    /// submitter finds what was written.
    [[nodiscard]] std::span<Slot> used_slots() const noexcept {
        return {slots_, control.slots_used.load(std::memory_order_seq_cst)};
    }
    /// Calls look(slot) for the number of every slot that has ever had a task, guests' too. Memory order: as
    /// used_slots().
    template <class Look>
    void each_used(Look look) const {
        const auto used = static_cast<std::uint32_t>(used_slots().size());
        for (std::uint32_t slot = 0; slot < used; ++slot) { look(slot); }
        const std::uint32_t guest_slots = guests.used();
        for (std::uint32_t i = 0; i < guest_slots; ++i) { look(guests.first() + i); }
    }
    [[nodiscard]] TaskLabel& label(std::uint32_t slot) const noexcept { return labels_[slot]; }
    /// Empty when the task has none. Requires: the caller runs or settles the task in this slot.
    [[nodiscard]] std::string_view label_of(std::uint32_t slot) const noexcept {
        return slots_[slot].is_labelled() ? text_within(labels_[slot].text) : std::string_view{};
    }
    [[nodiscard]] std::span<Seat> seats() const noexcept { return {seats_, size_.seats}; }
    /// The seat that a word or another worker's note names; null when there is none of that number.
    [[nodiscard]] Seat* seat_of(std::uint32_t number) const noexcept {
        return number < size_.seats ? seats_ + number : nullptr;
    }
    /// The seats of worker processes; those behind them are a companion's.
    [[nodiscard]] std::uint32_t workers_seats() const noexcept { return size_.seats - size_.companion_seats; }
    [[nodiscard]] bool has_companion() const noexcept { return size_.companion_seats != 0; }
    [[nodiscard]] bool is_companions(std::uint32_t seat) const noexcept { return seat >= workers_seats(); }
    [[nodiscard]] Latencies& latencies(std::uint32_t seat) const noexcept { return latencies_[seat]; }
    /// Requires: the slot is the parent's.
    [[nodiscard]] Issue& issue(std::uint32_t slot) const noexcept { return issues_[slot]; }
    /// As above, of any slot. What a guest's says is not to be relied on.
    [[nodiscard]] Issue& issue_of(std::uint32_t slot) const noexcept {
        return guests.hold(slot) ? guests.guest(slot).issue : issues_[slot];
    }
    /// Every edge that there can be. Part of the argument side.
    [[nodiscard]] std::span<Edge> edges() const noexcept { return {edges_, edge_count_}; }
    /// How many dependencies a task can have that are in slots.
    [[nodiscard]] std::uint32_t most_dependencies() const noexcept { return (1 + more_words_) * Links::bits - 1; }
    /// The process on this seat, as the supervisor knows it: 0: the one that the seat names; `nobody`: no process that
    /// is not reaped. Workers cannot write it.
    [[nodiscard]] std::atomic<std::int32_t>& sitter(std::uint32_t seat) const noexcept { return sitters_[seat]; }
    static constexpr std::int32_t nobody = -1;
    [[nodiscard]] std::span<sync::Parker> parkers() const noexcept { return waiters.parkers(); }
    /// By worker index; those beyond all_places() stay empty.
    [[nodiscard]] std::span<Mailbox> mailboxes() const noexcept { return {mailboxes_, size_.indices}; }
    /// The order of the tasks for the worker of an index; on pages that workers cannot write.
    [[nodiscard]] Ring& mail(std::uint32_t index) const noexcept { return mail_[index]; }
    /// Whether there was a task for that worker, or a stale offer, a moment ago.
    [[nodiscard]] bool has_mail(std::uint32_t index) const noexcept {
        return !mail_[index].was_empty() || mailboxes_[index].look().has_value();
    }
    [[nodiscard]] bool has_mail() const noexcept;
    /// Returns: the number of workers that are wanted, those of other machines too: they have the indexes below this.
    /// Memory order: acquire, as the store of the process that has found them.
    [[nodiscard]] std::uint32_t all_workers() const noexcept {
        return control.workers.load(std::memory_order_relaxed) + control.remote_workers.load(std::memory_order_acquire);
    }
    /// Likewise, the most there may be.
    [[nodiscard]] std::uint32_t all_places() const noexcept {
        return control.places + control.remote_workers.load(std::memory_order_acquire);
    }
    /// Marks every mailbox whose ring ever held a task: a worker may have died when it had cleared the mark. Called by:
    /// parent, supervisor.
    void mark_all_mail() noexcept;
    /// BoardSize::notes for each slot: they cost memory only for slots in use. Part of the argument side.
    [[nodiscard]] std::byte* notes() const noexcept { return notes_; }
    /// The number of the task in a slot, which no other task of the pool ever has, where a generation comes back after
    /// 2^32 of them; 0 when there is none. Workers cannot write it. Requires, for an answer that stays true: the caller
    /// runs, settles or has taken the task. A guest's can be written by all. Memory order: release before the word says
    /// pending: a process that has seen that word finds the number of its task or of a later one.
    [[nodiscard]] std::atomic<std::uint64_t>& number_of(std::uint32_t slot) const noexcept {
        if (guests.hold(slot)) { return guests.guest(slot).number; }
        return *reinterpret_cast<std::atomic<std::uint64_t>*>(notes() + std::size_t{slot} * size_.notes);
    }
    /// The memory behind the board that only parent and supervisor write: arguments, the entries of the queue, what is
    /// known of the tasks.
    [[nodiscard]] std::span<std::byte> argument_side() const noexcept { return argument_side_; }
    /// The part of the board itself that only they write: all but its last member.
    [[nodiscard]] std::span<std::byte> constant_side() noexcept;
    /// Effects: this process cannot write what parent and supervisor rely on. Called by: worker, before it runs code of
    /// the user's.
    void guard() noexcept;

    /// Effects: offers a task whose code and arguments are written. Wakes no worker: see wake_for_new_task().
    /// Called by: parent, under its producers' mutex. waited: whether the slot's waiters must be called when the task
    /// is decided.
    [[gnu::always_inline]] void publish(Offer offer, std::uint32_t level, bool waited) noexcept {
        make_pending(offer, level, waited);
        queue.push(level, offer);
    }

    /// As publish(), for the worker of one index; then wake_for_mail(). Requires: its ring is not full.
    void publish_to(std::uint32_t index, Offer offer, bool waited) noexcept;
    /// Effects: offers a task that is pending to the worker of one index. Called by: parent, under its producers'
    /// mutex.
    void deliver(std::uint32_t index, Offer offer) noexcept {
        mail_[index].push(offer);
        mailboxes_[index].mark();
    }

    // ---- tasks that wait for others. A task that others depend on stays in its slot until all of them are settled

    /// Effects: publishes a task that waits for those that its edges name, and offers it as soon as they are decided.
    /// Wakes no worker: see wake_for_ready(). first_edge: see Edge; they hold all but `next`. Called by: parent, under
    /// its producers' mutex.
    void publish_blocked(Offer offer, std::uint32_t level, bool waited, std::uint32_t first_edge,
                         std::uint32_t dependencies) noexcept;
    /// Effects: as wake_for_new_task(), if there may be a task that has waited for others. In a pool that is closing,
    /// workers see whether they may leave: they stay as long as a task waits for others. Called by: a process that has
    /// decided a task, or made one wait, and does not look for one itself.
    void wake_for_ready() noexcept;
    /// Whether the task in this slot, which has waited for others and is decided, is in nobody's list any more. number:
    /// the low half of its number. Called by: parent, under its producers' mutex.
    [[nodiscard]] bool is_settled(std::uint32_t slot, std::uint32_t number) const noexcept;
    /// Effects: tells those that depend on tasks which a worker decided, as it may not have done; offers every task
    /// again that has waited for others and is pending. Called by: supervisor, when the worker is dead and its tasks
    /// are settled, or is stopped: it may go on with the same at any time.
    void release_for(std::uint32_t seat) noexcept;
    /// Whether the task in this slot has waited for others, or does.
    [[nodiscard]] bool is_linked(std::uint32_t slot) const noexcept {
        const std::uint32_t place = issues_[slot].place.load(std::memory_order_relaxed);
        return (place & (Issue::mailed | Issue::linked)) == Issue::linked;
    }
    /// Whether a task waits for others. Looks at all slots.
    [[nodiscard]] bool has_blocked() const noexcept;
    /// Whether all that a task waits for is decided: for long only where one has written. Called by: as is_settled().
    [[nodiscard]] bool is_forgotten(std::uint32_t slot) const noexcept;
    /// Effects: offers a forgotten task. Called by: as is_forgotten().
    void release_forgotten(std::uint32_t slot) noexcept;
    /// Effects: is_settled() says yes. Requires: that task is decided, and so is all that it depended on. Called by: as
    /// is_settled().
    void settle_forgotten(std::uint32_t slot, std::uint32_t number) noexcept;
    /// Effects: offers a pending task that has waited for others. Called by: any process.
    void offer_ready(std::uint32_t slot) noexcept;
    /// As claim_offered(), for a task that finish() has made ready.
    [[nodiscard]] std::optional<Claim> claim_made_ready(Offer offer, std::uint32_t seat) noexcept;
    /// Calls look(edge) for the edges of a task that has waited for others and is not settled, in the order of its
    /// arguments. The parent frees them meanwhile where it is: then those that are left are not looked at.
    template <class Look>
    void each_edge_of(std::uint32_t slot, Look look) const;
    /// Returns: a pending task that must run before the one in this slot; nothing: each has started.
    [[nodiscard]] std::optional<Offer> pending_before(std::uint32_t slot) const noexcept;

    /// Effects: gives a pending task another generation, which makes its ring entry stale. Returns: false
    /// when it is not pending with this generation. Called by: parent, under its producers' mutex.
    bool take_from_ring(Offer offer, std::uint32_t generation) noexcept;

    /// Effects: ensures that some worker will look at the ring. One system call for each worker that sleeps, none
    /// otherwise. Called by: the process that published a task or saw more work than it takes. A spinning worker looks
    /// by itself, and wakes the next.
    [[gnu::always_inline]] void wake_for_new_task() noexcept {
        if (spinning.was_empty()) { wake_one(); }
    }
    void wake_one() noexcept {
        const std::uint32_t number = sleeping.take_one();
        if (number == SeatSet::nobody) { return; }
        reach(FaultPoint::before_wake);
        if (!notify(number)) [[unlikely]] { wake_next(number); }
    }
    void wake_all() noexcept;
    void wake_retiree() noexcept;
    /// Effects: a process that finds no other sleeper for a task rings the supervisor, once. So it stands behind the
    /// last seat among the sleepers while workers are away. Called by: supervisor. Memory order: as a sleeper's: the
    /// supervisor looks at the queue afterwards.
    void await_demand() noexcept { sleeping.add(size_.seats); }
    void await_no_demand() noexcept { sleeping.remove(size_.seats); }
    [[nodiscard]] bool awaits_demand() const noexcept { return sleeping.contains(size_.seats); }
    /// Returns: how many tasks wait that any worker may run, counted up to `most`.
    [[nodiscard]] std::uint32_t waiting_tasks(std::uint32_t most) const noexcept;
    /// As wake_for_new_task(), for a task of a guest, which may die between any two steps: the worker stays in its set
    /// until it is awake.
    void wake_for_guest() noexcept;
    /// Effects: wakes a worker whose task waits, and which may run tasks of guests meanwhile.
    void wake_helper() noexcept;

    /// Effects: offers a pending task of a guest to all workers, and wakes one that is idle. Returns: false when there
    /// is no room for it now. Called by: its guest; supervisor.
    bool push_guest(Offer offer) noexcept;
    /// As withdraw(). Called by: its guest.
    bool withdraw_guest(Offer offer) noexcept;

    /// Effects: every worker that sleeps, or is about to, looks once more at what it keeps of calls. Notifies all
    /// seats, whether or not they are among the sleepers: a notification that was not needed costs one look.
    void wake_seats() noexcept {
        for (Seat& seat : seats()) { seat.parker.notify(); }
    }

    /// Effects: makes the worker of that index look at its mail before it sleeps again, whether or not it is among the
    /// sleepers. Called by: the process that has marked the mailbox.
    /// Memory order: seq_cst: the mark comes before this look at the indexes of the seats, and a worker looks at the
    /// mark when its seat has got the index. So a seat that gets it too late to be notified has a worker that sees the
    /// mark.
    void wake_for_mail(std::uint32_t index) noexcept;

    /// Returns: the first pending task for the worker of that index, now started by this seat; nothing when there is
    /// none. Called by: worker.
    [[nodiscard]] std::optional<Claim> claim_mail(std::uint32_t index, std::uint32_t seat) noexcept;

    /// Returns: that very task, now started by this seat; nothing when it is not pending any more. If a ring holds the
    /// same offer, that entry is stale from now on. Called by: a worker that shares the parent's memory.
    [[nodiscard]] std::optional<Claim> claim_offered(Offer offer, std::uint32_t seat) noexcept {
        if (!change(offer.slot, offer.generation, Phase::pending, [&](Word word) { return word.started_by(seat); })) {
            return std::nullopt;
        }
        reach(FaultPoint::after_claim);
        return Claim{offer.slot, offer.generation};
    }

    /// Returns: the first pending task, now started by this seat; nothing when there is none. Called by: worker.
    [[nodiscard]] std::optional<Claim> claim(std::uint32_t seat) noexcept {
        const std::uint32_t in_use = queue.was_in_use();
        if (in_use == 0) [[likely]] { return claim_from(queue.ring(Queue::usual), seat); }
        return claim_by_level(in_use, seat);
    }

    /// As claim(), but no task of a guest, whose arguments lie elsewhere. Called by: companion.
    [[nodiscard]] std::optional<Claim> claim_for_companion(std::uint32_t seat) noexcept;

    /// Effects: makes a claimed task done, with the result that was sealed. Returns: false when a verdict has been
    /// passed on it: then the worker publishes nothing more and waits to be killed. next: takes a task that this makes
    /// ready, which the caller claims or offers next; null if it does not. Called by: the worker that claimed it.
    [[nodiscard]] bool finish(Claim claim, std::uint32_t seat, Offer* next = nullptr) noexcept {
        Slot& slot = slots_[claim.slot];
        Word expected = Word::pending(claim.generation, false).started_by(seat);
        for (;;) {
            std::uint64_t bits = expected.bits();
            // release: the result comes before done. seq_cst: done comes before the look at capacity_waiter below,
            // while a submitter sets capacity_waiter before it looks at the words: one of the two sees the other.
            if (slot.word.compare_exchange_strong(bits, expected.with(Phase::done).bits(), std::memory_order_seq_cst)) {
                break;
            }
            expected = Word{bits};
            // A task has written there, and the waiters of this one will find out. The slot is none of this worker's
            // any more.
            if (expected.generation() != claim.generation) [[unlikely]] { return true; }
            if (!expected.may_be_done()) [[unlikely]] { return finish_for_guest(claim.slot, expected); }
        }
        reach(FaultPoint::after_done);
        announce(claim.slot, expected, next);
        return true;
    }

    void notify_capacity_waiter() noexcept {
        if (from_workers.capacity_waiter.load(std::memory_order_seq_cst) != 0) { notify_those_without_room(); }
    }
    /// Effects: the next task that is decided, and the next slot of a guest that becomes free, change the word
    /// guests.room() and wake those that sleep on it. Returns: the word, to sleep on. Called by: a guest without a
    /// slot, or without a place in the ring, which then looks once more.
    /// Memory order: seq_cst: registered before that look; a decision, or an owner's end, comes before the look at the
    /// registration.
    [[nodiscard]] std::uint32_t await_room() noexcept {
        const std::uint32_t seen = guests.await_room();
        from_workers.capacity_waiter.fetch_or(FromWorkers::guests_wait, std::memory_order_seq_cst);
        return seen;
    }

    /// Effects: registers the waiter to be called when the task in this slot is decided. A task that is decided already
    /// calls no waiter, so look at it afterwards. Called by: parent.
    void wait_for(std::uint32_t slot, std::uint32_t waiter) noexcept {
        waiters.add(slots_[slot].waiters, waiter);
        // seq_cst: the waiter is added before the flag; the process that decides the task after this sees both (see
        // finish()).
        slots_[slot].word.fetch_or(Word::waited_bit, std::memory_order_seq_cst);
    }

    /// Effects: requests a stop of the task of that number, which `word` says is running. seen: the slot's request,
    /// read before the word. A request that comes late has no effect: numbers are never used again. Called by: parent.
    void request_stop(std::uint32_t slot, Word word, std::uint64_t number, std::uint64_t seen) noexcept;

    /// Effects: as above, for the task that runs in this slot, if meant(word). Called by: parent, and the thread
    /// engine's timer.
    template <class Meant>
    void request_stop_if(std::uint32_t slot, Meant meant) noexcept {
        for (;;) {
            const std::uint64_t seen = slots_[slot].stop_request.load(std::memory_order_acquire);
            const std::uint64_t number = number_of(slot).load(std::memory_order_acquire);
            const Word word{slots_[slot].word.load(std::memory_order_acquire)};
            // Still the same after the look at the word: then it is the number of the word's task.
            if (number_of(slot).load(std::memory_order_acquire) != number) { continue; }
            if (meant(word)) { request_stop(slot, word, number, seen); }
            return;
        }
    }

    /// Effects: makes a task cancelled that has not started, so that it never runs. Returns: false when it has.
    /// Called by: parent.
    bool withdraw(std::uint32_t slot, std::uint32_t generation) noexcept {
        return decide(slot, generation, Phase::blocked, Phase::cancelled) ||
               decide(slot, generation, Phase::pending, Phase::cancelled);
    }

    /// Effects: condemns a running task: its worker publishes nothing, and the task ends with the verdict when the
    /// worker is dead; `cancelled` overrules the others, which may mean another attempt. Returns: false when it is not
    /// running, or condemned already. Called by: parent and supervisor; the supervisor kills.
    bool condemn(std::uint32_t slot, std::uint32_t generation, Ending verdict) noexcept;

    /// Effects: offers a task again whose worker is dead, or which its companion gives back, to the same as before, at
    /// that level of the queue. Returns: false when its word has changed. Called by: supervisor; companion for
    /// `given_back`.
    bool requeue(std::uint32_t slot, Word started, std::uint32_t level = Queue::requeued) noexcept;

    /// Effects: makes a task lost whose worker is dead. Returns: false when its word has changed. Called by:
    /// supervisor.
    bool lose_started(std::uint32_t slot, Word started, Ending ending) noexcept;

    /// Effects: as withdraw(), for a task that a companion has claimed and no worker has begun. Returns: false when its
    /// word has changed. Called by: companion.
    bool withdraw_started(std::uint32_t slot, Word started) noexcept;

    /// Effects: makes an unfinished task lost, with `ending`. Called by: a process that knows that no worker runs it,
    /// or that no result of it may count.
    bool lose(std::uint32_t slot, std::uint32_t generation, Ending ending) noexcept;

    /// Effects: as lose(), but only a task that has not started.
    bool lose_pending(std::uint32_t slot, std::uint32_t generation, Ending ending) noexcept;

    /// Effects: makes every task lost that has not started, with `ending`.
    void lose_all_pending(Ending ending) noexcept;

    /// Effects: makes every unfinished task lost, with `ending`. Called by: the process that ends the pool, when life
    /// is beyond closing and no worker lives; a task published later is lost by its submitter, which looks at life
    /// afterwards.
    void lose_all(Ending ending) noexcept;

    /// Effects: makes every thread of the parent that waits on this board look again.
    void notify_parent() noexcept { waiters.call_all(); }

    // ---- mending what a task has overwritten. Called by: threads that have waited for a while

    /// Effects: moves impossible heads of the queue and of the mail to possible positions, and marks every level and
    /// mailbox that ever held a task.
    /// Called by: parent, supervisor.
    void mend_queue() noexcept;

    /// Effects: makes every worker look for work, so that no process relies on one that does not.
    void rouse_workers() noexcept;

    /// Whether a task that has been published and not been given back may have this word.
    [[nodiscard]] bool is_plausible(std::uint32_t slot, Word word) const noexcept;
    [[nodiscard]] bool is_of_issue(std::uint32_t slot, Word word) const noexcept {
        return word.generation() == issues_[slot].generation.load(std::memory_order_relaxed);
    }

    /// Effects: marks a task whose word cannot be right: the supervisor settles it. Called by: parent, under its
    /// producers' mutex.
    void mark_overwritten(std::uint32_t slot) noexcept;
    [[nodiscard]] bool is_marked(std::uint32_t slot) const noexcept;
    /// Whether a marked task must still be settled: its worker may have put its word right. A marked task whose word is
    /// plausible was pending although it had been offered before, or taken although no thread had taken it.
    [[nodiscard]] bool is_overwritten(std::uint32_t slot) const noexcept;
    /// Effects: makes a marked task lost, unless its word has been put right. Called by: supervisor, when no worker
    /// runs it; parent, when there is no supervisor.
    void lose_overwritten(std::uint32_t slot) noexcept;

private:
    BoardSize size_;
    Slot* slots_;
    TaskLabel* labels_;
    Seat* seats_;
    Latencies* latencies_;
    Mailbox* mailboxes_;
    Ring* mail_;
    Issue* issues_;
    std::atomic<std::int32_t>* sitters_;
    Extents::Use use_of_arguments_;
    std::byte* notes_;
    Links* links_;
    std::atomic<std::uint64_t>* more_missing_;
    std::uint32_t more_words_;  // of each slot there
    std::uint32_t edge_count_;
    Edge* edges_;
    std::span<std::byte> argument_side_;

public:
    /// The board's own words that workers write, on pages of their own.
    alignas(os::page_size) FromWorkers from_workers;

private:
    /// Returns: a seat of the set on which there is a worker, as the supervisor knows: a task may have put in others.
    [[nodiscard]] std::uint32_t sitting_one_of(const SeatSet& set) const noexcept {
        return set.find([this](std::uint32_t number) {
            return number < size_.seats && sitter(number).load(std::memory_order_relaxed) > 0;
        });
    }
    /// Returns: whether there is such a seat.
    bool notify(std::uint32_t number) noexcept {
        Seat* const seat = seat_of(number);
        if (seat != nullptr) { seat->parker.notify(); }
        return seat != nullptr;
    }
    /// Effects: as wake_one(), where what was taken out of the sleepers is no seat: the supervisor, or what a task has
    /// written there.
    void wake_next(std::uint32_t taken) noexcept;
    /// Effects: the supervisor looks at what there is to do. Called by: any process.
    void ring_supervisor() const noexcept;

    [[gnu::always_inline]] void make_pending(Offer offer, std::uint32_t place, bool waited) noexcept {
        note_place(offer, place);
        slots_[offer.slot].word.store(Word::pending(offer.generation, waited).bits(), std::memory_order_release);
    }
    [[gnu::always_inline]] void note_place(Offer offer, std::uint32_t place) noexcept {
        issues_[offer.slot].generation.store(offer.generation, std::memory_order_relaxed);
        issues_[offer.slot].place.store(place, std::memory_order_relaxed);
        if (offer.slot >= control.slots_used.load(std::memory_order_relaxed)) {
            control.slots_used.store(offer.slot + 1, std::memory_order_seq_cst);
        }
    }

    /// Of a task that others depend on.
    struct Decision {
        std::uint32_t seat;           ///< the decider's
        Offer* next = nullptr;        ///< see finish()
        std::uint64_t cancelled = 0;  ///< those cancelled with it whose dependants must be told: Links::next_cancelled
    };
    [[nodiscard]] std::atomic<std::uint64_t>& missing_word(std::uint32_t slot, std::uint32_t place) const noexcept {
        return place == 0 ? links_[slot].missing : more_missing_[std::size_t{slot} * more_words_ + place - 1];
    }
    /// The low half.
    [[nodiscard]] std::uint32_t half_number_of(std::uint32_t slot) const noexcept {
        return static_cast<std::uint32_t>(number_of(slot).load(std::memory_order_acquire));
    }
    [[nodiscard]] bool ended_in_cancel(std::uint32_t slot) const noexcept;
    void depend(std::uint32_t edge) noexcept;
    void tell_dependants(std::uint32_t slot, Word decided, Offer* next) noexcept;
    void release(std::uint32_t slot, std::uint32_t number, Decision decision) noexcept;
    void release_cancelled(Decision decision) noexcept;
    void release_list(std::uint32_t slot, std::uint32_t number, Decision& decision) noexcept;
    void satisfy(const Edge::Values& edge, Decision& decision) noexcept;
    void clear_missing(Offer dependant, std::uint32_t bit, Decision& decision) noexcept;
    void unblock(Offer dependant, Decision& decision) noexcept;
    void offer_ready_again() noexcept;
    [[nodiscard]] std::optional<Claim> claim_ready(std::uint32_t level, std::uint32_t seat) noexcept;

    [[nodiscard]] std::optional<Claim> claim_usual_or_guest(std::uint32_t seat) noexcept;
    [[nodiscard]] std::optional<Claim> claim_guest(std::uint32_t seat) noexcept;
    /// Effects: wakes who waits for the task of a guest, which is decided. Called by: any process but the worker that
    /// ran it.
    void wake_guest(std::uint32_t slot, Word decided) noexcept;
    /// Effects: notifies the thread that has parked until the task of a guest is decided, or frees its slot where the
    /// task is detached.
    void notify_guest(std::uint32_t slot) noexcept;
    /// Effects: wakes the submitters that wait for any task to be decided.
    void notify_those_without_room() noexcept;

    /// As finish(), where the word says more than that the task runs and a thread of the parent waits.
    bool finish_for_guest(std::uint32_t slot, Word seen) noexcept;

    /// As claim(), where other levels than the usual one may hold something.
    [[nodiscard]] std::optional<Claim> claim_by_level(std::uint32_t in_use, std::uint32_t seat) noexcept;

    /// As claim(), from one ring.
    [[nodiscard, gnu::always_inline]] std::optional<Claim> claim_from(Ring& ring, std::uint32_t seat) noexcept;

    /// Effects: sets the word to next(word), as long as it has this phase and generation. Returns: whether it changed.
    /// Memory order: seq_cst, since the process looks for the waiters after the decision (see finish()).
    template <class Next>
    bool change(std::uint32_t index, std::uint32_t generation, Phase from, Next next) noexcept {
        std::uint64_t bits = slots_[index].word.load(std::memory_order_acquire);
        for (;;) {
            const Word seen{bits};
            if (seen.phase() != from || seen.generation() != generation || next(seen).bits() == bits) { return false; }
            if (slots_[index].word.compare_exchange_weak(bits, next(seen).bits(), std::memory_order_seq_cst)) {
                return true;
            }
        }
    }

    bool decide(std::uint32_t index, std::uint32_t generation, Phase from, Phase to) noexcept {
        Word decided;
        const bool changed = change(index, generation, from, [&](Word word) {
            return decided = from == Phase::started ? word.with(to) : word.with(to).with_seat(Word::no_seat);
        });
        if (changed) {
            announce(index, decided);
            if (guests.hold(index)) { wake_guest(index, decided); }
        }
        return changed;
    }

    /// Effects: calls the threads that wait for a task whose word has just been decided.
    void announce(std::uint32_t index, Word decided, Offer* next = nullptr) noexcept {
        // Comes after the decision: a waiter that registered before it is seen here. If the slot has been taken
        // meanwhile, its taker has called those waiters, and this call of the next ones is harmless.
        if (decided.is_awaited()) {
            if (decided.waited()) { waiters.call(slots_[index].waiters, index); }
            if (decided.is_depended()) [[unlikely]] { tell_dependants(index, decided, next); }
        }
        notify_capacity_waiter();
    }
};

static_assert(std::is_trivially_destructible_v<Board>, "no process destroys what all share");

}  // namespace procpool::detail::task

#include <procpool/task/board_claim.hpp>
#include <procpool/task/board_links.hpp>

#if PROCPOOL_BODIES
#include <procpool/task/board.ipp>
#endif
