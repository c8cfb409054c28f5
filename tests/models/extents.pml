// SPDX-License-Identifier: BSL-1.0
// Memory of large results: taken and grown by workers that may be killed at any step, given back by the process that frees the slot.
//
// Mirrors   task/extents acquire(), take(), put_back(), release(), release_all_of();  task/store grow(), seal(),
//           release_after_death(), release();  worker/casualties settle_task();  client/client_collect clear()
// Left out  sizes, warm and cold, the commit of fresh memory (a run is refused only when there is no room, and the task then ends without a
//           result); the slot's word (its phases are here, each step of it is in slot_word.pml).
// Two workers, a slot each, three extents. The result grows from nothing to a run of one, then of two, and is sealed after each. Each
// worker dies once or not at all. Task 1 may run again, task 2 is lost then, and the parent reads what it has left, as map() does.
// Claims    No process frees or writes memory of another. A run that a slot names is the slot's. When all slots are free, so are all extents.

#define EXTENTS 3

#define STARTED 0
#define DONE 1
#define LOST 2
#define FREE 3

byte stamp[EXTENTS];                            // 0: free, else task and attempt
byte phase[3];
byte run_first[3], run_count[3];                // slot.large_result.run
bool large[3], has_extents[3];
bool dies[3], dead[3];
byte attempt[3];
#define OWNER(task) (task + 2 * attempt[task])   // Extents::stamp(); another generation is not needed, as what is left is freed before

inline give(extent, owner) {
    atomic { assert(stamp[extent] == owner); stamp[extent] = 0 }
}

/// Leaves the first extent in `got`, or EXTENTS.
inline acquire(wanted) {
    got = 0;
    do
    :: got + wanted > EXTENTS -> got = EXTENTS; break
    :: got + wanted <= EXTENTS ->
        have = 0;
        do
        :: have == wanted -> break
        :: atomic { have < wanted && stamp[got + have] == 0 -> stamp[got + have] = OWNER(me) } have++
        :: have < wanted && stamp[got + have] != 0 -> break
        od;
        if
        :: have == wanted -> break
        :: else ->
            next = got + have + 1;
            do
            :: have > 0 -> have--; give(got + have, OWNER(me))
            :: else -> break
            od;
            got = next; next = 0
        fi
    od;
    have = 0
}

inline note(wanted) {
#ifdef BREAK_2  // what is given back is still named by the slot
    if
    :: wanted == 2 -> give(run_first[me], OWNER(me))
    :: else
    fi;
    atomic { run_first[me] = got; run_count[me] = wanted }
#else
    atomic { before = run_first[me]; run_first[me] = got; run_count[me] = wanted }  // one word
    if
    :: wanted == 2 -> give(before, OWNER(me))   // was_large
    :: else
    fi;
    before = 0
#endif
}

proctype Worker(byte me) {
    byte got, have, next, before;
again:
    {
        phase[me] == STARTED;
#ifndef BREAK_1
        has_extents[me] = true;
#endif
        acquire(1);                             // grow()
        if
        :: got == EXTENTS -> goto finish
        :: else
        fi;
#ifdef BREAK_1  // after the first extent is taken
        has_extents[me] = true;
#endif
        note(1);
        large[me] = true;                       // seal()
        acquire(2);
        if
        :: got == EXTENTS -> goto finish
        :: else
        fi;
        note(2);
finish: atomic { phase[me] = DONE; got = 0 }
    } unless { atomic { dies[me] -> dies[me] = false; dead[me] = (phase[me] == STARTED); got = 0; have = 0; next = 0; before = 0 } }
    if
    :: dies[me] == false && phase[me] == STARTED && attempt[me] == 1 && !dead[me] -> goto again
    :: phase[me] == LOST || phase[me] == DONE || phase[me] == FREE
    fi
}

proctype Fate(byte me) {
end:
    if :: dies[me] = true :: true fi
}

inline release_after_death(task) {
    if
    :: has_extents[task] ->
#ifdef BREAK_3  // only what the slot names
        do
        :: run_count[task] > 0 -> run_count[task]--; give(run_first[task] + run_count[task], OWNER(task))
        :: else -> break
        od
#else
        extent = 0;
        do
        :: extent < EXTENTS ->
            if
            :: stamp[extent] == OWNER(task) -> give(extent, OWNER(task))
            :: else
            fi;
            extent++
        :: else -> break
        od;
        extent = 0
#endif
    :: else
    fi;
    atomic { has_extents[task] = false; large[task] = false }
}

proctype Supervisor() {
    byte extent;
end:
    do
    :: dead[1] ->
        release_after_death(1);
        atomic { attempt[1] = 1; dead[1] = false }
    :: atomic { dead[2] -> dead[2] = false; phase[2] = LOST }
    od
}

inline clear(task) {
    if
    :: large[task] ->                           // what is read lies in the slot's own memory
        assert(stamp[run_first[task]] == OWNER(task));
        assert(stamp[run_first[task] + run_count[task] - 1] == OWNER(task))
    :: else
    fi;
    if
    :: phase[task] == LOST -> release_after_death(task)
    :: phase[task] == DONE && large[task] ->
        do
        :: run_count[task] > 0 -> run_count[task]--; give(run_first[task] + run_count[task], OWNER(task))
        :: else -> break
        od
    :: else
    fi;
    phase[task] = FREE
}

proctype Parent() {
    byte extent;
    do
    :: phase[1] == DONE || phase[1] == LOST -> clear(1)
    :: phase[2] == DONE || phase[2] == LOST -> clear(2)
    :: phase[1] == FREE && phase[2] == FREE -> break
    od;
    atomic { assert(stamp[0] == 0 && stamp[1] == 0 && stamp[2] == 0) }
}

init { atomic { run Worker(1); run Worker(2); run Fate(1); run Fate(2); run Supervisor(); run Parent() } }
