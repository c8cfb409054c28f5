// SPDX-License-Identifier: BSL-1.0
// When the supervisor looks at deadlines again, while tasks are submitted and started without a word to it.
//
// Mirrors   worker/deadlines      arm() and look(), one slot after the other;  worker/supervisor sleep()
//           client/client_submit  publish(): the word, then arm(): look at `armed`, ring
//           worker/loop           a claim, at any time, and the clock that starts with it
// Left out  what look() does to a task that is late (see deadlines.pml), the resolution of a millisecond. Time passes when it likes.
// Two tasks with timeouts of 2 and 1, from one submitter. A worker may die and give its task back, by which time it may run is new: the
// supervisor does that itself, and looks afterwards.
// Claims    Whenever the supervisor sleeps and no submitter is about to ring, it will wake no later than any running task expires, and no later
//           than one that starts now would. A submitter that was held up between publishing and reading the clock makes the supervisor
//           late by that much.

#define NEVER 99
#define TIMES 2

#define FREE 0
#define PENDING 1
#define STARTED 2

byte now;
byte armed, wakes_at;                 // wakes_at: what it gave to poll()
byte phase[2], expires[2];
byte would[2];                        // when a task would have expired that started when its submitter read the clock
#define TIMEOUT(task) (2 - task)
bool bell, asleep;
bool at_it[2];                        // ghost: the submitter has published this task and not yet looked at `armed`

proctype Clock() {
end:
    do
    :: now < TIMES -> now++
    od
}

/// Looks at one slot.
inline look(task) {
    d_step {
        if
#ifdef BREAK_1  // tasks that have not started cannot expire
        :: false
#else
        :: phase[task] == PENDING && seen + TIMEOUT(task) < found -> found = seen + TIMEOUT(task)
#endif
        :: phase[task] == STARTED && expires[task] < found -> found = expires[task]
        :: else
        fi
    }
}

inline find() {
    d_step { found = NEVER; seen = now }
    look(0);
    look(1)
}

proctype Supervisor() {
    byte next, found, seen;
end:
    do
    :: now < TIMES ->
        find();
        next = found;
        do
        :: armed = next;
#ifdef BREAK_2  // it does not look again once `armed` is there to be seen
            break
#endif
            find();
            if
            :: found >= next -> break
            :: else -> next = found
            fi
        od;
        atomic { found = 0; wakes_at = next; next = 0; seen = 0; asleep = true }
end_sleep:
        atomic { bell || now >= wakes_at -> asleep = false; bell = false }
        if  // reap_all(): a death, and another attempt
        :: phase[0] == STARTED -> d_step { phase[0] = PENDING; expires[0] = 0 }
        :: true
        fi
    od
}

proctype Submitter(byte task) {
#ifdef BREAK_3  // it looks before it has published
    would[task] = now + TIMEOUT(task);
    if
    :: would[task] < armed -> bell = true
    :: else
    fi;
    d_step { phase[task] = PENDING }
#else
    d_step { phase[task] = PENDING; at_it[task] = true }
    would[task] = now + TIMEOUT(task);
    if
    :: would[task] < armed -> bell = true
    :: else
    fi;
    at_it[task] = false
#endif
}

proctype Worker(byte task) {
end:
    do
    :: d_step { phase[task] == PENDING -> phase[task] = STARTED; expires[task] = now + TIMEOUT(task) }
    od
}

#define LATE(task) (!at_it[task] && ((phase[task] == STARTED && expires[task] < wakes_at && would[task] < wakes_at) || (phase[task] == PENDING && now + TIMEOUT(task) < wakes_at)))

proctype Watch() {
end:
    d_step { asleep && !bell && (LATE(0) || LATE(1)) -> assert(false) }
}

init { atomic { run Clock(); run Supervisor(); run Submitter(0); run Submitter(1); run Worker(0); run Worker(1); run Watch() } }
