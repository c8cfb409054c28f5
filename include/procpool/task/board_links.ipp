// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/task/board_links.hpp>

#include <procpool/core/fault_point.hpp>

#include <utility>

namespace procpool::inline v0::detail::task {

/// The process that decides a task closes its list of dependants and clears a bit in each of them; the one that
/// clears the last bit offers the dependant. Of a dead or stopped worker the supervisor does that, for the tasks whose
/// words say that this worker decided them. A list that is added to after the decision is closed by the parent, which
/// looks at the word after that.
PROCPOOL_DECL void Board::publish_blocked(Offer offer, std::uint32_t level, bool waited, std::uint32_t first_edge,
                                          std::uint32_t dependencies) noexcept {
    const std::uint32_t slot = offer.slot;
    const std::uint32_t number = half_number_of(slot);
    issues_[slot].first_edge.store(first_edge, std::memory_order_relaxed);
    issues_[slot].dependencies.store(dependencies, std::memory_order_relaxed);
    for (std::uint32_t place = 0, left = dependencies + 1; left != 0; ++place) {
        const std::uint32_t here = std::min(left, Links::bits);
        const std::uint32_t all = static_cast<std::uint32_t>((std::uint64_t{1} << here) - 1);
        // release: a process that finds the task by these finds how many there are.
        missing_word(slot, place).store(Links::word(number, all), std::memory_order_release);
        left -= here;
    }
    note_place(offer, Issue::linked | level);
    control.links_used.store(1, std::memory_order_relaxed);  // released by the word
    slots_[slot].word.store(Word::blocked(offer.generation, waited).bits(), std::memory_order_release);
    for (std::uint32_t edge = first_edge; edge != 0; edge = Edge::get(edges_[edge - 1].sibling)) { depend(edge); }
    Decision of_parent{Word::no_seat};  // nobody depends on this one yet
    clear_missing({slot, number}, Links::being_submitted, of_parent);
}

/// Effects: adds the edge to the list of its dependency, or clears its bit. Called by: publish_blocked().
PROCPOOL_DECL void Board::depend(std::uint32_t edge) noexcept {
    Edge& added = edges_[edge - 1];
    const std::uint32_t dependency = Edge::get(added.dependency);
    const std::uint32_t number = Edge::get(added.dependency_number);
    std::atomic<std::uint64_t>& list = links_[dependency].dependants;
    std::uint64_t seen = list.load(std::memory_order_acquire);
    std::uint32_t first = 0;
    do {
        first = Links::number_of(seen) == number ? Links::rest_of(seen) : 0;
        if (first == Links::closed) {
            Decision of_parent{Word::no_seat};
            return satisfy(added.values(), of_parent);
        }
        Edge::set(added.next, first);
        // release: the process that takes the list sees the edge.
    } while (!list.compare_exchange_weak(seen, Links::word(number, edge), std::memory_order_acq_rel,
                                         std::memory_order_acquire));
    reach(FaultPoint::edge_added);
    std::atomic<std::uint64_t>& word = slots_[dependency].word;
    // One word decides it: the decider sees that there are dependants, with release and acquire also which, or it is
    // seen here that it has decided.
    const Word before{first == 0 ? word.fetch_or(Word::depended_bit, std::memory_order_acq_rel)
                                 : word.load(std::memory_order_acquire)};
    if (before.finished()) { release(dependency, number, {Word::no_seat}); }
}

PROCPOOL_DECL bool Board::ended_in_cancel(std::uint32_t slot) const noexcept {
    const Phase phase = Word{slots_[slot].word.load(std::memory_order_acquire)}.phase();
    return phase == Phase::cancelled || (phase == Phase::lost && slots_[slot].ending(phase) == Ending::cancelled);
}

/// Effects: as release(), of a task whose word has just been decided.
[[gnu::noinline]] PROCPOOL_DECL void Board::tell_dependants(std::uint32_t slot, Word decided, Offer* next) noexcept {
    if (slot >= size_.slot_count || size_.open_to_all) { return; }  // a task has written in the word of a guest's
    const std::uint32_t number = half_number_of(slot);
    // Still decided after the look at the number: it is this task's. Otherwise its slot has been given back, since
    // those that depend on it are settled: the parent has told them.
    const Word now{slots_[slot].word.load(std::memory_order_acquire)};
    if (now.generation() == decided.generation() && now.finished()) { release(slot, number, {decided.seat(), next}); }
}

/// Effects: tells those that depend on a decided task, unless another process does.
PROCPOOL_DECL void Board::release(std::uint32_t slot, std::uint32_t number, Decision decision) noexcept {
    release_list(slot, number, decision);
    if (decision.cancelled != 0) { release_cancelled(decision); }
}

PROCPOOL_DECL void Board::release_cancelled(Decision decision) noexcept {
    while (decision.cancelled != 0) {
        const std::uint32_t slot = Links::rest_of(decision.cancelled) - 1;
        if (slot >= size_.slot_count) { return; }  // a task has written there
        const std::uint32_t its_number = Links::number_of(decision.cancelled);
        decision.cancelled = links_[slot].next_cancelled.load(std::memory_order_relaxed);
        release_list(slot, its_number, decision);
    }
}

PROCPOOL_DECL void Board::release_list(std::uint32_t slot, std::uint32_t number, Decision& decision) noexcept {
    std::atomic<std::uint64_t>& list = links_[slot].dependants;
    std::uint64_t seen = list.load(std::memory_order_acquire);
    do {
        if (Links::number_of(seen) != number || Links::rest_of(seen) == Links::closed) { return; }
        // acquire: sees the edges.
    } while (!list.compare_exchange_weak(seen, Links::word(number, Links::closed), std::memory_order_acq_rel,
                                         std::memory_order_acquire));
    reach(FaultPoint::list_closed);
    for (std::uint32_t next = Links::rest_of(seen); next != 0 && next <= edge_count_;) {
        const Edge::Values edge = edges_[next - 1].values();
        // Not so where a task has written in the list, or where this process was late and others have told the rest.
        if (edge.dependency != slot || edge.dependency_number != number) { return; }
        next = Edge::get(edges_[next - 1].next);  // before its bit is cleared: then the edge may be another one's
        satisfy(edge, decision);
    }
}

/// Effects: the dependency of this edge is decided.
PROCPOOL_DECL void Board::satisfy(const Edge::Values& edge, Decision& decision) noexcept {
    const Offer dependant{edge.dependant, edge.dependant_number};
    if (ended_in_cancel(edge.dependency)) {
        std::atomic<std::uint64_t>& first = links_[dependant.slot].missing;
        std::uint64_t seen = first.load(std::memory_order_relaxed);
        // relaxed: the bit that is cleared after this releases it.
        while (Links::number_of(seen) == dependant.generation &&
               !first.compare_exchange_weak(seen, seen | Links::was_cancelled, std::memory_order_relaxed)) {}
    }
    clear_missing(dependant, edge.bit, decision);
}

/// dependant: with the low half of its number.
PROCPOOL_DECL void Board::clear_missing(Offer dependant, std::uint32_t bit, Decision& decision) noexcept {
    const auto [slot, number] = dependant;
    std::atomic<std::uint64_t>& word = missing_word(slot, bit / Links::bits);
    const std::uint64_t mask = std::uint64_t{1} << (bit % Links::bits);
    std::uint64_t seen = word.load(std::memory_order_acquire);
    do {
        if (Links::number_of(seen) != number) { return; }
        // seq_cst: of two processes that each clear the last bit of a word, at least one finds no bit in the others.
    } while (!word.compare_exchange_weak(seen, seen & ~mask, std::memory_order_seq_cst, std::memory_order_acquire));
    if (Links::misses_any(seen & ~mask)) { return; }
    reach(FaultPoint::bit_cleared);
    // acquire, by the first look at the word: of this task, or of a later one, which its number shows.
    const std::uint32_t words = Links::words_for(issues_[slot].dependencies.load(std::memory_order_relaxed));
    for (std::uint32_t place = 0; place < words; ++place) {
        const std::uint64_t other = missing_word(slot, place).load(std::memory_order_seq_cst);
        if (Links::number_of(other) != number || Links::misses_any(other)) { return; }
    }
    unblock(dependant, decision);
}

/// Effects: offers a task that misses nothing any more, or cancels it with what it depends on.
PROCPOOL_DECL void Board::unblock(Offer dependant, Decision& decision) noexcept {
    const auto [slot, number] = dependant;
    std::uint64_t bits = slots_[slot].word.load(std::memory_order_acquire);
    Word next;
    do {
        // The word first: a slot's number is written before the word of its next task.
        if (Word{bits}.phase() != Phase::blocked || half_number_of(slot) != number) { return; }
        if (!is_linked(slot)) { return; }  // a task has written there
        const bool is_cancelled = (links_[slot].missing.load(std::memory_order_relaxed) & Links::was_cancelled) != 0;
        next =
            is_cancelled ? Word{bits}.with(Phase::cancelled).with_seat(decision.seat) : Word{bits}.with(Phase::pending);
    } while (!slots_[slot].word.compare_exchange_weak(bits, next.bits(), std::memory_order_seq_cst,
                                                      std::memory_order_acquire));
    if (next.phase() == Phase::pending) {
        reach(FaultPoint::ready_not_offered);
        const std::uint32_t level = issues_[slot].place.load(std::memory_order_relaxed) & ~Issue::linked;
        if (decision.next != nullptr && decision.next->slot == ReadySet::nothing && queue.is_next(level)) {
            *decision.next = {slot, next.generation()};
        } else {
            queue.add_ready(level, slot);
        }
        // A task that waits for this one may be the only one who could run it.
        if (next.waited() && control.shares_memory) { waiters.call(slots_[slot].waiters, slot); }
        return;
    }
    from_workers.cancelled_with_others.fetch_add(1, std::memory_order_relaxed);
    if (next.waited()) { waiters.call(slots_[slot].waiters, slot); }
    if (next.is_depended()) {
        links_[slot].next_cancelled.store(decision.cancelled, std::memory_order_relaxed);
        decision.cancelled = Links::word(number, slot + 1);
    }
    notify_capacity_waiter();
}

PROCPOOL_DECL bool Board::is_settled(std::uint32_t slot, std::uint32_t number) const noexcept {
    const std::uint32_t words = Links::words_for(issues_[slot].dependencies.load(std::memory_order_relaxed));
    for (std::uint32_t place = 0; place < words; ++place) {
        // acquire: who clears the last bit has read the edges before.
        const std::uint64_t word = missing_word(slot, place).load(std::memory_order_acquire);
        if (Links::number_of(word) == number && Links::misses_any(word)) { return false; }
    }
    return true;
}

PROCPOOL_DECL void Board::release_for(std::uint32_t seat) noexcept {
    if (control.links_used.load(std::memory_order_relaxed) == 0) { return; }
    const auto used = static_cast<std::uint32_t>(used_slots().size());
    for (std::uint32_t slot = 0; slot < used; ++slot) {
        if (!is_linked(slot)) { continue; }
        each_edge_of(slot, [&](const Edge& edge) {
            const Edge::Values values = edge.values();
            const Word word{slots_[values.dependency].word.load(std::memory_order_acquire)};
            const bool has_decided = word.finished() && word.seat() == seat;
            if (!has_decided || half_number_of(values.dependency) != values.dependency_number) { return; }
            release(values.dependency, values.dependency_number, {seat});  // first: no edge in an open list is freed
            Decision of_worker{seat};
            satisfy(values, of_worker);
            release_cancelled(of_worker);
        });
    }
    offer_ready_again();
}

PROCPOOL_DECL void Board::offer_ready_again() noexcept {
    if (control.links_used.load(std::memory_order_relaxed) == 0) { return; }
    const auto used = static_cast<std::uint32_t>(used_slots().size());
    for (std::uint32_t slot = 0; slot < used; ++slot) {
        const Word word{slots_[slot].word.load(std::memory_order_acquire)};
        if (word.phase() == Phase::pending && is_linked(slot)) { offer_ready(slot); }
    }
}

PROCPOOL_DECL void Board::wake_for_ready() noexcept {
    if ((queue.was_in_use() & Queue::bit(Queue::ready)) != 0) { wake_for_new_task(); }
    if (control.links_used.load(std::memory_order_relaxed) != 0 && !control.goes_on()) { wake_all(); }
}

PROCPOOL_DECL void Board::offer_ready(std::uint32_t slot) noexcept {
    queue.add_ready(issues_[slot].place.load(std::memory_order_relaxed) & ~Issue::linked, slot);
}

PROCPOOL_DECL bool Board::has_blocked() const noexcept {
    if (control.links_used.load(std::memory_order_relaxed) == 0) { return false; }
    for (const Slot& slot : used_slots()) {
        if (Word{slot.word.load(std::memory_order_seq_cst)}.phase() == Phase::blocked) { return true; }
    }
    return false;
}

PROCPOOL_DECL bool Board::is_forgotten(std::uint32_t slot) const noexcept {
    const Word word{slots_[slot].word.load(std::memory_order_acquire)};
    if (word.phase() != Phase::blocked || !is_linked(slot)) { return false; }
    std::uint32_t decided = 0;
    each_edge_of(slot, [&](const Edge& edge) {
        const Word its{slots_[Edge::get(edge.dependency)].word.load(std::memory_order_acquire)};
        decided += its.finished() ? 1 : 0;
    });
    return decided == issues_[slot].dependencies.load(std::memory_order_relaxed);
}

PROCPOOL_DECL void Board::release_forgotten(std::uint32_t slot) noexcept {
    const std::uint32_t number = half_number_of(slot);
    bool is_cancelled = false;
    each_edge_of(slot,
                 [&](const Edge& edge) { is_cancelled = is_cancelled || ended_in_cancel(Edge::get(edge.dependency)); });
    const std::uint32_t words = Links::words_for(issues_[slot].dependencies.load(std::memory_order_relaxed));
    for (std::uint32_t place = 0; place < words; ++place) {
        const std::uint32_t rest = place == 0 && is_cancelled ? Links::was_cancelled : 0;
        missing_word(slot, place).store(Links::word(number, rest), std::memory_order_seq_cst);
    }
    Decision of_parent{Word::no_seat};
    unblock({slot, number}, of_parent);
    release_cancelled(of_parent);
}

/// A process that is late with the task's edges finds other ones there, and tells the rest of its list to nobody: what
/// depends on the same task is forgotten then.
PROCPOOL_DECL void Board::settle_forgotten(std::uint32_t slot, std::uint32_t number) noexcept {
    const std::uint32_t words = Links::words_for(issues_[slot].dependencies.load(std::memory_order_relaxed));
    for (std::uint32_t place = 0; place < words; ++place) {
        std::atomic<std::uint64_t>& word = missing_word(slot, place);
        std::uint64_t seen = word.load(std::memory_order_acquire);
        // Another number: the slot has another linked task, and this one is settled.
        while (Links::number_of(seen) == number && Links::misses_any(seen) &&
               !word.compare_exchange_weak(seen, Links::word(number, Links::rest_of(seen) & Links::was_cancelled),
                                           std::memory_order_seq_cst, std::memory_order_acquire)) {}
    }
}

/// A walk to one of those that are not decided, and on from there: each is older than the one before.
PROCPOOL_DECL std::optional<Offer> Board::pending_before(std::uint32_t slot) const noexcept {
    for (std::uint32_t at = slot;;) {
        const Word word{slots_[at].word.load(std::memory_order_acquire)};
        if (word.phase() == Phase::pending) { return Offer{at, word.generation()}; }
        if (word.phase() != Phase::blocked) { return std::nullopt; }
        std::optional<std::uint32_t> older;
        each_edge_of(at, [&](const Edge& edge) {
            const std::uint32_t dependency = Edge::get(edge.dependency);
            const Word its{slots_[dependency].word.load(std::memory_order_acquire)};
            if (!older && its.has_not_started()) { older = dependency; }
        });
        if (!older) { return std::nullopt; }
        at = *older;
    }
}

PROCPOOL_DECL std::optional<Claim> Board::claim_made_ready(Offer offer, std::uint32_t seat) noexcept {
    const std::optional<Claim> claimed = claim_offered(offer, seat);
    if (claimed && (queue.was_in_use() & Queue::bit(Queue::ready)) != 0) {
        // The process that made others ready relies on the worker that takes one of them for the next one.
        if (!queue.was_ready_empty() || !queue.mark_empty(Queue::ready)) { wake_for_new_task(); }
    }
    return claimed;
}

PROCPOOL_DECL std::optional<Claim> Board::claim_ready(std::uint32_t level, std::uint32_t seat) noexcept {
    ReadySet& set = queue.ready_of(level);
    for (std::uint32_t slot = set.take(); slot != ReadySet::nothing; slot = set.take()) {
        reach(FaultPoint::ready_taken);
        if (slot >= size_.slot_count || !is_linked(slot)) { continue; }  // left from a task before, or written by one
        const Word word{slots_[slot].word.load(std::memory_order_acquire)};
        if (word.phase() != Phase::pending) { continue; }
        if (const std::optional<Claim> claimed = claim_made_ready({slot, word.generation()}, seat)) { return claimed; }
    }
    return std::nullopt;
}

}  // namespace procpool::detail::task
