// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Auditor: finds tasks whose words no process will ever change, because a task has written where the pool keeps
/// others.

#include <procpool/core/deadline.hpp>
#include <procpool/task/board.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Acts on proofs only, which no correct program can produce, however slow, stopped or often killed its workers are. A
/// thread that waits long for a task asks for a look (Control::audits). Called by: supervisor, which has reaped and
/// settled every worker whose seat is not occupied().
class Auditor {
public:
    explicit Auditor(task::Board& board) : board_(board), seats_(board.seats().size()) {}

    /// ending: workers are leaving, so that perhaps no thread waits any more that would ask. Returns: when to look
    /// unasked.
    [[nodiscard]] Clock::time_point next_time(bool ending) const noexcept {
        return ending || waits_for_answer() ? next_ : Clock::time_point::max();
    }

    /// Effects: looks, when the parent has asked or it is time. occupied, kill: as for look().
    template <class Occupied, class Kill>
    void audit(bool ending, Occupied occupied, Kill kill) noexcept {
        constexpr std::chrono::milliseconds soon{30};
        constexpr std::chrono::milliseconds seldom{500};
        const bool is_due = Clock::now() >= next_time(ending);
        if (!is_due && board_.control.audits.load(std::memory_order_seq_cst) == answered_) { return; }
        look(occupied, kill);
        if (is_due && ending) {
            board_.mend_queue();
            board_.rouse_workers();
        }
        next_ = Clock::now() + (waits_for_answer() ? soon : seldom);
    }

    /// occupied(seat): whether a worker that has not been reaped sits there; kill(seat): ends it.
    template <class Occupied, class Kill>
    void look(Occupied occupied, Kill kill) noexcept {
        answered_ = board_.control.audits.load(std::memory_order_seq_cst);
        for (Look& seat : seats_) {
            seat.is_asked = seat.asks;
            seat.asks = false;
        }
        const auto used = static_cast<std::uint32_t>(board_.used_slots().size());
        for (std::uint32_t slot = 0; slot < used; ++slot) {
            settle_overwritten(slot, occupied, kill);
            const task::Word word = word_of(slot);
            if (word.phase() != task::Phase::started || !board_.is_plausible(slot, word)) { continue; }
            if (!occupied(word.seat()) || is_elsewhere(slot, word)) {
                board_.control.casualties.fetch_add(
                    1, std::memory_order_relaxed);  // first: a thread that learns of it from the word finds it counted
                if (!board_.lose_started(slot, word, Ending::overwritten)) {
                    board_.control.casualties.fetch_sub(1, std::memory_order_relaxed);
                }
            }
        }
        // A verdict that a task has written, or a word that is none, keeps a worker from saying that its task is done.
        for (std::uint32_t seat = 0; seat < seats_.size(); ++seat) {
            if (occupied(seat) &&
                board_.seats()[seat].current.load(std::memory_order_relaxed) == task::Seat::condemned) {
                kill(seat);
            }
        }
    }

private:
    /// Whether a worker has been asked whether it sleeps: its answer takes no time, if it can give one.
    [[nodiscard]] bool waits_for_answer() const noexcept {
        return std::any_of(seats_.begin(), seats_.end(), [](const Look& seat) { return seat.asks; });
    }

    /// The state of a seat when it was looked at.
    struct Look {
        bool asks = false;      // in this look: its worker is asked to say that it sleeps
        bool is_asked = false;  // in the last one
    };

    [[nodiscard]] task::Word word_of(std::uint32_t slot) const noexcept {
        return task::Word{board_.all_slots()[slot].word.load(std::memory_order_seq_cst)};
    }

    /// Effects: makes a task lost that the parent has found overwritten, once no worker can be running it.
    template <class Occupied, class Kill>
    void settle_overwritten(std::uint32_t slot, Occupied occupied, Kill kill) noexcept {
        if (!board_.is_marked(slot)) { return; }
        bool runs = false;
        for (std::uint32_t seat = 0; seat < seats_.size() && board_.is_overwritten(slot); ++seat) {
            if (!occupied(seat) || board_.seats()[seat].current.load(std::memory_order_relaxed) != slot + 1) {
                continue;
            }
            kill(seat);
            runs = true;
        }
        if (!runs) { board_.lose_overwritten(slot); }  // or forgets the mark, if its word is right now
    }

    /// Whether the worker that this word says runs the task cannot be running it: it runs another or none, or sleeps.
    [[nodiscard]] bool is_elsewhere(std::uint32_t slot, task::Word word) noexcept {
        if (board_.is_companions(word.seat())) { return false; }  // which has many at a time
        task::Seat& seat = board_.seats()[word.seat()];
        const std::uint32_t current = seat.current.load(std::memory_order_acquire);
        if (current == slot + 1 || board_.guests.hold(current - 1)) { return false; }  // which may run within it
        // A worker claims tasks between saying that it is ready and that it leaves; a spare one when it has an index,
        // or the pool is not open any more.
        const bool has_index =
            seat.index.load(std::memory_order_acquire) < board_.control.places || !board_.control.goes_on();
        const bool claims = seat.state.load(std::memory_order_acquire) == task::SeatState::ready && has_index;
        if (!claims) { return word_of(slot).bits() == word.bits(); }
        if (current - 1 < board_.used_slots().size()) {  // a worker claims a task when its last one is decided
            const task::Word other = word_of(current - 1);
            const bool runs = other.phase() == task::Phase::started && other.seat() == word.seat() &&
                              board_.is_plausible(current - 1, other);
            return runs && word_of(slot).bits() == word.bits() && word_of(current - 1).bits() == other.bits() &&
                   seat.current.load(std::memory_order_acquire) == current;
        }
        // A sleeper says so itself, and takes it back before it claims anything. Taken out of the set in the last look,
        // so what is there is its own word.
        if (seats_[word.seat()].is_asked && board_.sleeping.contains(word.seat())) {
            return word_of(slot).bits() == word.bits();
        }
        board_.sleeping.remove(word.seat());
        seat.parker.rouse();
        seats_[word.seat()].asks = true;
        return false;
    }

    task::Board& board_;
    std::vector<Look> seats_;
    std::uint32_t answered_ = 0;
    Clock::time_point next_{};
};

}  // namespace procpool::detail::worker
