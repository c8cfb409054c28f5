// SPDX-License-Identifier: BSL-1.0
// Pauses in which one worker alone takes tasks: no submission relies on one that has to wait.
//
// Mirrors   worker/loop          run(), must_sit_out(), sit_out(), search_or_sleep(), stop_searching();  task/seat SeatSet
//           worker/memory_guard  admit(), choose();  task/board wake_for_new_task(), wake_one(), wake_seats()
//           client/client_submit publish(): publish, then wake
// Left out  deaths and stops (see sleepers.pml: the supervisor chooses another worker then, as it does here at any time), the ring, mail,
//           which wakes its worker by itself, the steps of notify() (see parker.pml).
// The worker that goes on changes at any time, as often as the model says; in the end the pause stays or not.
// Claims    Every task is claimed.

#define WORKERS 2
#define TASKS 2
#define CHANGES 1

#define EMPTY 0
#define PARKED 1
#define NOTIFIED 2

byte pending, claimed;
byte sleeping, spinning;  // SeatSets
byte goes_on = 1;         // Seat::goes_on
bool paused = true;
byte parker[WORKERS];

inline notify(seat) {
    d_step {
        if
        :: parker[seat] == PARKED -> parker[seat] = EMPTY
        :: else -> parker[seat] = NOTIFIED
        fi
    }
}

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

inline begin_to_park() {
    d_step {
        if
        :: parker[me] == EMPTY -> parker[me] = PARKED
        :: parker[me] == NOTIFIED -> parker[me] = EMPTY
        fi
    }
}

inline stop_searching() {
#ifdef BREAK_1  // it still counts as one that looks for tasks
    searching = false;
#else
    d_step { searching = false; spinning = spinning & ~(1 << me) }
#endif
    if
    :: pending > 0 -> wake_for_new_task()
    :: else
    fi
}

/// Two loads.
inline look_at_orders() {
    waits = paused;
    if
    :: waits -> waits = !(goes_on & (1 << me))
    :: else
    fi
}

proctype Worker(byte me) {
    byte chosen; bool searching, waits;
end: do
    :: look_at_orders();
        if
        :: waits ->   // sit_out()
#ifndef BREAK_2  // what relied on it relies on nobody
            stop_searching();
#endif
            look_at_orders();
            if
            :: waits ->
                begin_to_park();
end_out:        parker[me] != PARKED
            :: else
            fi
        :: else ->
            if
            :: d_step { pending > 0 -> pending--; claimed++ }
                if
                :: searching -> stop_searching()
                :: else
                fi
            :: pending == 0 ->   // search_or_sleep()
                d_step { spinning = spinning & ~(1 << me); searching = false }
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
                :: pending > 0
                :: pending == 0 ->
                    begin_to_park();
end_asleep:         parker[me] != PARKED
                fi;
                d_step { sleeping = sleeping & ~(1 << me); searching = true }
            fi
        fi;
again:  skip
    od
}

inline wake_seats() {
#ifndef BREAK_3  // those that wait do not learn that they need not
    notify(0);
    notify(1);
#endif
    skip
}

proctype Supervisor() {
    byte changes;
    do
    :: changes < CHANGES ->   // choose(): the one that did no more, then another
        if
        :: goes_on = 0; goes_on = 1
        :: goes_on = 0; goes_on = 2
        fi;
        paused = true;
        wake_seats();
        changes++
    :: paused -> paused = false; wake_seats(); break
    :: changes == CHANGES -> break
    od
}

proctype Submitter() {
    byte chosen, task;
    do
    :: task < TASKS ->
        pending++;
        wake_for_new_task();
        task++
    :: else -> break
    od;
    claimed == TASKS
}

init { atomic { run Worker(0); run Worker(1); run Supervisor(); run Submitter() } }
