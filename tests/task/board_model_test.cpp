// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/board.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <vector>

// The protocol of the slot word as a model whose every interleaving is looked at. Each step below is one atomic access
// of Board::claim(), finish(), withdraw(), lose(), Client::wait() or the supervisor; any process may pause before any
// of them, and one worker may die there. The model checks that every task has exactly one outcome, a death costs at
// most one task, and no process is stuck.
//
// Two slots. Tasks 0 and 1 are published at the start, in slots 0 and 1; when task 0 is decided, the parent takes it
// and publishes task 2 in slot 0: by then the ring may still show slot 0 for task 0.

namespace {

using procpool::detail::task::Phase;

/// A mistake to make, to see that the search finds it.
enum class Flaw {
    none,
    head_first,       // the process that moves head owns the position, and may die with it
    settle_early,     // the supervisor does not wait for the death
    no_settle,        // no process settles the tasks of the dead
    store_done,       // done is stored, not exchanged
    any_generation,   // a withdrawal looks at the phase only
    waited_forgotten  // finish() takes any other word for a verdict
};

using Byte = std::uint8_t;
constexpr Byte nobody = 255;

struct Slot {
    Byte phase;
    Byte task;  // the generation
    Byte seat;
    Byte waited;
    Byte condemned;
    friend bool operator==(const Slot&, const Slot&) = default;
};

enum WorkerStep : Byte {
    read_head,
    read_entry,
    read_head_again,
    try_claim,
    help_after_claim,
    help,
    write_result,
    try_finish,
    notify,
    idle,
    refused,
    dead
};

struct Worker {
    Byte step;
    Byte position;
    Byte slot;
    Byte task;
    Slot expected;
};

enum ParentStep : Byte { watch, publish_word, publish_entry, parent_done };
enum CancelStep : Byte { cancel_load, cancel_exchange, cancel_done };
enum WaitStep : Byte { set_flag, look, asleep, awake };
enum SettleStep : Byte { no_death, settle_load, settle_exchange, settle_done };

struct State {
    std::array<Slot, 2> slots;
    std::array<Byte, 2> result;   // task + 1
    std::array<Byte, 3> entries;  // slot + 1 by position
    Byte head;
    std::array<Worker, 2> workers;
    Byte parent;
    Byte canceller;
    Slot canceller_saw;
    Byte waiter;     // of task 1
    Byte notified;   // the waiter's parker
    Byte condemner;  // 0 not yet, 1 done
    Byte settle;
    Byte settle_slot;
    Slot settle_saw;
    Byte dead_seat;
    std::array<Byte, 3> outcomes;  // how often each task was decided
    std::array<Byte, 3> lost;
    Byte wrong_result;
};
static_assert(std::is_trivially_copyable_v<State> && alignof(State) == 1, "its bytes are its identity");

class Search {
public:
    explicit Search(Flaw flaw, bool condemns) : flaw_(flaw), condemns_(condemns) {}

    /// Returns: the first thing found wrong, or nothing.
    std::string run() {
        State start{};
        start.slots[0] = {static_cast<Byte>(Phase::pending), 0, 0, 0, 0};
        start.slots[1] = {static_cast<Byte>(Phase::pending), 1, 0, 0, 0};
        start.entries = {1, 2, 0};
        start.dead_seat = nobody;
        visit(start);
        while (!todo_.empty() && wrong_.empty()) {
            const State state = todo_.back();
            todo_.pop_back();
            expand(state);
        }
        return wrong_;
    }
    [[nodiscard]] std::size_t states() const noexcept { return seen_.size(); }

private:
    static constexpr Byte as_byte(Phase phase) { return static_cast<Byte>(phase); }
    static bool is(const Slot& slot, Phase phase) { return slot.phase == as_byte(phase); }
    static bool finished(const Slot& slot) {
        return is(slot, Phase::done) || is(slot, Phase::lost) || is(slot, Phase::cancelled);
    }

    /// Two states that differ only in values that are never read again are one.
    static void forget_the_past(State& s) {
        for (Worker& worker : s.workers) {
            if (worker.step == read_head || worker.step == notify || worker.step == idle || worker.step == refused ||
                worker.step == dead) {
                worker = {worker.step, 0, 0, 0, {}};
            }
            if (worker.step == read_entry || worker.step == read_head_again) {
                worker = {worker.step, worker.position, 0, 0, {}};
            }
            if (worker.step != try_claim && worker.step != try_finish) { worker.expected = {}; }
        }
        if (s.canceller != cancel_exchange) { s.canceller_saw = {}; }
        if (s.settle != settle_exchange) { s.settle_saw = {}; }
        if (s.waiter == awake) { s.notified = 0; }
    }

