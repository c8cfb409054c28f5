// SPDX-License-Identifier: BSL-1.0
// refork(): all workers and their supervisor make way for new ones that see the parent's memory as it is now, while tasks are submitted and run.
//
// Mirrors   engine/fork         refork(), start()
//           worker/loop         run(), must_make_room(), is_being_replaced(), must_leave(), search_or_sleep()
//           worker/supervisor   run(), settle(), spawn_what_is_due(), needs_workers(), may_end(), settle_everything()
//           task/control        goes_on();  task/board wake_all(), wake_for_new_task(), requeue()
// Left out  how tasks are claimed and parkers work (see slot_word.pml, parker.pml): a parker is a flag that the parking thread takes down; spinning;
//           recycling; deadlines; the parent's death, with which all die. What wakes the supervisor: it looks whenever there is something.
// Two workers, two tasks that may run again when their worker dies: the first submitted at any time, the second when refork() has returned. A
// worker or a supervisor dies at any step, once; a supervisor takes its workers along. The pool is closed in the end.
// Claims    Never two supervisors, and no worker without one. The task that was submitted after refork() is run by a new worker. Every task ends,
//           and is lost only if the supervisor was killed. refork() returns and the pool ends.

#define NONE 0
#define ASKED 1
#define HANDED_OVER 2

#define PENDING 1
#define STARTED 2
#define FINISHED 3
#define LOST 4

byte refork, life;                    // life: 0 open, 1 closing, 2 broken
byte phase[2], run_by[2];
#define QUEUE_EMPTY (phase[0] != PENDING && phase[1] != PENDING)
bool sleeping[2], notified[2];        // by seat
bool alive[2], gone[2], dies[2];
bool supervised, ended;               // supervised: a supervisor runs; ended: it has settled everything
bool supervisor_dies, supervisor_killed;
byte age = 1;                         // ghosts: how often the parent's memory has been inherited; with which age a worker was forked
byte born[2];
byte deaths = 1;
bool reforked, submitted[2];

#define GOES_ON (life == 0 && refork == NONE)
#define STOPPING (life == 2)
#define ANYBODY (alive[0] || alive[1])

/// In one step, since a death between two of them is the matter of parker.pml.
inline wake_one() {
    d_step {
        if
        :: sleeping[0] -> sleeping[0] = false; notified[0] = true
        :: !sleeping[0] && sleeping[1] -> sleeping[1] = false; notified[1] = true
        :: else
        fi
    }
}
inline wake_all() {
    d_step {
        if :: sleeping[0] -> sleeping[0] = false; notified[0] = true :: else fi;
        if :: sleeping[1] -> sleeping[1] = false; notified[1] = true :: else fi
    }
}

proctype Worker(byte me) {
    byte task;
end_seat:
    alive[me] && !gone[me];
    {
        do
        ::  if :: refork != NONE -> break :: refork == NONE fi;
            if
            :: d_step { phase[0] == PENDING -> phase[0] = STARTED; run_by[0] = me; task = 1 }
            :: d_step { phase[0] != PENDING && phase[1] == PENDING -> phase[1] = STARTED; run_by[1] = me; task = 2 }
            :: QUEUE_EMPTY -> task = 0
            fi;
            if
            :: task != 0 ->
                atomic { assert(supervised || supervisor_killed); assert(task == 1 || born[me] == 2 || supervisor_killed) };
                atomic { phase[task - 1] = FINISHED; task = 0 }
            :: else ->
                if
                :: !GOES_ON -> if :: QUEUE_EMPTY -> break :: else fi
                :: GOES_ON ->
                    sleeping[me] = true;
                    if
#ifdef BREAK_2     // it does not look again when it can be seen that it sleeps
                    :: true -> atomic { notified[me] -> notified[me] = false }
#else
                    :: QUEUE_EMPTY && GOES_ON -> atomic { notified[me] -> notified[me] = false }
                    :: !QUEUE_EMPTY || !GOES_ON
#endif
                    fi;
                    sleeping[me] = false
                fi
            fi
        od
    } unless { atomic { dies[me] -> dies[me] = false } };
    atomic { task = 0; gone[me] = true };
    goto end_seat
}

