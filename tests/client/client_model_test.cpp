// SPDX-License-Identifier: BSL-1.0
#include <procpool/client/client.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

// How results leave their slots, as a model whose every interleaving is looked at: one slot, three tasks after each
// other in it. A holder of a ticket takes or drops its task while submitters sweep the slot for the next ones. Each
// step is one access of Client::take(), drop(), sweep(), clear() or publish(). The model checks that a holder gets its
// own task's result, can always get it, and that no result is kept that will not be collected.

namespace {

enum class Flaw {
    none,
    any_task,  // a holder that finds the slot finished takes it, whichever task it has by now
    flag       // a drop marks the slot, not the task
};

using Byte = std::uint8_t;
enum WordPhase : Byte { free_slot, pending, started, done, taken };
struct SlotWord {
    Byte phase;
    Byte task;
    friend bool operator==(const SlotWord&, const SlotWord&) = default;
};
constexpr Byte tasks = 3;
constexpr Byte nobody = 0;

enum HolderStep : Byte {
    no_ticket,
    check_serial,
    mark,
    check_word,
    load_word,
    exchange,
    clear_serial,
    clear_word,
    give_back,
    lock,
    look_kept,
    unlock,
    over
};
struct Holder {
    Byte step;
    SlotWord saw;
    Byte again;  // the step after unlock
};
enum SubmitterStep : Byte {
    want_slot,
    look_free,
    sweep_load,
    sweep_exchange,
    sweep_mark,
    sweep_clear_serial,
    sweep_clear_word,
    set_serial,
    set_word,
    unlock_empty,
    submitted
};
struct Submitter {
    Byte step;
    SlotWord saw;
};

struct State {
    SlotWord word;
    Byte serial;
    Byte dropped;
    Byte returned;
    Byte mutex;  // its owner: holder 1 to 3, submitter 4 or 5
    Byte next;
    std::array<Byte, tasks + 1> kept;
    std::array<Holder, tasks + 1> holders;  // by task, from 1
    std::array<Submitter, 2> submitters;
};
static_assert(std::is_trivially_copyable_v<State> && alignof(State) == 1, "its bytes are its identity");

class Search {
public:
    Search(Flaw flaw, std::array<bool, tasks + 1> drops) : flaw_(flaw), drops_(drops) {}

    std::string run() {
        State start{};
        start.word = {done, 1};
        start.serial = 1;
        start.next = 2;
        start.holders[1].step = check_serial;
        visit(start);
        for (std::size_t at = 0; at < states_.size() && wrong_.empty(); ++at) {
            from_ = at;
            expand(State{states_[at]});
        }
        if (wrong_.empty()) { check_that_all_can_end(); }
        return wrong_;
    }
    [[nodiscard]] std::size_t states() const noexcept { return states_.size(); }

private:
    static constexpr std::size_t none = ~std::size_t{0};

    void visit(const State& state) {
        const auto [it, fresh] =
            numbers_.try_emplace(std::string{reinterpret_cast<const char*>(&state), sizeof state}, states_.size());
        if (fresh) {
            states_.push_back(state);
            comes_from_.emplace_back();
        }
        if (from_ != none) { comes_from_[it->second].push_back(from_); }
    }
    void fail(std::string_view what) {
        if (wrong_.empty()) { wrong_ = what; }
    }

    void expand(const State& s) {
        for (Byte task = 1; task <= tasks; ++task) { hold(s, task); }
        for (Byte which = 0; which < 2; ++which) { submit(s, which); }
        if (s.word.phase == pending || s.word.phase == started) {  // a worker
            State n = s;
            n.word.phase = s.word.phase == pending ? started : done;
            visit(n);
        }
    }

    void hold(const State& s, Byte task) {
        State n = s;
        Holder& me = n.holders[task];
        const bool drops = drops_[task];
        switch (me.step) {
            case check_serial:
                if (!drops && s.word.task == task && (s.word.phase == pending || s.word.phase == started)) {
                    return;
                }  // waits before it takes
                me.step = s.serial != task ? lock : drops ? mark : load_word;
                break;
            case mark:
                n.dropped = flaw_ == Flaw::flag ? 1 : std::max(n.dropped, task);
                me.step = check_word;
                break;
            case check_word: {
                const bool ours = flaw_ == Flaw::any_task || s.word.task == task;
                me.step = ours && (s.word.phase == pending || s.word.phase == started) ? over : load_word;
                break;
            }
            case load_word: {
                const bool ours = flaw_ == Flaw::any_task || s.word.task == task;
                me.saw = s.word;
                me.step = s.word.phase == done && ours ? exchange : lock;
                break;
            }
            case exchange:
                if (s.word == me.saw) {
                    n.word.phase = taken;
                    if (s.word.task != task) { fail("a result went to the wrong holder"); }
                    me.step = clear_serial;
                } else {
                    me.step = load_word;
                }
                break;
            case clear_serial:
                if (flaw_ == Flaw::flag) { n.dropped = 0; }
                n.serial = nobody;
                me.step = clear_word;
                break;
            case clear_word:
                n.word.phase = free_slot;
                me.step = give_back;
                break;
            case give_back:
                n.returned = 1;
                me.step = over;
                break;
            case lock:
                if (s.mutex != nobody) { return; }
                n.mutex = task;
                me.step = look_kept;
                break;
            case look_kept:
                me.again = drops || s.kept[task] != 0 ? over : check_serial;
                n.kept[task] = 0;
                me.step = unlock;
                break;
            case unlock:
                n.mutex = nobody;
                me.step = me.again;
                break;
            default: return;
        }
        me.saw = me.step == exchange ? me.saw : SlotWord{};
        visit(n);
    }

