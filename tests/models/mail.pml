// SPDX-License-Identifier: BSL-1.0
// A task for the worker of one index, whichever process that is: its mailbox, while workers of that index die, are recycled and follow each other.
//
// Mirrors   task/mailbox              put(), was_empty(), look(), remove()
//           task/board             publish_to(), claim_mail(), claim_offered(), finish(), lose_started(), withdraw(), wake_seats()
//           worker/loop            run(), next(), was_idle(), must_leave(), search_or_sleep()
//           worker/supervisor      settle(), spawn(), spawn_what_is_due(), has_mail(), may_end();  worker/casualties settle_task()
//           map/broadcast    one task at a time for an index;  client/client_submit publish() and close_if_unheld()
// Left out  the rings; how a parker works (see parker.pml): here it is a flag that the parking thread takes down; other indexes, to which the same
//           happens; refork (see refork.pml); terminate() and kill(). Tasks of broadcast() have no retries.
// Two tasks, one after the other, the first of which is withdrawn at any time, or not; the pool is closed at any time. Workers die at any step,
// three times in all, or leave after a task to be recycled, once; a new one sits on the other seat.
// Claims    Each task ends once: done, withdrawn, or lost because its worker died while it ran it. No worker that is gone is needed for it. The
//           parent's wait ends, and so does the pool.

#define NONE 0
#define PENDING 1
#define STARTED 2
#define DONE 3
#define LOST 4
#define CANCELLED 5

byte phase, generation, seat_of;      // the slot's word
byte mail;                            // generation of the offer; 0: empty
bool notified[2];                     // the parkers of the two seats
bool mutex, closing, ended, over;
bool alive[2], gone[2], dies[2];  // by seat: gone: it has ended and is not reaped
byte runs[2];                         // ghost: the task that the worker on this seat has started
byte deaths = 3, recycled = 1;
byte decided[3];

inline decide(task) { decided[task]++; assert(decided[task] == 1) }

proctype Worker(byte me) {
    byte found, looked;
end_seat:
    alive[me] && !gone[me];
    {
        do
        ::  // claim_mail()
            found = mail;
            if
            :: found != 0 ->
                found = mail;
                looked = 0;
                if
                :: d_step { phase == PENDING && generation == found -> phase = STARTED; seat_of = me; runs[me] = found }; looked = found
                :: !(phase == PENDING && generation == found)
                fi;
#ifdef BREAK_1     // it takes out whatever is there
                mail = 0;
#else
                d_step { if :: mail == found -> mail = 0 :: else fi };
#endif
                if
                :: looked != 0 ->
                    d_step { assert(phase == STARTED && generation == looked && seat_of == me); phase = DONE; runs[me] = 0; decide(looked) };
                    if  // recycled
                    :: d_step { recycled > 0 -> recycled-- }; break
                    :: true
                    fi
                :: else
                fi
            :: else ->
                if
                :: closing ->
                    if                 // without this look its replacement would run it
                    :: mail == 0 -> break
                    :: else
                    fi
                :: !closing ->
                    if
                    :: mail == 0 && !closing -> atomic { notified[me] -> notified[me] = false }
                    :: mail != 0 || closing
                    fi
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

inline spawn() {
    d_step {
        next = 1 - next;
        assert(!alive[next]);
        notified[next] = false;       // parker.reset()
        gone[next] = false;
        dies[next] = false;
        alive[next] = true
    }
}

proctype Supervisor() {
    byte next;
    bool due;
    spawn();
    do
    :: atomic { alive[next] && gone[next] -> alive[next] = false }
        if
        :: atomic { phase == STARTED && seat_of == next ->
               assert(runs[next] == generation);
               phase = LOST; runs[next] = 0; decide(generation)
           }
        :: !(phase == STARTED && seat_of == next) -> assert(runs[next] == 0)
        fi;
        due = true
    :: due ->
        if
        :: !closing -> spawn(); due = false
#ifdef BREAK_3     // a closed pool has no use for new workers
        :: closing -> due = false
#else
        :: closing && mail != 0 -> spawn(); due = false
        :: closing && mail == 0 -> due = false
#endif
        fi
    :: !due && !alive[next] && closing ->
        if
        :: mail == 0 -> break
        :: mail != 0 -> assert(due)    // no other process would take it out
        fi
    od;
    if
    :: atomic { phase == PENDING || phase == STARTED -> assert(false) }  // settle_everything() has nothing to lose
    :: !(phase == PENDING || phase == STARTED)
    fi;
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
        :: closing -> mutex = false; break
        :: !closing ->
            d_step { phase = PENDING; generation = task };
#ifdef BREAK_2     // it wakes them before there is something to see
            notified[0] = true;
            notified[1] = true;
            mail = task;
            mutex = false;
#else
            mail = task;
            mutex = false;
            notified[0] = true;        // wake_seats()
            notified[1] = true
#endif
        fi;
        if
        :: task == 1 -> d_step { if :: phase == PENDING && generation == 1 -> phase = CANCELLED; decide(1) :: else fi }
        :: true
        fi;
        decided[task] == 1             // the wait for its future
    :: else -> break
    od;
    over = true
}

proctype Closer() {
    bool late;
    if :: late = true :: late = false fi;
    over || !late;
    lock();
    closing = true;
    mutex = false;
    notified[0] = true;                // wake_all() finds those that sleep: a worker that is not among them looks at life first
    notified[1] = true
}

init { atomic { run Supervisor(); run Worker(0); run Worker(1); run Parent(); run Closer(); run Fate() } }