    void visit(State state) {
        forget_the_past(state);
        if (seen_.emplace(reinterpret_cast<const char*>(&state), sizeof state).second) { todo_.push_back(state); }
    }

    void fail(std::string_view what) {
        if (wrong_.empty()) { wrong_ = what; }
    }

    /// A word becomes decided.
    void decide(State& s, Byte slot, Phase to) {
        const Byte task = s.slots[slot].task;
        s.slots[slot].phase = as_byte(to);
        if (++s.outcomes[task] > 1) { fail("a task has two outcomes"); }
        if (to == Phase::lost) { ++s.lost[task]; }
        if (to == Phase::done && s.result[slot] != task + 1) { fail("a task is done without its result"); }
        if (to == Phase::done && s.slots[slot].condemned != 0) { fail("a condemned task is done"); }
        if (to != Phase::done && s.slots[slot].waited != 0 && slot == 1) {
            s.notified = 1;
        }  // finish() notifies in a step of its own
    }

    void expand(const State& s) {
        const std::size_t before = moves_;
        for (Byte w = 0; w < 2; ++w) { work(s, w); }
        parent(s);
        cancel(s);
        wait(s);
        settle(s);
        if (condemns_) { condemn(s); }
        if (moves_ == before) { check_end(s); }
        die(s);
    }

    void go(const State& next) {
        ++moves_;
        visit(next);
    }

    void work(const State& s, Byte w) {
        State n = s;
        Worker& me = n.workers[w];
        switch (me.step) {
            case read_head:
                me.position = n.head;
                me.step = read_entry;
                break;
            case read_entry:
                if (me.position >= 3 || n.entries[me.position] == 0) {
                    me.step = read_head_again;
                    break;
                }
                me.slot = static_cast<Byte>(n.entries[me.position] - 1);
                me.task = me.position;
                me.expected = {as_byte(Phase::pending), me.task, 0, 0, 0};
                me.step = flaw_ == Flaw::head_first ? help : try_claim;
                break;
            case read_head_again: me.step = n.head == me.position ? idle : read_head; break;
            case try_claim:
                if (n.slots[me.slot] == me.expected) {
                    Slot& word = n.slots[me.slot];
                    word.phase = as_byte(Phase::started);
                    word.seat = w;
                    me.step = flaw_ == Flaw::head_first ? write_result : help_after_claim;
                } else {
                    me.expected = n.slots[me.slot];
                    if (!is(me.expected, Phase::pending) || me.expected.task != me.task) {
                        me.step = flaw_ == Flaw::head_first ? read_head : help;
                    }
                }
                break;
            case help_after_claim:
            case help: {
                const bool moved = n.head == me.position;
                if (moved) { ++n.head; }
                if (me.step == help_after_claim) {
                    me.step = write_result;
                } else {
                    me.step = flaw_ == Flaw::head_first && moved ? try_claim : read_head;
                }
                break;
            }
            case write_result:
                n.result[me.slot] = static_cast<Byte>(me.task + 1);
                me.expected = {as_byte(Phase::started), me.task, w, 0, 0};
                me.step = try_finish;
                break;
            case try_finish:
                if (flaw_ == Flaw::store_done || n.slots[me.slot] == me.expected) {
                    me.expected = n.slots[me.slot];
                    decide(n, me.slot, Phase::done);
                    me.step = me.expected.waited != 0 ? notify : read_head;
                } else {
                    me.expected = n.slots[me.slot];
                    const bool verdict = !is(me.expected, Phase::started) || me.expected.condemned != 0;
                    if (verdict || flaw_ == Flaw::waited_forgotten) { me.step = refused; }
                }
                break;
            case notify:
                n.notified = 1;
                me.step = read_head;
                break;
            case idle:  // sleeps until there is something at head
                if (n.head >= 3 || n.entries[n.head] == 0) { return; }
                me.step = read_head;
                break;
            default: return;  // refused: waits to be killed
        }
        go(n);
    }

    void parent(const State& s) {
        State n = s;
        switch (s.parent) {
            case watch:
                if (s.slots[0].task != 0 || !finished(s.slots[0])) { return; }
                if (is(s.slots[0], Phase::done) && s.result[0] != 1) { fail("the result of another task was taken"); }
                n.slots[0].phase = as_byte(Phase::taken);
                n.parent = publish_word;
                break;
            case publish_word:
                n.slots[0] = {as_byte(Phase::pending), 2, 0, 0, 0};
                n.parent = publish_entry;
                break;
            case publish_entry:
                n.entries[2] = 1;
                n.parent = parent_done;
                break;
            default: return;
        }
        go(n);
    }

