// SPDX-License-Identifier: BSL-1.0
// Tasks for the worker of one index, whichever process that is: its mailbox, while workers of that index die, are recycled and follow each other.
//
// Mirrors   task/mailbox        was_empty(), mark(), clear_mark(), put_back(), look(), remove()
//           task/board          publish_to(), claim_mail(), claim_offered(), wake_for_mail(), mark_all_mail(), has_mail(), finish(), requeue(),
//                               lose_started(), withdraw()
//           worker/loop         run(), next(), was_idle(), must_leave(), search_or_sleep()
//           worker/supervisor   settle(), spawn(), spawn_what_is_due(), has_mail(), may_end();  worker/casualties settle_task()
//           client/client_submit publish();  client/client_life close_if_unused()
// Left out  the inside of the ring (see ring.pml): here it is two places that are filled in order, and a head; the queue for all workers; how a
//           parker works (see parker.pml): here it is a flag that the parking thread takes down; other indexes, to which the same happens; refork
//           (see refork.pml); terminate() and kill().
// Two tasks, given one after the other without waiting; the first may run again once when its worker dies, and may be withdrawn at any time. The
// pool is closed at any time. Workers die at any step, twice in all, or leave after a task to be recycled, once; a new one sits on the other seat.
// Claims    Each task ends once: done, withdrawn, or lost because its worker died while it ran it. No worker that is gone is needed for it. The
//           parent's wait ends, and so does the pool.

#define NONE 0
#define PENDING 1
#define STARTED 2
#define DONE 3
#define LOST 4
#define CANCELLED 5

byte phase[3], seat_of[3];            // the words of the two slots, from 1
byte head = 1, tail = 1;              // of the ring, whose places hold the tasks of those numbers
bool marked;
byte back;                            // the offer that was put back; in one word with the mark
bool notified[2], has_index[2];       // the parkers and indexes of the two seats
bool mutex, closing, ended, over;
bool alive[2], gone[2], dies[2];      // by seat: gone: it has ended and is not reaped
byte runs[2];                         // ghost: the task that the worker on this seat has started
byte deaths = 2, recycled = 1, retries = 1;
byte decided[3];

#define HAS_MAIL (head < tail || back != 0)

inline decide(task) { decided[task]++; assert(decided[task] == 1) }

inline claim_offered(task) {
    if
    :: d_step { phase[task] == PENDING -> phase[task] = STARTED; seat_of[task] = me; runs[me] = task } looked = task
    :: phase[task] != PENDING
    fi
}

proctype Worker(byte me) {
    byte found, looked;
end_seat:
    alive[me] && !gone[me];
    {
        do
        :: marked || back != 0 ->     // claim_mail()
            found = back;
            if
            :: found != 0 ->
                claim_offered(found);
                d_step { if :: back == found -> back = 0 :: else fi }
            :: else
            fi;
            do
            :: looked == 0 ->
                found = head;
                if
                :: found < tail ->
                    claim_offered(found);
                    d_step { if :: head == found -> head++ :: else fi }
                :: found >= tail -> break
                fi
            :: else -> break
            od;
            if
            :: looked != 0 ->
                d_step { assert(phase[looked] == STARTED && seat_of[looked] == me); phase[looked] = DONE; runs[me] = 0; decide(looked) };
                d_step { found = 0; looked = 0 };
                if                    // recycled
                :: d_step { recycled > 0 -> recycled-- } break
                :: true
                fi
            :: else ->
                found = 0;
                marked = false;
#ifndef BREAK_1  // it does not look again
                if
                :: head < tail -> marked = true
                :: head >= tail
                fi
#endif
            fi
        :: !(marked || back != 0) ->
            if
            :: closing ->
                if                    // without this look its replacement would run it
                :: !(marked || back != 0) -> break
                :: marked || back != 0
                fi
            :: !closing ->
                if
                :: !(marked || back != 0) && !closing -> atomic { notified[me] -> notified[me] = false }
                :: marked || back != 0 || closing
                fi
            fi
        od
    } unless { atomic { dies[me] -> dies[me] = false } };
    atomic { found = 0; looked = 0; gone[me] = true };
    goto end_seat
}

