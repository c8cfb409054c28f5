// SPDX-License-Identifier: BSL-1.0
// A task that waits for a task of its own pool, whose worker parks, and is woken for that and for tasks of other guests meanwhile.
//
// Mirrors   client/guest       GuestTask::wait_and_help(), park(), call_when_decided(), Helping;  future/wait_set park_for_guests()
//           task/board         push_guest(), wake_for_guest(), wake_helper(), finish_for_guest(), notify_guest(), lose_started()
//           worker/supervisor  settle(), notify_again()
// Left out  the slots and what sleeps on a word (see guests.pml), the parker's word (see parker.pml), idle workers (see sleepers.pml).
// One worker waits, another one runs the task that it waits for, which ends only when the task of a second guest has run: the worker that
// waits is the only one that can. The first guest and the worker that runs the task may be killed at any step; a supervisor settles the
// worker's task, and replaces it. Nobody looks again after a while.
// Claims    The task of the living guest runs, once, and the worker that waits learns that its task is decided.

#define A 0
#define B 1

bool decided, is_parked;         // the word of the task that is waited for
bool pending[2], ran[2];         // the tasks of the guests
bool helping, token;             // the worker that waits is in the set; its parker
bool dies_guest, dies_worker, dead_worker;

inline run_one(found) {
    found = false;
    if
    :: d_step { pending[A] -> pending[A] = false; ran[A] = true; found = true }
    :: d_step { pending[B] -> pending[B] = false; assert(!ran[B]); ran[B] = true; found = true }
    :: d_step { !pending[A] && !pending[B] -> skip }
    fi
}

proctype Waits() {
    bool found, may_sleep;
    do
    :: decided -> break
    :: !decided ->
        run_one(found);
        if
        :: found
        :: !found ->
#ifdef BREAK_1  // it looks for tasks before it is among the helpers
            may_sleep = !pending[A] && !pending[B];
#endif
#ifdef BREAK_2  // the flag is set whatever the word says by then
            may_sleep = !decided;
            is_parked = true;
#else
            d_step { may_sleep = !decided; is_parked = is_parked || !decided };
#endif
            if
            :: may_sleep ->
                helping = true;
#ifndef BREAK_2
                may_sleep = !decided;
#endif
#ifndef BREAK_1
                if
                :: pending[A] || pending[B] -> may_sleep = false
                :: !pending[A] && !pending[B]
                fi;
#endif
                if
                :: may_sleep -> token; token = false
                :: !may_sleep
                fi;
                helping = false
            :: !may_sleep
            fi
        fi;
        found = false; may_sleep = false
    od
}

proctype Guest(byte me) {
    {
        pending[me] = true;      // offered, in one step
#ifdef BREAK_3  // a helper is taken out of the set to be notified
        if
        :: d_step { helping -> helping = false } token = true
#else
        if
        :: helping -> token = true
#endif
        :: !helping
        fi;
        ran[me]
    } unless { atomic { me == A && dies_guest -> dies_guest = false } }
}

proctype Worker() {
    bool was_parked, found;
    {
        ran[B];
        d_step { decided = true; was_parked = is_parked };
        if
        :: was_parked -> token = true
        :: !was_parked
        fi;
end:    do
        :: pending[A] || pending[B] -> run_one(found); found = false
        od
    } unless { atomic { dies_worker -> dies_worker = false; dead_worker = true } }
}

proctype Replacement() {
    bool found;
end:
    do
    :: pending[A] || pending[B] -> run_one(found); found = false
    od
}

proctype Supervisor() {
end:
    dead_worker;
    decided = true;              // lost, if it was not done
#ifndef BREAK_4  // those that the dead one may have been about to notify are not
    token = true;
#endif
    run Replacement()
}

proctype Fate() {
end:
    if
    :: dies_guest = true
    :: true
    fi;
    if
    :: dies_worker = true
    :: true
    fi
}

init { atomic { run Waits(); run Worker(); run Supervisor(); run Fate(); run Guest(A); run Guest(B) } }
