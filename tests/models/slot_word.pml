// SPDX-License-Identifier: BSL-1.0
// The word of one slot: all processes that change it, and what they may rely on.
//
// Mirrors   task/board      claim_from(), finish(), condemn(), withdraw(), requeue(), lose_started(), change(), decide()
//           worker/casualties settle_task();  worker/deadlines look();  worker/supervisor reap_all(), kill_worker_on(), spawn()
//           client/client*  publish(), word_of(), try_take(), clear(), keep() and sweep(), wait()'s fetch_or, withdraw(), kill()
// Left out  payloads but for two bytes of a result; rings (one worker tries any offer ever made: see ring.pml); parking (see parker.pml);
//           time (a timeout may strike whenever the supervisor looks: see deadlines.pml); seats beyond two: a new life gets the number
//           of the last one at once, which is worse than what the supervisor does.
// A worker dies at any step: once for no reason or because of a timeout, else when the parent kills its task; some steps after SIGKILL.
// Claims    Every task ends in one outcome, and one thread of the parent gets it. A result is read whole. No process writes to a slot that
//           is another's. A verdict falls on the task that it was meant for, and its worker dies with that task. No process waits for ever.

#define TASKS 2

// The word: generation from bit 8, seat in 6 and 7, waited 5, verdict 3 and 4, phase 0 to 2.
#define FREE 0
#define PENDING 1
#define STARTED 2
#define DONE 3
#define LOST 4
#define CANCELLED 5
#define TAKEN 6
#define TIMED_OUT 8
#define KILLED 16
#define WAITED 32
#define PHASE(w) (w & 7)
#define VERDICT(w) (w & 24)
#define SEAT(w) ((w >> 6) & 3)
#define GENERATION(w) (w >> 8)
#define WITH(w, phase) ((w & ~7) | phase)
#define OFFERED(g) ((g << 8) | PENDING)
#define RUN_BY(w, seat) (((w & ~199) | STARTED) | (seat << 6))
#define FINISHED(w) (PHASE(w) >= DONE && PHASE(w) <= CANCELLED)
short word;

byte offers;                          // generations published so far; each task has one, so they are its serial too
byte serial;                          // serials_[slot]; 0: no_serial
byte argument, first, second;         // the slot's payload: the number of the task that it belongs to
byte retries;
bool bell, returned = true;           // returned: the submitter may use the slot
bool kept[TASKS + 1];                 // results that a sweep took out of the slot
bool dies[3], dead[3];                // by seat: does nothing any more; and the supervisor can know it
byte strikes = 1;                     // of seat 1, as good as any: deaths for no reason and timeouts that may still come

byte sigkill[3];                      // ghosts: SIGKILL is on its way, because of this task
byte holds[3];                        // the task that the worker has started and not finished
byte decided[TASKS + 1], got[TASKS + 1];
bool wished[TASKS + 1];               // the parent asked to kill it

inline decide(task) { decided[task]++; assert(decided[task] == 1) }

// ---- workers

proctype Worker(byte me) {
    short seen;
    byte offer;
end_life:
    {
end:    do
        :: atomic { PHASE(word) == PENDING ->  // without which no attempt does anything
               if :: offer = offers :: me == 1 -> offer = 1 fi;  // any offer ever made; one worker that is late will do
               seen = OFFERED(offer)
           }
            do  // claim_from()
            :: d_step { word == seen -> word = RUN_BY(seen, me); holds[me] = offer }; break
            :: atomic { word != seen ->
                   seen = word;
                   if
                   :: PHASE(seen) == PENDING && GENERATION(seen) == offer
                   :: else -> goto next
                   fi
               }
            od
#ifndef BREAK_1
            atomic { assert(argument == offer); first = offer }
#endif
            atomic { assert(argument == offer); second = offer; seen = RUN_BY(OFFERED(offer), me) }
            do  // finish()
            :: d_step { word == seen -> word = WITH(seen, DONE); holds[me] = 0; decide(offer) }; break
            :: atomic { word != seen ->
                   seen = word;
                   if
#ifdef BREAK_2   // a worker that meets a verdict finishes all the same
                   :: PHASE(seen) == STARTED
#else
                   :: PHASE(seen) == STARTED && VERDICT(seen) == 0
#endif
                   :: else -> goto condemned
                   fi
               }
            od
#ifdef BREAK_1   // the result is written after the word says done
            first = offer
#endif
next:       atomic { seen = 0; offer = 0 }
        od
condemned: false  // waits to be killed
    } unless { atomic { dies[me] -> dies[me] = false; dead[me] = true; seen = 0; offer = 0 } }
    !dead[me];  // forked anew
    goto end_life
}

proctype Fate(byte who) {
end:
    do
    :: d_step { !dies[who] && !dead[who] && who == 1 && holds[1] != 0 && strikes > 0 -> strikes--; dies[who] = true }
    :: d_step { !dies[who] && !dead[who] && sigkill[who] != 0 -> assert(holds[who] == sigkill[who]); dies[who] = true }
    od
}

// ---- supervisor

