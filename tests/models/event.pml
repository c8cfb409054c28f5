// SPDX-License-Identifier: BSL-1.0
// Two that wait for an event and one that sets it and clears it at once: all that had come are released.
//
// Mirrors   sync/event        wait(), clear()
//           sync/word         set_and_wake(), sleep_on()
//           os/futex          the kernel compares the word in one step with the sleep; change_and_wake() is one step
// Left out  deadlines (a sleeper that gives up leaves its bit, as one that is killed), destruction, and the wrap of the generation.
//           A latch is the same with a count for the flag, and without clear().
// The first that waits and the setter die at any step, or not. Where the setter died before it set, a second one sets, as its
// users would have to.
// Claims    Everybody that had seen the event before it was set and lives comes to an end.

#define WORD (generation * 4 + flag * 2 + asleep)

byte generation;
bit flag, asleep;
bool in_kernel[2];
bool came[2];
bool dies[2], dead[2];             // 0: the first that waits; 1: the setter

inline sleep(me, seen) {
    atomic {
        if
#ifdef BREAK_3     // it sleeps whatever the word says
        :: true -> in_kernel[me] = true
#else
        :: WORD == (seen | 1) -> in_kernel[me] = true
        :: else
#endif
        fi
    }
    !in_kernel[me]
}

inline wake_all() { in_kernel[0] = false; in_kernel[1] = false }

proctype Waiter(byte me) {
    byte seen, first;
    {
        d_step { seen = WORD; first = generation; came[me] = true }
        do
        :: (seen & 2) -> break
#ifndef BREAK_2    // it looks at the flag only
        :: !(seen & 2) && seen / 4 != first -> break
        :: !(seen & 2) && seen / 4 == first ->
#else
        :: !(seen & 2) ->
#endif
            if
            :: (seen & 1) -> sleep(me, seen)
            :: d_step { !(seen & 1) && WORD == seen -> asleep = 1 } -> sleep(me, seen)
            :: d_step { !(seen & 1) && WORD != seen }
            fi;
            seen = WORD
        od;
        seen = 0;
        first = 0
    } unless { d_step { me == 0 && dies[0] -> dies[0] = false; dead[0] = true; in_kernel[0] = false } }
}

inline set() {
    do
    :: seen = WORD;
        if
        :: !(seen & 1) || (seen & 2) ->
            if
            :: d_step { WORD == seen -> flag = 1; asleep = 0 } break
            :: WORD != seen
            fi
        :: else ->
#ifndef BREAK_1    // the change and the wake-up are two steps
            d_step { flag = 1; wake_all() }
#else
            flag = 1;
            wake_all();
#endif
            break
        fi
    od
}

inline clear() {
    d_step {
        if
        :: flag -> generation++; flag = 0; asleep = 0
        :: else
        fi
    }
}

proctype Setter() {
    byte seen;
    {
        came[1] && (came[0] || dead[0]);
        set();
        clear()
    } unless { d_step { dies[1] -> dies[1] = false; dead[1] = true } }
}

proctype Second() {
    byte seen;
end:
    dead[1] && came[1] && (came[0] || dead[0]);
    if
    :: generation == 0 && !flag -> set(); clear()
    :: else
    fi
}

proctype Fate(byte who) {
end:
    if :: dies[who] = true :: true fi
}

init { atomic { run Waiter(0); run Waiter(1); run Setter(); run Second(); run Fate(0); run Fate(1) } }