    /// Wants task 0 cancelled.
    void cancel(const State& s) {
        State n = s;
        if (s.canceller == cancel_load) {
            n.canceller_saw = s.slots[0];
            const bool wanted =
                is(s.slots[0], Phase::pending) && (s.slots[0].task == 0 || flaw_ == Flaw::any_generation);
            n.canceller = wanted ? cancel_exchange : cancel_done;
        } else if (s.canceller == cancel_exchange) {
            if (s.slots[0] == s.canceller_saw) {
                if (s.slots[0].task != 0) { fail("another task was cancelled"); }
                decide(n, 0, Phase::cancelled);
                n.canceller = cancel_done;
            } else {
                n.canceller = cancel_load;
            }
        } else {
            return;
        }
        go(n);
    }

    /// Waits for task 1.
    void wait(const State& s) {
        State n = s;
        switch (s.waiter) {
            case set_flag:
                n.slots[1].waited = 1;
                n.waiter = look;
                break;
            case look: n.waiter = finished(s.slots[1]) ? awake : asleep; break;
            case asleep:
                if (s.notified == 0) { return; }
                n.notified = 0;
                n.waiter = look;
                break;
            default: return;
        }
        go(n);
    }

    /// A timeout of task 1: the verdict, then the death, which die() adds.
    void condemn(const State& s) {
        if (s.condemner != 0 || s.dead_seat != nobody || !is(s.slots[1], Phase::started)) { return; }
        State n = s;
        n.slots[1].condemned = 1;
        n.condemner = 1;
        go(n);
    }

    void die(const State& s) {
        if (s.dead_seat != nobody) { return; }
        for (Byte w = 0; w < 2; ++w) {
            if (s.condemner != 0 && s.slots[1].seat != w) { continue; }
            State n = s;
            n.dead_seat = w;
            if (flaw_ != Flaw::settle_early) { n.workers[w].step = dead; }
            n.settle = flaw_ == Flaw::no_settle ? settle_done : settle_load;
            visit(n);
        }
    }

    void settle(const State& s) {
        State n = s;
        if (s.settle == settle_load) {
            if (s.settle_slot == 2) {
                n.settle = settle_done;
                n.workers[s.dead_seat].step = dead;
            } else {
                n.settle_saw = s.slots[s.settle_slot];
                if (is(n.settle_saw, Phase::started) && n.settle_saw.seat == s.dead_seat) {
                    n.settle = settle_exchange;
                } else {
                    ++n.settle_slot;
                }
            }
        } else if (s.settle == settle_exchange) {
            n.settle = settle_load;
            if (s.slots[s.settle_slot] == s.settle_saw) {
                decide(n, s.settle_slot, Phase::lost);
                ++n.settle_slot;
            }
        } else {
            return;
        }
        go(n);
    }

    /// No process can make a step any more.
    void check_end(const State& s) {
        if (condemns_ && s.condemner != 0 && s.dead_seat == nobody) { return; }  // the condemned is killed later
        const int published = s.parent == parent_done ? 3 : 2;
        int lost = 0;
        for (std::size_t task = 0; task < 3; ++task) {
            if (static_cast<int>(task) < published && s.outcomes[task] != 1) {
                fail("task " + std::to_string(task) + " is never decided");
            }
            lost += s.lost[task];
        }
        if (s.parent != parent_done) { fail("the parent is stuck"); }
        if (lost > (s.dead_seat == nobody ? 0 : 1)) { fail("a death costs more than one task"); }
        for (const Worker& worker : s.workers) {
            if (worker.step == refused) { fail("a worker is stuck"); }
        }
        // A worker that dies before it notifies leaves a waiter to its next look, after 100 ms.
        if (s.waiter != awake && s.dead_seat == nobody) { fail("a waiter sleeps for ever"); }
    }

    Flaw flaw_;
    bool condemns_;
    std::unordered_set<std::string> seen_;
    std::vector<State> todo_;
    std::size_t moves_ = 0;
    std::string wrong_;
};

}  // namespace

TEST_CASE("in every interleaving: every task has one outcome and a death costs at most one") {
    for (const bool condemns : {false, true}) {
        Search search{Flaw::none, condemns};
        CHECK(search.run() == "");
        CHECK(search.states() > 10000);
    }
}

TEST_CASE("the search through all interleavings finds what is wrong") {
    const auto finds = [](Flaw flaw) { return Search{flaw, false}.run(); };
    CHECK(finds(Flaw::head_first).find("is never decided") != std::string::npos);
    CHECK(finds(Flaw::settle_early) != "");
    CHECK(finds(Flaw::no_settle).find("is never decided") != std::string::npos);
    CHECK(finds(Flaw::any_generation) == "another task was cancelled");
    CHECK(finds(Flaw::waited_forgotten).find("is never decided") != std::string::npos);
    CHECK((Search{Flaw::store_done, true}.run()) == "a condemned task is done");
}
