// SPDX-License-Identifier: BSL-1.0
// Tasks that wait for tasks: lists of dependants, the bits that each of them misses, and the set of those that are ready.
//
// Mirrors   task/board_links  publish_blocked(), depend(), tell_dependants(), release_list(), satisfy(), clear_missing(), unblock(),
//                             release_for(), offer_ready_again(), claim_ready(), claim_made_ready();  task/links Edge::values()
//           client/client_links pin(), is_settled(), pop_settled(), unpin();  client/client_submit publish<true>()
//           worker/supervisor settle(), bypass_stopped_workers()
// Left out  the queue's rings (a task without dependencies is found by its word, and decided in the step that claims it), the set's two
//           levels (see levels.pml), sleepers (see sleepers.pml), retries (see slot_word.pml), a second word of bits, tasks that are
//           cancelled with another one, what the audit does for forgotten tasks.
// D needs A and B, and the parent may cancel it; E, of which there are only the bits, needs A too. When D is settled, its slot, its two edges
// and the slot of B get other tasks, while A's list may still be on its way: B's second one, and D's second one, which needs that by the edge
// that was A's, and A by the edge that was B's. The first worker dies at any step, or is stopped there and goes on at any time; the
// supervisor then does what that worker may have left out. What an edge says is read in two steps.
// Claims    D runs once, when what it needs is decided and still there, or is cancelled; neither D nor E is forgotten. A bit is cleared only
//           when its dependency is decided. No edge in an open list is freed.

#define A 0
#define B 1
#define D 2
#define E 3
#define NOTHING 4

#define FREE 0
#define BLOCKED 1
#define PENDING 2
#define DONE 3
#define CANCELLED 4
#define DECIDED(slot) (phase[slot] >= DONE)

#define CLOSED 7
#define SUBMITTING 1
#define FIRST 2
#define SECOND 4
#ifdef BREAK_2
#define ALL_OF_E 2
#define ALL_OF_D 3
#else
#define ALL_OF_E (SUBMITTING | FIRST)
#define ALL_OF_D (SUBMITTING | FIRST | SECOND)
#endif

// The word: phase, generation, seat, DEPENDED. A task's generation is its number too.
byte phase[4], generation[4], seat[4];
bool depended[2];
byte number[4];                             // of the slot's task; 0: none
byte list_number[2], list[2];               // Links::dependants: of A and B
byte missing_number[4], missing[4];         // Links::missing: of D and E
bool ready;                                 // D
byte to[4], to_number[4], edge_bit[4], from[4], from_number[4], next[4];  // edges, by name

bool dies, dead, busy;                      // of the first worker
byte strikes = 1;                           // deaths or stops that may still come

bool over[2], over_again;                   // ghosts: A and B have been decided, and B's second task
byte ran[3];                                // D, by number

#define FROM_OVER(slot, n, which) \
    ((slot == E || (n == 1) == (which == FIRST)) -> over[A] : (n == 1 -> over[B] : over_again))

// ---- who decides

inline unblock(slot, n) {
    if
    :: atomic { slot == D && phase[D] == BLOCKED && number[D] == n -> phase[D] = PENDING }
        if
        :: kept == NOTHING -> kept = D  // the worker's own next task
        :: ready = true
        fi
    :: else
    fi
}

