// SPDX-License-Identifier: BSL-1.0
// A pool that shrinks while it is idle: a task for which nobody is there brings a worker back.
//
// Mirrors   worker/supervisor_size let_idle_go(), dismiss(), bring_back();  worker/supervisor settle()
//           task/board         wake_for_new_task(), await_demand();  worker/loop run(), search_or_sleep(), stop_searching(), without spinning
//           client/client_submit publish()
// Left out  parkers but for a bit (see parker.pml); the ring (see ring.pml); several workers that are away, of which one starts while another is
// waited for: the supervisor looks again after 5 ms then.
// Two workers, of which one may leave twice, and be killed at any step. A task runs until both have been claimed, as tasks do that wait for each
// other: so it takes both workers, and one that nobody brings back is a deadlock.
// Claims    Every task is claimed.

#define TASKS 2
#define PARKED 1
#define NOTIFIED 2
#define SUPERVISOR 4

byte tasks, claimed, sleeping;
byte parker[2];
bool rung, dismissed, gone, away, dies;
byte leaves = 2;

inline wake_for_new_task() {
    if  // take_one(), then notify(): the supervisor comes last
    :: d_step { sleeping & 1 -> sleeping = sleeping & ~1 } parker[0] = NOTIFIED
    :: d_step { !(sleeping & 1) && (sleeping & 2) -> sleeping = sleeping & ~2 } parker[1] = NOTIFIED
#ifdef BREAK_3  // nobody rings the supervisor
    :: (sleeping & 3) == 0
#else
    :: d_step { sleeping == SUPERVISOR -> sleeping = 0 } rung = true
    :: sleeping == 0
#endif
    fi
}

inline wake_if_any() {
    if
    :: tasks > 0 -> wake_for_new_task()
    :: tasks == 0
    fi
}

proctype Worker(byte me) {
    bool searching;
    {
end:    do
        :: me == 1 && dismissed ->
            wake_if_any();  // settle() would too, when it has ended
            break
        :: !(me == 1 && dismissed) ->
            if
            :: d_step { tasks > 0 -> tasks--; claimed++ }
                if
                :: searching -> searching = false; wake_if_any()
                :: !searching
                fi;
                claimed == TASKS  // the task
            :: tasks == 0 ->
                sleeping = sleeping | (1 << me);
                if
                :: tasks == 0 ->
                    if
                    :: d_step { parker[me] == 0 -> parker[me] = PARKED }
end_parked:             parker[me] == NOTIFIED
                    :: parker[me] != 0
                    fi;
                    parker[me] = 0
                :: tasks > 0
                fi;
                atomic { sleeping = sleeping & ~(1 << me); searching = true }
            fi
        od
    } unless { me == 1 && dies };
    atomic {
        if
        :: me == 1 -> gone = true; dies = false
        :: else
        fi
    }
}

proctype Killer() {
end:
    if
    :: claimed == 0 && !gone && !away -> dies = true  // not over a task, which would run again
    :: true
    fi
}

/// It has a task as long as that can be: see Killer.
proctype Supervisor() {
end:
    do
    :: gone ->  // settle()
        gone = false;
        sleeping = sleeping & ~2;
#ifndef BREAK_2  // it had taken the other one out of the sleepers, and not notified it yet
        if
        :: !(sleeping & 1) -> parker[0] = NOTIFIED
        :: else
        fi;
#endif
        wake_if_any();
        if
        :: dismissed ->
            away = true;
            goto bring_back
        :: !dismissed -> parker[1] = 0; run Worker(1)
        fi
    :: leaves > 0 && !dismissed && !away && !gone && claimed == 0 ->  // it was idle for a while
        leaves--;
        dismissed = true;
        parker[1] = NOTIFIED
    :: rung ->
        rung = false;
bring_back:
        if
        :: away && !(sleeping & SUPERVISOR) ->
            if
            :: tasks > 0 -> atomic { away = false; dismissed = false; parker[1] = 0; run Worker(1) }
            :: tasks == 0 ->
                sleeping = sleeping | SUPERVISOR;
#ifndef BREAK_1  // it does not look once more
                wake_if_any()
#endif
            fi
        :: else
        fi
    od
}

proctype Submitter() {
    byte i;
    for (i : 1 .. TASKS) {
        tasks++;
        wake_for_new_task()
    }
}

init {
    atomic {
        run Worker(0);
        run Worker(1);
        run Supervisor();
        run Submitter();
        run Killer()
    }
}