/// Strikes a worker or the supervisor at any step.
proctype Fate() {
end:
    do
    :: d_step { deaths > 0 && alive[0] && !gone[0] && !dies[0] -> deaths--; dies[0] = true }
    :: d_step { deaths > 0 && alive[1] && !gone[1] && !dies[1] -> deaths--; dies[1] = true }
    :: d_step { deaths > 0 && supervised && !supervisor_dies -> deaths--; supervisor_dies = true }
    :: true -> break
    od
}

inline spawn(seat) {
    d_step { assert(!alive[seat]); notified[seat] = false; gone[seat] = false; dies[seat] = false; born[seat] = age; alive[seat] = true }
}

inline settle(seat) {
    d_step {  // requeue()
        alive[seat] = false;
        if :: phase[0] == STARTED && run_by[0] == seat -> phase[0] = PENDING :: else fi;
        if :: phase[1] == STARTED && run_by[1] == seat -> phase[1] = PENDING :: else fi;
        sleeping[seat] = false
    }
    if
    :: !QUEUE_EMPTY -> wake_one()
    :: else
    fi;
    due[seat] = true
}

/// Each life of a supervisor.
proctype Supervisor() {
    byte i;
    bool due[2];
end_wait:
    supervised;
    {
        spawn(0); spawn(1);
        do
        :: alive[0] && gone[0] -> settle(0)
        :: alive[1] && gone[1] -> settle(1)
        :: due[0] || due[1] ->
            i = (due[0] -> 0 : 1);
            if
            :: refork == NONE && (life == 0 || (life == 1 && !QUEUE_EMPTY)) -> spawn(i); due[i] = false
            :: else -> due[i] = false
            fi
        :: !ANYBODY && !due[0] && !due[1] ->
            if
            :: STOPPING || refork != NONE || (life == 1 && QUEUE_EMPTY) -> break
            :: life == 1 && refork == NONE && !QUEUE_EMPTY -> due[0] = true
            :: life == 0 && refork == NONE -> assert(false)    // it has given up its workers, and no call has asked for that
            fi
        od;
        if
#ifdef BREAK_1     // it ends as if the pool did
        :: true -> d_step
#else
        :: STOPPING || refork == NONE -> d_step
#endif
            { if :: phase[0] == PENDING -> phase[0] = LOST :: else fi; if :: phase[1] == PENDING -> phase[1] = LOST :: else fi; ended = true }
#ifndef BREAK_1
        :: !STOPPING && refork != NONE -> refork = HANDED_OVER
#endif
        fi
    } unless { atomic { supervisor_dies -> supervisor_dies = false; supervisor_killed = true } };
    // The kernel kills its workers.
    d_step {
        if :: alive[0] -> alive[0] = false; gone[0] = true; dies[0] = true :: else fi;
        if :: alive[1] -> alive[1] = false; gone[1] = true; dies[1] = true :: else fi;
        due[0] = false; due[1] = false; i = 0
    }
    atomic { supervised = false; goto end_wait }
}

proctype Reforker() {
    bool done;
    refork = ASKED;
#ifndef BREAK_4    // those that sleep are not woken
    wake_all();
#endif
#ifndef BREAK_3    // it does not wait for the end of the old one
    !supervised;
#else
    !supervised || refork == HANDED_OVER;
#endif
    done = refork == HANDED_OVER;
    refork = NONE;
    if
    :: done -> d_step { assert(!supervised && !ANYBODY); age++; supervised = true }
    :: else
    fi;
    reforked = true
}

inline submit(task) {
    phase[task] = PENDING;
    wake_one();
    submitted[task] = true
}

proctype Parent() {
    submit(0);
    reforked;
    submit(1)
}

/// join(): sees that the supervisor has ended when no thread is reforking; a pool whose supervisor was killed is broken.
proctype Joiner() {
    submitted[1];
    life = 1;
    wake_all();
    !supervised;
    if
    :: ended
    :: !ended ->
        assert(supervisor_killed);
        d_step { life = 2; if :: phase[0] < FINISHED -> phase[0] = LOST :: else fi; if :: phase[1] < FINISHED -> phase[1] = LOST :: else fi }
    fi;
    assert(phase[0] >= FINISHED && phase[1] >= FINISHED);
    assert(supervisor_killed || (phase[0] == FINISHED && phase[1] == FINISHED))
}

init { atomic { supervised = true; run Supervisor(); run Worker(0); run Worker(1); run Reforker(); run Parent(); run Joiner(); run Fate() } }