inline clear(slot, n, which) {
    if
#ifdef BREAK_1  // whose bits they are is not looked at
    :: atomic { true ->
#else
    :: atomic { missing_number[slot] == n ->
#endif
#ifdef BREAK_2  // counts
           missing[slot] = (missing[slot] > 0 -> missing[slot] - 1 : 0);
#else
           assert((missing[slot] & which) == 0 || which == SUBMITTING || FROM_OVER(slot, missing_number[slot], which));
           missing[slot] = missing[slot] & ~which;
#endif
           left = missing[slot]
       }
        if
        :: left == 0 -> unblock(slot, n)
        :: left != 0 -> left = 0
        fi
    :: else
    fi
}

inline release(slot, n) {
    d_step {
        at = 0;
        if
        :: list_number[slot] == n && list[slot] != CLOSED -> at = list[slot]; list[slot] = CLOSED
        :: else
        fi
    }
    do
    :: at != 0 ->
#ifdef BREAK_3  // the dependency is looked at first
        d_step { its_from = from[at]; its_from_number = from_number[at]; then = next[at] }
        d_step { its_number = to_number[at]; its = to[at]; its_bit = edge_bit[at] }
#else
        its_number = to_number[at];
        d_step { its = to[at]; its_bit = edge_bit[at]; its_from = from[at]; its_from_number = from_number[at]; then = next[at] }
#endif
        if
        :: its_from == slot && its_from_number == n ->
            clear(its, its_number, its_bit);
#ifdef BREAK_4  // where the list goes on is read when the bit is cleared
            at = next[at]
#else
            at = then
#endif
        :: else -> at = 0
        fi
    :: else -> break
    od;
    atomic { its = 0; its_number = 0; its_bit = 0; its_from = 0; its_from_number = 0; then = 0 }
}

/// A task of that generation was decided in this slot.
inline tell_dependants(slot, g) {
    n = number[slot];
    if
#ifdef BREAK_5  // whether it is still there is not looked at
    :: true -> release(slot, n)
#else
    :: generation[slot] == g && DECIDED(slot) -> release(slot, n)
    :: !(generation[slot] == g && DECIDED(slot))
#endif
    fi;
    n = 0
}

#define LOCALS(keeps) byte slot = NOTHING, kept = keeps, g, n, at, then, its, its_number, its_bit, its_from, its_from_number, left; bool tells

inline decide(what) {
    phase[what] == PENDING && slot == NOTHING && (what == B || me == 1) ->
        slot = what; phase[what] = DONE; seat[what] = me; g = generation[what]; tells = depended[what];
        over[what] = over[what] || g == 1; over_again = over_again || g == 2; busy = busy || me == 1
}

proctype Worker(byte me) {
    LOCALS(NOTHING);
end_life:
    {
end:    do
        :: atomic { decide(A) }
        :: atomic { decide(B) }
        :: slot == A || slot == B ->
            if
            :: tells -> tell_dependants(slot, g)
            :: !tells
            fi;
            atomic { slot = kept; kept = NOTHING; g = 0; tells = false; busy = busy && (me != 1 || slot == D) }
        :: atomic { slot == NOTHING && ready -> slot = D; ready = false; busy = busy || me == 1 }
        :: slot == D ->
            if
            :: d_step { phase[D] == PENDING ->
                   phase[D] = DONE; ran[generation[D]]++;
                   assert(ran[generation[D]] == 1 && over[A] && number[A] == 1 && DECIDED(A) && number[B] == generation[D] && DECIDED(B))
               }
            :: phase[D] != PENDING
            fi;
            atomic { slot = NOTHING; busy = busy && me != 1 }
        od
    } unless {
        atomic {
            me == 1 && dies -> dies = false; dead = true; slot = NOTHING; kept = NOTHING; g = 0; n = 0; tells = false;
            at = 0; then = 0; its = 0; its_number = 0; its_bit = 0; its_from = 0; its_from_number = 0; left = 0
        }
    }
    !dead;  // forked anew, with the same seat
    goto end_life
}

proctype Fate() {
end:
    d_step { busy && strikes > 0 -> strikes--; dies = true }
}

// ---- supervisor

inline look_at_edge(which) {
    if
    :: to[which] == slot && to_number[which] == number[slot] ->
        d_step { known_number = to_number[which]; known = to[which]; known_bit = edge_bit[which]; g = from[which]; n = from_number[which] }
        if
        :: DECIDED(g) && seat[g] == 1 && number[g] == n ->
#ifndef BREAK_6  // a list that it has not closed stays open
            release(g, n);
#endif
            clear(known, known_number, known_bit)
        :: else
        fi
    :: else
    fi;
    atomic { known = 0; known_number = 0; known_bit = 0; g = 0; n = 0 }
}

inline release_for_first() {
#ifndef BREAK_7  // bits that it has not cleared stay set
    slot = D;
    look_at_edge(1);
    look_at_edge(3);
    slot = E;
    look_at_edge(2);
#endif
#ifndef BREAK_8  // what it has not offered is not offered
    ready = ready || phase[D] == PENDING;
#endif
    slot = NOTHING
}

proctype Supervisor() {
    LOCALS(FREE);
    byte known, known_number, known_bit;
end:
    do
    :: dead ->
        release_for_first();
        atomic { dead = false; busy = false }
    :: atomic { busy && !dead && strikes > 0 -> strikes-- }
        release_for_first()
    od
}

// ---- parent

inline pin(edge, slot, which, what) {
    from[edge] = what; from_number[edge] = number[what]; to[edge] = slot; edge_bit[edge] = which
}

inline depend(edge, what) {
    d_step {
        first = (list_number[what] == number[what] -> list[what] : 0);
        if
        :: first != CLOSED -> next[edge] = first; list_number[what] = number[what]; list[what] = edge
        :: else
        fi
    }
    if
    :: first == CLOSED -> clear(to[edge], to_number[edge], edge_bit[edge])
    :: first != CLOSED ->
#ifdef BREAK_9  // whether it has been decided meanwhile is not looked at
        depended[what] = true
#else
        d_step { tells = DECIDED(what); depended[what] = true }
        if
        :: tells -> release(what, number[what])
        :: !tells
        fi
#endif
    fi;
    d_step { first = 0; tells = false }
}

inline publish(slot, n, bits) {
    d_step { missing_number[slot] = n; missing[slot] = bits; phase[slot] = BLOCKED; generation[slot] = n; seat[slot] = 0 }
}

inline unpin(edge) {
    assert(list_number[from[edge]] != from_number[edge] || list[from[edge]] == CLOSED)
}

#ifdef BREAK_10  // a task is settled when it is decided
#define IS_SETTLED(slot) DECIDED(slot)
#else
#define IS_SETTLED(slot) (DECIDED(slot) && missing[slot] == 0)
#endif

proctype Parent() {
    LOCALS(FREE);
    byte first;
    d_step {
        number[A] = 1; generation[A] = 1; number[B] = 1; generation[B] = 1;
        pin(2, E, FIRST, A);
        number[E] = 1; to_number[2] = 1; list_number[A] = 1; list[A] = 2; depended[A] = true;
        missing_number[E] = 1; missing[E] = ALL_OF_E - 1;
        pin(1, D, FIRST, A);
        pin(3, D, SECOND, B);
        number[D] = 1; to_number[1] = 1; to_number[3] = 1;
        missing_number[D] = 1; missing[D] = ALL_OF_D; phase[D] = BLOCKED; generation[D] = 1;
        next[1] = 2; list[A] = 1;
        phase[A] = PENDING; phase[B] = PENDING
    }
    depend(3, B);
    clear(D, 1, SUBMITTING);

    if
    :: atomic { phase[D] == BLOCKED || phase[D] == PENDING -> phase[D] = CANCELLED }
    :: true
    fi;
#ifndef BREAK_11  // its dependencies are not pinned
    IS_SETTLED(D);
#endif
    DECIDED(B);
#ifdef BREAK_11
    number[B] = 0; phase[B] = FREE;
    IS_SETTLED(D);
#endif
    atomic {
        unpin(1); unpin(3);
        assert(phase[D] == CANCELLED || ran[1] == 1);
        number[D] = 0; phase[D] = FREE; number[B] = 0; phase[B] = FREE
    }

    number[B] = 2;
    d_step {
        phase[B] = PENDING; generation[B] = 2; seat[B] = 0; depended[B] = false;
        pin(1, D, FIRST, B);
        pin(3, D, SECOND, A)
    }
    d_step { number[D] = 2; to_number[1] = 2; to_number[3] = 2 }
    publish(D, 2, ALL_OF_D);
    depend(1, B);
    depend(3, A);
    clear(D, 2, SUBMITTING);

    IS_SETTLED(D) && missing[E] == 0;
    atomic { unpin(1); unpin(2); unpin(3); assert(ran[2] == 1) }
}

init { atomic { run Worker(1); run Worker(2); run Fate(); run Supervisor(); run Parent() } }