    void submit(const State& s, Byte which) {
        State n = s;
        Submitter& me = n.submitters[which];
        switch (me.step) {
            case want_slot:
                if (s.mutex != nobody) { return; }
                n.mutex = static_cast<Byte>(4 + which);
                me.step = look_free;
                break;
            case look_free:
                n.returned = 0;
                me.step = s.returned != 0 ? set_serial : s.serial == nobody ? unlock_empty : sweep_load;
                break;
            case sweep_load:
                me.saw = s.word;
                me.step = s.word.phase == done && s.word.task == s.serial ? sweep_exchange : unlock_empty;
                break;
            case sweep_exchange:
                if (s.word == me.saw) {
                    n.word.phase = taken;
                    me.step = sweep_mark;
                } else {
                    me.step = unlock_empty;
                }
                break;
            case sweep_mark: {
                const bool unwanted = flaw_ == Flaw::flag ? s.dropped != 0 : s.dropped == s.serial;
                if (!unwanted) { n.kept[s.serial] = 1; }
                me.step = sweep_clear_serial;
                break;
            }
            case sweep_clear_serial:
                if (flaw_ == Flaw::flag) { n.dropped = 0; }
                n.serial = nobody;
                me.step = sweep_clear_word;
                break;
            case sweep_clear_word:
                n.word.phase = free_slot;
                me.step = set_serial;
                break;
            case set_serial:
                n.serial = s.next;
                me.step = set_word;
                break;
            case set_word:
                n.word = {pending, s.next};
                n.holders[s.next].step = check_serial;
                ++n.next;
                n.mutex = nobody;
                me.step = submitted;
                break;
            case unlock_empty:
                n.mutex = nobody;
                me.step = want_slot;
                break;
            default: return;
        }
        if (me.step != sweep_exchange) { me.saw = {}; }
        visit(n);
    }

    [[nodiscard]] static bool is_end(const State& s) {
        for (Byte task = 1; task <= tasks; ++task) {
            if (s.holders[task].step != over) { return false; }
        }
        return s.submitters[0].step == submitted && s.submitters[1].step == submitted;
    }

    /// From every state, every process can still come to the end.
    void check_that_all_can_end() {
        std::vector<bool> can(states_.size(), false);
        std::vector<std::size_t> todo;
        for (std::size_t i = 0; i < states_.size(); ++i) {
            if (!is_end(states_[i])) { continue; }
            for (const Byte kept : states_[i].kept) {
                if (kept != 0) { fail("a result is kept that nobody will ask for"); }
            }
            can[i] = true;
            todo.push_back(i);
        }
        while (!todo.empty()) {
            const std::size_t at = todo.back();
            todo.pop_back();
            for (const std::size_t before : comes_from_[at]) {
                if (can[before]) { continue; }
                can[before] = true;
                todo.push_back(before);
            }
        }
        for (const bool one : can) {
            if (!one) { fail("somebody is stuck"); }
        }
    }

    Flaw flaw_;
    std::array<bool, tasks + 1> drops_;
    std::unordered_map<std::string, std::size_t> numbers_;
    std::vector<State> states_;
    std::vector<std::vector<std::size_t>> comes_from_;
    std::size_t from_ = none;
    std::string wrong_;
};

std::vector<std::array<bool, tasks + 1>> all_habits() {
    std::vector<std::array<bool, tasks + 1>> all;
    for (unsigned bits = 0; bits < 8; ++bits) {
        all.push_back({false, (bits & 1U) != 0, (bits & 2U) != 0, (bits & 4U) != 0});
    }
    return all;
}

std::string first_wrong(Flaw flaw) {
    for (const auto& drops : all_habits()) {
        std::string wrong = Search{flaw, drops}.run();
        if (!wrong.empty()) { return wrong; }
    }
    return "";
}

}  // namespace

TEST_CASE("in every interleaving: a result goes to its holder or to nobody if that one dropped it") {
    for (const auto& drops : all_habits()) {
        CAPTURE(drops[1], drops[2], drops[3]);
        Search search{Flaw::none, drops};
        CHECK(search.run() == "");
        CHECK(search.states() > 500);
    }
}

TEST_CASE("the search through all interleavings of takers and sweepers finds what is wrong") {
    CHECK(first_wrong(Flaw::any_task) == "a result went to the wrong holder");
    CHECK(first_wrong(Flaw::flag) != "");
}
