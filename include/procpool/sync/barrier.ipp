// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/scope.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/placement.hpp>
#include <procpool/sync/word.hpp>

#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL Barrier::Barrier(std::ptrdiff_t parties, void (*completion)())
    : parties_(static_cast<unsigned>(parties)),
      completion_(completion) {
    if (parties < 1 || parties > std::ptrdiff_t{most_parties}) {
        throw std::invalid_argument("procpool: a Barrier has 1 to " + std::to_string(most_parties) + " parties, not " +
                                    std::to_string(parties));
    }
    detail::sync::require_program_heap(this, "Barrier");
}

PROCPOOL_DECL Barrier::~Barrier() {
    detail::os::change_and_wake(word_, detail::os::Change::set_bits, detail::os::Operand{destroyed});
}

PROCPOOL_DECL void Barrier::abort() noexcept {
    detail::os::change_and_wake(word_, detail::os::Change::set_bits, detail::os::Operand{broken});
}

PROCPOOL_DECL bool Barrier::is_dead(Stamp stamp) noexcept {
    return stamp != detail::sync::nobody && !detail::sync::Members::is_alive(stamp);
}

PROCPOOL_DECL bool Barrier::has_dead() const noexcept {
    if (lock_.owner_seems_dead()) { return true; }
    // acquire: the stamps of those that are counted. A look while a round ends may see those of two rounds; then the
    // word has changed too.
    const std::uint32_t arrived = arrived_.load(std::memory_order_acquire);
    bool dead = false;
    for (std::uint32_t i = 0; i < parties_ && !dead; ++i) {
        dead = (i < arrived && is_dead(who_[i].load(std::memory_order_relaxed))) ||
               is_dead(seats_[i].load(std::memory_order_relaxed));
    }
    return dead;
}

PROCPOOL_DECL unsigned Barrier::arrive(detail::Deadline deadline) {
    using detail::FaultPoint;
    const Stamp stamp = detail::sync::Members::own();
    const detail::sync::Locked locked = lock_.lock(deadline);
    if (locked == detail::sync::Locked::no) {
        abort();
        throw BrokenBarrier{};
    }
    if (locked == detail::sync::Locked::own) {
        throw std::logic_error("procpool: the completion function of a Barrier cannot come to the barrier");
    }
    std::uint32_t seen = 0;
    std::uint32_t index = 0;
    {
        const detail::sync::HeldLock held{lock_};
        if (locked == detail::sync::Locked::owner_died) {  // somewhere between the steps below
            abort();
            lock_.heal();
        }
        seen = word_.load(std::memory_order_acquire);
        if ((seen & destroyed) != 0) { detail::sync::throw_destroyed("Barrier"); }
        if ((seen & broken) != 0) { throw BrokenBarrier{}; }
        index = arrived_.load(std::memory_order_relaxed);
        who_[index].store(stamp, std::memory_order_relaxed);
        detail::reach(FaultPoint::barrier_stamped);
        arrived_.store(index + 1, std::memory_order_release);
        detail::reach(FaultPoint::barrier_counted);
        if (index + 1 == parties_) { pass(seen); }
    }
    if (index + 1 == parties_) {
        detail::reach(FaultPoint::barrier_not_woken);
        detail::os::futex_wake(word_);  // without the lock, which those that are woken may want next
    } else {
        wait_for_end(seen, deadline);
    }
    return index;
}

PROCPOOL_DECL void Barrier::pass(std::uint32_t seen) {
    using detail::FaultPoint;
    bool complete = false;
    const detail::core::OnExit decide{[&] {
        if (!complete) { abort(); }
    }};
    if (has_dead()) { throw BrokenBarrier{}; }
    detail::reach(FaultPoint::barrier_last);
    if (completion_ != nullptr) { completion_(); }
    detail::reach(FaultPoint::barrier_completed);
    arrived_.store(0, std::memory_order_relaxed);
    detail::reach(FaultPoint::barrier_before_pass);
    // release: what all did before they came, which the lock has ordered, is visible to those that wait.
    complete = word_.compare_exchange_strong(seen, next_round(seen, passed), std::memory_order_release,
                                             std::memory_order_relaxed);
    if (!complete) { throw BrokenBarrier{}; }
}