/// Strikes a worker at any step.
proctype Fate() {
end:
    do
    :: d_step { deaths > 0 && alive[0] && !gone[0] && !dies[0] -> deaths--; dies[0] = true }
    :: d_step { deaths > 0 && alive[1] && !gone[1] && !dies[1] -> deaths--; dies[1] = true }
    :: true -> break
    od
}

inline wake_for_mail() {
    if :: has_index[0] -> notified[0] = true :: !has_index[0] fi;
    if :: has_index[1] -> notified[1] = true :: !has_index[1] fi
}

inline spawn() {
    d_step {
        next = 1 - next;
        assert(!alive[next]);
        notified[next] = false        // parker.reset()
    }
    has_index[next] = true;
    d_step {
        gone[next] = false;
        dies[next] = false;
        alive[next] = true
    }
}

inline settle_task(task) {
    if
    :: phase[task] == STARTED && seat_of[task] == next ->
        assert(runs[next] == task);
        runs[next] = 0;
        if
        :: task == 1 && retries > 0 ->
            retries--;
            phase[task] = PENDING;
            back = task;
            wake_for_mail()
        :: else -> d_step { phase[task] = LOST; decide(task) }
        fi
    :: else
    fi
}

proctype Supervisor() {
    byte next;
    bool due;
    spawn();
    do
    :: atomic { alive[next] && gone[next] -> alive[next] = false }
        settle_task(1);
        settle_task(2);
        assert(runs[next] == 0);
#ifndef BREAK_2  // the dead worker may have cleared the mark, and not looked again
        if
        :: tail != 1 -> marked = true
        :: tail == 1
        fi;
#endif
        due = true
    :: due ->
        if
        :: !closing -> spawn(); due = false
#ifdef BREAK_3   // a closed pool has no use for new workers
        :: closing -> due = false
#else
        :: closing && HAS_MAIL -> spawn(); due = false
        :: closing && !HAS_MAIL -> due = false
#endif
        fi
    :: !due && !alive[next] && closing ->
        if
        :: !HAS_MAIL -> break
        :: HAS_MAIL -> assert(due)    // no other process would take it out
        fi
    od;
    assert(phase[1] != PENDING && phase[1] != STARTED && phase[2] != PENDING && phase[2] != STARTED);
    ended = true
}

inline lock() { atomic { !mutex -> mutex = true } }

proctype Parent() {
    byte task;
    do
    :: task < 2 ->
        task++;
        lock();
        if
        :: closing -> mutex = false; task--; break
        :: !closing ->
            phase[task] = PENDING;
#ifdef BREAK_4   // it looks for the seats before there is something to see
            wake_for_mail();
            tail++;
            marked = true;
            mutex = false
#else
#ifdef BREAK_5   // it marks a ring that is empty yet
            marked = true;
            tail++;
#else
            tail++;
            marked = true;
#endif
            mutex = false;
            wake_for_mail()
#endif
        fi
    :: else -> break
    od;
    if
    :: d_step { phase[1] == PENDING -> phase[1] = CANCELLED; decide(1) }
    :: true
    fi;
    task < 1 || decided[1] == 1;      // the waits for their futures
    task < 2 || decided[2] == 1;
    over = true
}

proctype Closer() {
    bool late;
    if :: late = true :: late = false fi;
    over || !late;
    lock();
    closing = true;
    mutex = false;
    notified[0] = true;               // wake_all() finds those that sleep: a worker that is not among them looks at life first
    notified[1] = true
}

init { atomic { run Supervisor(); run Worker(0); run Worker(1); run Parent(); run Closer(); run Fate() } }
