// SPDX-License-Identifier: BSL-1.0
// A pool that ends while a task is submitted: it breaks, is terminated, or its supervisor is killed.
//
// Mirrors   client/client_submit  publish(), stop(), check_crew(), and make_room() of another submitter, which gives pending tasks a new
//           generation;  task/board lose(), lose_pending(), lose_all(), lose_all_pending(), take_from_ring(), claim_from(), finish()
//           worker/supervisor     break_pool(), apply_life(), settle(), may_end(), settle_everything();  task/control advance()
// Left out  the ring; sleeping: a waiter calls check_crew() as long as the task is not decided, as each does every 100 ms; results.
// One task and one worker, which dies when the supervisor kills it, or with the supervisor. The supervisor dies at any step, or not.
// Claims    The task is decided, once. No process waits for ever.

#define OPEN 0
#define CLOSING 1
#define TERMINATED 2
#define BROKEN 3

#define FREE 0
#define PENDING 1
#define STARTED 2
#define DONE 3
#define LOST 4

byte life;
byte phase, generation;              // the word
byte last_generation, decided;
bool published, locked, ended, gone;  // gone: there is no supervisor
bool dies, dead;                     // the supervisor will die; the worker is dead
bool sigkill;                        // of the worker

inline lock() { atomic { !locked -> locked = true } }
inline advance(to) { if :: atomic { life < to -> life = to } :: life >= to fi }

/// A compare-and-swap, and whether it did it.
inline lose_if(from) {
    d_step {
        if
        :: phase == from && generation == seen -> phase = LOST; decided++; assert(decided == 1)
        :: else
        fi
    }
}

inline lose_all() {
    do
    :: phase == PENDING || phase == STARTED ->
        seen = generation;           // one load in truth: the generation changes only while pending, and then the exchange fails
        lose_if(PENDING);
        lose_if(STARTED);
        seen = 0;
#ifdef BREAK_1                       // it does not look again at one that has got another generation
        break
#endif
    :: else -> break
    od
}

inline lose_all_pending() {
    if
    :: phase == PENDING -> seen = generation; lose_if(PENDING); seen = 0
    :: else
    fi
}

proctype Submitter() {
    byte seen;
    lock();
    if
    :: life != OPEN -> locked = false; goto end_refused
    :: else
    fi;
    atomic { last_generation++; generation = last_generation; phase = PENDING; published = true; seen = generation }
    locked = false;
#ifndef BREAK_2                      // it does not look at life once more
    if
    :: life > CLOSING -> lose_if(PENDING)
    :: else
    fi;
#endif
    seen = 0;
    do                               // Client::wait()
    :: decided > 0 -> break
    :: decided == 0 && gone && !ended ->  // check_crew()
        lock();
        advance(BROKEN);
        locked = false;
        lose_all()
    od;
end_refused: skip
}

/// Another thread, which finds the ring full while the pool is open.
proctype MakeRoom() {
    lock();
    if
    :: life == OPEN && published ->
        last_generation++;
        d_step {                     // take_from_ring()
            if
            :: phase == PENDING -> generation = last_generation
            :: else
            fi
        }
    :: else
    fi;
    locked = false
}

proctype Stop() {
    byte seen;
    if
    :: true
    :: lock();
        advance(TERMINATED);
        locked = false;
        lose_all_pending()
    fi
}

proctype Worker() {
    byte seen;
    {
end:    do
        :: atomic { phase == PENDING -> phase = STARTED; seen = generation }
            d_step {
                if
                :: phase == STARTED && generation == seen -> phase = DONE; decided++; assert(decided == 1)
                :: else
                fi
            }
            seen = 0
        od
    } unless { atomic { sigkill || gone -> dead = true; seen = 0 } }
}

proctype Supervisor() {
    byte seen;
    {
        if
        :: life > CLOSING
        :: advance(BROKEN)           // for some reason of its own
        fi;
        sigkill = true;
        dead;
        if                           // settle()
        :: phase == STARTED -> seen = generation; lose_if(STARTED)
        :: else
        fi;
#ifdef BREAK_3                       // it says so before it is so
        ended = true;
        lose_all()
#else
        lose_all();
        ended = true
#endif
    } unless { dies };
    gone = true
}

proctype Fate() {
end:
    if :: dies = true :: true fi
}

init { atomic { run Submitter(); run MakeRoom(); run Stop(); run Worker(); run Supervisor(); run Fate() } }