inline settle(gone) {
    do
    :: atomic {
           seen = word;
           if
           :: PHASE(seen) != STARTED || SEAT(seen) != gone -> break
           :: PHASE(seen) == STARTED && SEAT(seen) == gone && retries > 0 && VERDICT(seen) != KILLED -> again = true; retries--
           :: PHASE(seen) == STARTED && SEAT(seen) == gone && (retries == 0 || VERDICT(seen) == KILLED) -> again = false
           fi
       }
        if
        :: atomic { word == seen && again -> word = OFFERED(GENERATION(seen)) | (seen & WAITED); break }  // requeue()
        :: atomic { word == seen && !again -> word = WITH(seen, LOST); decide(GENERATION(seen)); break }  // lose_started()
        :: atomic { word != seen -> retries = retries + again }
        fi
    od;
    atomic { seen = 0; again = 0; holds[gone] = 0; sigkill[gone] = 0; dead[gone] = false }  // spawn()
}

proctype Supervisor() {
    short seen; bool again;
end:
    do
    :: atomic { PHASE(word) == STARTED && (bell || (strikes > 0 && SEAT(word) == 1)) -> bell = false; seen = word }  // look()
        if
        :: VERDICT(seen) == 0 && SEAT(seen) == 1 && strikes > 0 ->
            strikes--;
            do  // condemn()
            :: atomic { word == seen -> word = seen | TIMED_OUT; sigkill[SEAT(seen)] = GENERATION(seen); break }
            :: atomic { word != seen ->
                   seen = word;
                   if
                   :: PHASE(seen) == STARTED && VERDICT(seen) == 0
                   :: else -> break
                   fi
               }
            od
        :: VERDICT(seen) != 0 ->
            if
            :: d_step { !dead[SEAT(seen)] && !dies[SEAT(seen)] -> sigkill[SEAT(seen)] = GENERATION(seen) }
            :: else
            fi
        :: else
        fi;
        seen = 0
    :: bell && PHASE(word) != STARTED -> bell = false
#ifdef BREAK_3   // it settles what it has killed without waiting for the death
    :: sigkill[1] != 0 -> settle(1)
#endif
    :: dead[1] -> settle(1)
    :: dead[2] -> settle(2)
    od
}

// ---- parent

#ifdef BREAK_4   // whether the slot is still the ticket's is not looked at
#define OURS(ticket) true
#else
#define OURS(ticket) (serial == ticket)
#endif

/// Leaves the word as it was in `seen`, or 0 there when another process was faster.
inline try_take(ticket) {
    do
    :: seen = word;
        if
        :: !(OURS(ticket) && FINISHED(seen)) -> seen = 0; break
        :: OURS(ticket) && FINISHED(seen) ->
            if
            :: atomic { word == seen -> word = WITH(seen, TAKEN); break }
            :: word != seen
            fi
        fi
    od
}

inline consume(ticket) {
    d_step {
        assert(PHASE(seen) != DONE || first == ticket);
        assert(VERDICT(seen) != KILLED || wished[ticket])
    }
    assert(PHASE(seen) != DONE || second == ticket);
    serial = 0;  // clear()
    d_step { word = WITH(word, FREE) & ~WAITED; seen = 0 }
}

proctype Submitter() {
    short seen;
    byte task;
    do
    :: task < TASKS ->
        do
        :: returned -> returned = false; break
        :: !returned && serial == task && FINISHED(word) ->  // sweep()
            try_take(task);
            if
            :: seen != 0 -> consume(task); kept[task] = true; break
            :: else
            fi
        od;
        task++;
        atomic { argument = task; retries = 1; first = 0; second = 0 }
        serial = task;
        d_step { word = OFFERED(task); offers = task }
    :: else -> break
    od
}

/// The holder of the futures: may wait for or kill the first task, and takes every result.
proctype Getter() {
    short seen;
    byte ticket = 1;
    do
    :: ticket <= TASKS ->
        offers >= ticket;
        if
        :: ticket == 1 ->                       // kill()
            do
            :: seen = word;
                if
                :: !(OURS(ticket) && (PHASE(seen) == PENDING || PHASE(seen) == STARTED) && VERDICT(seen) != KILLED) -> break
                :: else ->
                    wished[ticket] = true;
                    if
                    :: atomic { word == seen && PHASE(seen) == PENDING -> word = WITH(seen, CANCELLED); decide(GENERATION(seen)); break }
#ifdef BREAK_5   // condemn() does not look whether it is still the same task
                    :: atomic { PHASE(word) == STARTED && PHASE(seen) == STARTED -> word = (word & ~24) | KILLED }; bell = true; break
#else
                    :: atomic { word == seen && PHASE(seen) == STARTED -> word = (seen & ~24) | KILLED }; bell = true; break
#endif
                    :: word != seen
                    fi
                fi
            od;
            seen = 0
        :: ticket == 1 -> word = word | WAITED  // wait(): whichever task the slot has by now
        :: true
        fi;
        serial != ticket || (PHASE(word) != PENDING && PHASE(word) != STARTED);  // is_decided()
        try_take(ticket);
        if
        :: seen != 0 -> consume(ticket); returned = true
        :: else -> kept[ticket]
        fi;
        atomic { got[ticket]++; ticket++ }
    :: else -> break
    od
    atomic { assert(got[1] == 1 && decided[1] == 1); assert(got[2] == 1 && decided[2] == 1) }
}

init { atomic { run Worker(1); run Worker(2); run Fate(1); run Fate(2); run Supervisor(); run Submitter(); run Getter() } }
