// SPDX-License-Identifier: BSL-1.0
// Which priorities are worth a look: a worker that marks one as empty misleads no sleeper.
//
// Mirrors   task/queue         push(), mark_empty(), mark_all_levels(), was_empty();  task/board claim(), wake_for_new_task()
//           worker/loop        run(), search_or_sleep() and stop_searching(), without spinning (see sleepers.pml)
//           client/client_submit publish();  worker/supervisor settle()
// Left out  the level of priority 0, which is always looked at; the rings (see ring.pml); parkers but for a bit (see parker.pml).
// Two levels, a task in each, two workers; both levels are marked at the start, as settle() leaves them. A task runs until both have been
// claimed, as tasks do that wait for each other: so one that no worker looks for is a deadlock. One worker may be killed at any step, and is
// not replaced; then tasks wait for nothing.
// Claims    Every task is claimed.

#define TASKS 2
#define PARKED 1
#define NOTIFIED 2

byte ring[2];                         // tasks in each level
byte in_use = 3;
byte claimed, sleeping;
byte parker[2];
bool dies, dead, struck;

inline wake_for_new_task() {
    if  // take_one(), then notify()
    :: d_step { sleeping & 1 -> sleeping = sleeping & ~1 } parker[0] = NOTIFIED
    :: d_step { sleeping == 2 -> sleeping = 0 } parker[1] = NOTIFIED
    :: sleeping == 0
    fi
}

#define FOUND 8

/// Leaves FOUND in `seen`, or 0.
inline was_empty() {
    seen = in_use;
    if
    :: d_step { (seen & 1) && ring[0] > 0 -> seen = FOUND }
    :: d_step { !((seen & 1) && ring[0] > 0) -> seen = seen & 2 }
    fi;
    if
    :: d_step { seen == 2 && ring[1] > 0 -> seen = FOUND }
    :: d_step { seen == 2 && ring[1] == 0 -> seen = 0 }
    :: seen != 2
    fi
}

/// Leaves FOUND in `seen` when it has claimed a task.
inline claim_from(level) {
    if
    :: seen != FOUND && (seen & (1 << level)) ->
        seen = seen & ~(1 << level);
        if
        :: d_step { ring[level] > 0 -> ring[level]--; claimed++; seen = FOUND }
        :: ring[level] == 0 ->
            in_use = in_use & ~(1 << level);  // mark_empty()
#ifndef BREAK_3  // it does not look again
            if
            :: ring[level] > 0 ->
                in_use = in_use | (1 << level);
#ifndef BREAK_1  // no worker looks in the place of those that were misled meanwhile
                wake_for_new_task()
#endif
            :: ring[level] == 0
            fi
#endif
        fi
    :: else
    fi
}

proctype Worker(byte me) {
    byte seen; bool searching;
    {
end:    do
        :: seen = in_use;  // claim()
            claim_from(0);
            claim_from(1);
            if
            :: seen == FOUND ->
                seen = 0;
                if
                :: searching ->
                    searching = false;
                    was_empty();
                    if
                    :: seen == FOUND -> seen = 0; wake_for_new_task()
                    :: else
                    fi
                :: else
                fi;
                claimed == TASKS || struck  // the task
            :: else ->
                sleeping = sleeping | (1 << me);
                was_empty();
                if
                :: seen == 0 ->
                    if
                    :: d_step { parker[me] == 0 -> parker[me] = PARKED }
end_parked:             parker[me] == NOTIFIED
                    :: parker[me] != 0
                    fi;
                    parker[me] = 0
                :: else
                fi;
                atomic { sleeping = sleeping & ~(1 << me); searching = true; seen = 0 }
            fi
        od
    } unless { atomic { me == 0 && dies -> dies = false; dead = true } }
}

proctype Fate() {
end:
    if
    :: d_step { dies = true; struck = true }
    :: true
    fi
}

proctype Supervisor() {
    byte seen;
end:
    dead;
#ifndef BREAK_4  // it may have marked a level as empty, and not looked again
    in_use = 3;
#endif
    sleeping = sleeping & ~1;
    if
    :: !(sleeping & 2) -> parker[1] = NOTIFIED  // notify_workers_again()
    :: else
    fi;
    was_empty();
    if
    :: seen == FOUND -> wake_for_new_task()
    :: else
    fi
}

inline publish(level) {
#ifdef BREAK_2   // marked before it is there
    in_use = in_use | (1 << level);
    ring[level]++;
#else
    ring[level]++;
    in_use = in_use | (1 << level);
#endif
    wake_for_new_task()
}

proctype Submitter() {
    if
    :: publish(0); publish(1)
    :: publish(1); publish(0)
    fi;
    claimed == TASKS
}

init { atomic { run Worker(0); run Worker(1); run Fate(); run Supervisor(); run Submitter() } }
