// SPDX-License-Identifier: BSL-1.0
// Sleeping and spinning workers, and the wake-ups between them: no task stays pending while all who could run it sleep.
//
// Mirrors   worker/loop      run(), search_or_sleep(), stop_searching();  task/seat SeatSet add(), remove(), take_one()
//           task/board       wake_for_new_task(), wake_one();  client/client_submit publish(): publish, then wake
//           worker/supervisor settle(), bypass_stopped_workers(), notify_again()
// Left out  the ring (a task is claimed in one step: see ring.pml), priorities (see levels.pml), the semaphore but for the two steps of
//           notify() (see parker.pml), a pool of one worker, which need not say that it spins. A worker that may spin does so or not.
// A task runs until all tasks have been claimed, as tasks do that wait for each other: so one that no worker looks for is a deadlock.
// One of the two workers may be killed or stopped at any step, and is not replaced, so that no newcomer looks; a stopped one may go on.
// Then tasks wait for nothing.
// Claims    Every task is claimed.

#define WORKERS 2
#define TASKS 2

#define EMPTY 0
#define PARKED 1
#define NOTIFIED 2

#define MORTAL (_pid == 1)                  // worker 0

byte pending, claimed;
byte sleeping, spinning;                    // SeatSets
byte parker[WORKERS];
bool posted[WORKERS];
bool dies, dead, stopped, told, struck;     // what befalls worker 0: killed, seen so; stopped, seen so; any of it

/// Two steps for a process that may die between them, one for the others: the remains of a slow one are in parker.pml.
inline notify(seat) {
    d_step {
        old = parker[seat]; parker[seat] = NOTIFIED;
        if
        :: old == PARKED && !MORTAL -> posted[seat] = true; old = EMPTY
        :: else
        fi
    }
    if
    :: old == PARKED -> posted[seat] = true
    :: else
    fi;
    old = EMPTY
}

/// take_one(), then notify(): a process that takes a seat out of the set must notify it. Loads and retries of take_one() are one step.
inline wake_one() {
    if
    :: d_step { sleeping & 1 -> sleeping = sleeping & ~1; chosen = 0 } notify(chosen)
    :: d_step { sleeping == 2 -> sleeping = sleeping & ~2; chosen = 1 } notify(chosen)
    :: sleeping == 0
    fi;
    chosen = 0
}

inline wake_for_new_task() {
    if
    :: spinning == 0 -> wake_one()
    :: else
    fi
}

proctype Worker(byte me) provided (!MORTAL || !stopped || claimed == TASKS) {
    byte old, chosen; bool searching;
    {
end:    do
        :: d_step { pending > 0 -> pending--; claimed++ }
            if
            :: d_step { searching -> searching = false; spinning = spinning & ~(1 << me) }  // stop_searching()
#ifndef BREAK_1  // it does not wake the next
                if
                :: pending > 0 -> wake_for_new_task()
                :: else
                fi
#endif
            :: else
            fi;
            claimed == TASKS || struck  // the task
        :: pending == 0 ->   // search_or_sleep()
            if
            :: d_step { searching -> spinning = spinning & ~(1 << me); searching = false }
            :: else
            fi;
            if
            :: true
            :: d_step { spinning = spinning | (1 << me); searching = true }
                if
                :: pending > 0 -> goto again
                :: d_step { spinning = spinning & ~(1 << me); searching = false }
                fi
            fi;
            sleeping = sleeping | (1 << me);
            if
#ifndef BREAK_2  // it does not look again
            :: pending > 0
            :: pending == 0 ->
#else
            :: true ->
#endif
                if
                :: d_step { parker[me] == EMPTY -> parker[me] = PARKED }
end_parked:         do
                    :: parker[me] != PARKED -> break
                    :: parker[me] == PARKED && posted[me] -> posted[me] = false
                    od
                :: parker[me] != EMPTY
                fi;
                parker[me] = EMPTY
            fi;
            d_step { sleeping = sleeping & ~(1 << me); searching = true }
again:      skip
        od
    } unless { d_step { me == 0 && dies -> dies = false; dead = true } }
}

proctype Fate() {
end:
    if
    :: d_step { dies = true; struck = true }
    :: d_step { stopped = true; told = true; struck = true }
        if :: stopped = false :: true fi
    :: true
    fi
}

inline notify_again(seat) {
    d_step {
        if
        :: parker[seat] == NOTIFIED || (parker[seat] == PARKED && !(sleeping & (1 << seat))) -> posted[seat] = true
        :: else
        fi;
        if
        :: !(sleeping & (1 << seat)) -> parker[seat] = NOTIFIED
        :: else
        fi
    }
}

proctype Supervisor() {
    byte old, chosen; bool killed;
end:
    do
    :: d_step { dead || told -> killed = dead; dead = false; told = false }
#ifndef BREAK_3  // a submitter that relied on it to look goes on doing so
        spinning = spinning & ~1;
#endif
        sleeping = sleeping & ~1;
#ifndef BREAK_4  // a sleeper that was taken out of the set and not notified
        notify_again(0);
        notify_again(1);
#endif
#ifndef BREAK_5  // the wake-up that was meant for it
        if
        :: pending > 0 && killed -> wake_for_new_task()
        :: pending > 0 && !killed -> wake_one()
        :: else
        fi
#endif
    od
}

proctype Submitter() {
    byte old, chosen, task;
    do
    :: task < TASKS ->
        pending++;
        wake_for_new_task();
        task++
    :: else -> break
    od;
    claimed == TASKS
}

init { atomic { run Worker(0); run Worker(1); run Fate(); run Supervisor(); run Submitter() } }
