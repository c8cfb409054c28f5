// SPDX-License-Identifier: BSL-1.0
// A barrier of three, one of whom may die at any step, while somebody resets it: those that have come pass or are told.
//
// Mirrors   sync/barrier      arrive(), pass(), wait_for_end(), has_dead(), reset(), abort(); the word, with how the last rounds ended
//           sync/robust_lock  the kernel releases the lock of a dead holder, and tells the next one
//           os/futex          the kernel compares the word in one step with the sleep
// Left out  deadlines (as abort(), but in two steps, as when a dead party is seen), the completion function (a step before the pass), Party (a
//           stamp that is looked at before it has come), destruction, and rounds beyond those whose ends are kept.
// A slice of waiting ends at any time, but only where there is something to see: a claim that more of them would satisfy holds
// without. A party that has died is unknown to the barrier before it comes: then the users' abort() has to do. A party that is told
// comes once more.
// Claims    Everybody that lives comes to an end. All that waited in a round learn the same of it. Nobody passes with one that was
//           dead when the last one came.

#define NOBODY 9
#define WORD (round * 2 + broken)

byte lock = NOBODY;
bool owner_died;
byte round;
bit broken;
bool passed[5];                    // how each round ended
byte arrived;
byte who[3] = NOBODY;
bool in_kernel[3];
bool dies, dead;

#define CAME ((arrived > 0 && who[0] == 0) || (arrived > 1 && who[1] == 0) || (arrived > 2 && who[2] == 0))
#ifdef BREAK_1     // nobody looks at stamps
#define STAMPED false
#else
#define STAMPED CAME
#endif
#ifdef BREAK_2     // that the last owner of the lock died is no matter
#define OWNERLESS false
#else
#define OWNERLESS owner_died
#endif

inline wake_all() { d_step { in_kernel[0] = false; in_kernel[1] = false; in_kernel[2] = false } }
inline abort() { d_step { broken = 1; in_kernel[0] = false; in_kernel[1] = false; in_kernel[2] = false } }

/// change_and_wake(): breaks the barrier if the word is as seen.
inline break_if() {
    if
    :: d_step { WORD == seen -> broken = 1 } wake_all()
    :: WORD != seen
    fi
}

proctype Party(byte me) {
    byte seen, place, rounds;
    bool told, late;
    {
        skip;
again:  atomic { lock == NOBODY -> lock = me; told = OWNERLESS }
        if
        :: told -> abort(); owner_died = false
        :: !told
        fi;
        seen = WORD;
        if
        :: (seen & 1) -> lock = NOBODY; goto broke
        :: !(seen & 1)
        fi;
        place = arrived;
        who[place] = me;
        arrived = place + 1;
        if
        :: place == 2 ->
            late = dead && CAME;
#ifndef BREAK_3    // the last one does not look at the stamps
            if
            :: dead && STAMPED -> abort(); lock = NOBODY; goto broke
            :: else
            fi;
#endif
            assert(!late);
            arrived = 0;
#ifndef BREAK_5    // a broken barrier is passed
            if
            :: d_step { WORD == seen -> passed[round] = true; round++ } lock = NOBODY; wake_all(); goto out
            :: WORD != seen -> lock = NOBODY; goto broke
            fi
#else
            d_step { passed[round] = true; round++ }
            lock = NOBODY;
            wake_all();
            goto out
#endif
        :: place < 2
        fi;
        lock = NOBODY;
        do
        :: atomic {
                if
                :: WORD == seen -> in_kernel[me] = true
                :: else
                fi
            }
            if
            :: !in_kernel[me]
            :: WORD != seen || (dead && (STAMPED || OWNERLESS)) -> in_kernel[me] = false  // the end of a slice
            fi;
            d_step {
                rounds = round - seen / 2;
                told = broken
            }
            if
            :: rounds > 0 && passed[seen / 2] -> goto out
            :: rounds > 0 && !passed[seen / 2] -> goto broke
            :: rounds == 0 && told -> assert(!passed[seen / 2]); goto broke
            :: rounds == 0 && !told && dead && (STAMPED || OWNERLESS) -> break_if()
            :: else
            fi
        od;
broke:  skip;
        d_step { seen = 0; place = 0; rounds = 0; told = false }
        if
        :: !broken && round < 3 -> goto again  // was reset
        :: else
        fi;
out:    skip;
        d_step { seen = 0; place = 0; rounds = 0; told = false; late = false }
    } unless {
        d_step { me == 0 && dies ->
            dies = false;
            dead = true;
            in_kernel[0] = false;
            if
            :: lock == 0 -> lock = NOBODY; owner_died = true
            :: else
            fi }
    }
}

proctype Resetter() {
    bool told;
    atomic { lock == NOBODY -> lock = 3; told = owner_died }
    arrived = 0;
#ifndef BREAK_4    // reset() leaves those that wait where they are
    d_step { round++; broken = 0 }
    wake_all();
#else
    broken = 0;
#endif
    if
    :: told -> owner_died = false
    :: !told
    fi;
    lock = NOBODY
}

proctype Fate() {
end:
    if :: dies = true :: true fi
}

/// The users' time-out.
proctype User() {
end:
    do
    :: d_step { dead && !CAME && !owner_died && !broken && lock == NOBODY -> broken = 1; in_kernel[0] = false; in_kernel[1] = false; in_kernel[2] = false }
    od
}

init { atomic { run Party(0); run Party(1); run Party(2); run Resetter(); run Fate(); run User() } }
