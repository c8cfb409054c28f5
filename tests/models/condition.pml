// SPDX-License-Identifier: BSL-1.0
// Condition: no waiter misses a notification, though the bit that says that somebody sleeps comes and goes.
//
// Mirrors   sync/condition    wait() without a predicate in the usual loop; notify_one(), notify_all(), with the word's generation and bit
//           os/futex          a sleep begins only if the word is as seen, in one step of the kernel; change_and_wake() is one step too
// Left out  deadlines; the wrap of the generation; the destructor. The predicate form looks again by itself, so it needs no model.
// Three waiters take one thing each. Three notifiers bring one each, with the lock, and notify without it: one or all, as each likes; or
// all of them all, and then one waiter may be killed at any step without the lock (with it, the lock tells the others).
// Claims    Every waiter that lives gets its thing: no process is left behind.
// BREAK_1   The bit is cleared by a step of its own when nobody was woken.
// BREAK_2   The word is read, and the bit set, after the unlock.
// BREAK_3   A notifier looks whether somebody sleeps before it has changed what they wait for.

#define NONE 9
#define WORD (generation * 2 + asleep)

byte generation;
bit asleep;
byte things;
byte mutex = NONE;
bool in_kernel[3];
bool mortal;  // the last waiter may die; all notifiers wake all

inline wake_all() {  // ADD 1: from odd to even, or from even to odd when another was faster
    d_step {
        if
        :: asleep -> generation++; asleep = 0
        :: else -> asleep = 1
        fi;
        in_kernel[0] = false; in_kernel[1] = false; in_kernel[2] = false
    }
}

proctype Waiter(byte me) {
    byte seen;
again:
    atomic {  // with the lock, and so in one step but for what notifiers see without it
        mutex == NONE;
        if
        :: things > 0 -> things--; goto end
        :: else
        fi;
        mutex = me
    }
#ifdef BREAK_2
    mutex = NONE;
#endif
    d_step { asleep = 1; seen = WORD }
    if
    :: mutex == me -> mutex = NONE
    :: else
    fi;
    if
    :: mortal && me == 2 -> goto end  // killed before it sleeps
    :: atomic { WORD == seen -> in_kernel[me] = true }
    :: WORD != seen -> goto again
    fi;
    if
    :: !in_kernel[me] -> goto again
    :: mortal && me == 2 -> in_kernel[me] = false  // killed asleep, or as it is woken
    fi;
end:
    skip
}

proctype Notifier() {
    bool woken;
    byte seen;
#ifdef BREAK_3
    bool early = asleep;
    atomic { mutex == NONE -> things++ }
    if
    :: !early -> goto end
    :: else
    fi;
#else
    atomic { mutex == NONE -> things++ }
#endif
    if
    :: asleep == 0
    :: asleep == 1 ->
        if
        :: !mortal ->
            atomic {  // ADD 2, waking one
                generation++;
                if
                :: in_kernel[0] -> in_kernel[0] = false; woken = true
                :: in_kernel[1] -> in_kernel[1] = false; woken = true
                :: in_kernel[2] -> in_kernel[2] = false; woken = true
                :: !in_kernel[0] && !in_kernel[1] && !in_kernel[2] -> woken = false
                fi;
                seen = WORD
            }
            if
            :: woken || asleep == 0
            :: !woken && asleep == 1 ->
#ifdef BREAK_1
                d_step {
                    if
                    :: WORD == seen -> asleep = 0
                    :: else
                    fi
                }
#else
                wake_all()
#endif
            fi
        :: true -> wake_all()
        fi
    fi;
end:
    skip
}

init {
    atomic {
        if
        :: mortal = true
        :: mortal = false
        fi;
        run Waiter(0); run Waiter(1); run Waiter(2); run Notifier(); run Notifier(); run Notifier()
    }
}