PROCPOOL_DECL void Barrier::wait_for_end(std::uint32_t seen, detail::Deadline deadline) {
    constexpr std::chrono::milliseconds look_again{100};
    for (;;) {
        detail::os::futex_wait(word_, seen, detail::sync::slice(deadline, look_again));
        const std::uint32_t now = word_.load(std::memory_order_acquire);
        if (rounds_between(seen, now) != 0) {
            if (has_passed(seen, now)) { return; }
            throw BrokenBarrier{};
        }
        if ((now & destroyed) != 0) { detail::sync::throw_destroyed("Barrier"); }
        if ((now & broken) != 0) { throw BrokenBarrier{}; }
        std::uint32_t same = seen;  // unlike abort(), this is right only while the word is as seen
        if ((deadline.passed() || has_dead()) &&
            word_.compare_exchange_strong(same, seen | broken, std::memory_order_relaxed)) {
            detail::reach(detail::FaultPoint::barrier_not_woken);
            detail::os::futex_wake(word_);
            throw BrokenBarrier{};
        }
    }
}

PROCPOOL_DECL bool Barrier::has_passed(std::uint32_t seen, std::uint32_t now) const noexcept {
    const std::uint32_t ended = rounds_between(seen, now);
    if (ended <= kept_rounds) { return (now >> (ended - 1) & passed) != 0; }
    // relaxed: written before the word of its round's end, which the caller has acquired. A later one counts too.
    const std::uint32_t reset = last_reset_.load(std::memory_order_relaxed);
    return reset == 0 || rounds_between(seen, reset) >= ended;
}

PROCPOOL_DECL void Barrier::reset() {
    const detail::sync::Locked locked = lock_.lock();
    if (locked == detail::sync::Locked::own) {
        throw std::logic_error("procpool: the completion function of a Barrier cannot reset the barrier");
    }
    const detail::sync::HeldLock held{lock_};
    arrived_.store(0, std::memory_order_relaxed);
    for (unsigned i = 0; i < parties_; ++i) {
        Stamp stamp = seats_[i].load(std::memory_order_relaxed);
        if (is_dead(stamp)) {
            seats_[i].compare_exchange_strong(stamp, detail::sync::nobody, std::memory_order_relaxed);
        }
    }
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    last_reset_.store(seen | broken, std::memory_order_relaxed);  // never 0
    while (!word_.compare_exchange_weak(seen, next_round(seen, 0), std::memory_order_release,
                                        std::memory_order_relaxed)) {}
    detail::reach(detail::FaultPoint::barrier_not_woken);
    detail::os::futex_wake(word_);
    if (locked == detail::sync::Locked::owner_died) { lock_.heal(); }
}

PROCPOOL_DECL Barrier::Party::Party(Barrier& barrier)
    : stamp_(detail::sync::Members::own()),
      process_(detail::os::process_token()) {
    for (unsigned i = 0; i < barrier.parties_; ++i) {
        Stamp none = detail::sync::nobody;
        if (barrier.seats_[i].compare_exchange_strong(none, stamp_, std::memory_order_relaxed)) {
            seat_ = &barrier.seats_[i];
            return;
        }
    }
    if (barrier.has_dead()) {
        barrier.abort();
        throw BrokenBarrier{};
    }
    throw std::logic_error("procpool: a Barrier has no more Party objects than parties, which are " +
                           std::to_string(barrier.parties_));
}

PROCPOOL_DECL Barrier::Party::~Party() {
    if (!detail::os::is_process(process_)) { return; }
    Stamp mine = stamp_;
    seat_->compare_exchange_strong(mine, detail::sync::nobody, std::memory_order_relaxed);
}

}  // namespace procpool
