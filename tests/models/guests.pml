// SPDX-License-Identifier: BSL-1.0
// A guest's slot: any process submits a task, and a death costs nobody else anything.
//
// Mirrors   task/guests        take(), publish(), push(), first_pending(), sweep(), free();  task/ring try_push_at()
//           task/board         push_guest(), wake_for_guest(), claim_guest(), finish_for_guest(), wake_guest(), lose_started()
//           client/guest       take_slot(), GuestTask::sleep();  worker/loop run(), search_or_sleep();  worker/supervisor settle()
// Left out  laps of the ring (see ring.pml), the mark of its level (see levels.pml), spinning (see sleepers.pml), the parker's word (see
//           parker.pml), guests that help and park (see helpers.pml), those that drop their future, retries.
// Two guests and one slot, which both need; one worker, which sleeps when there is nothing, and a supervisor that replaces it. The first guest
// and the worker may be killed at any step. Nobody looks again after a while.
// Claims    The second guest, and the first if it lives, learn how their tasks ended; a task runs once, with what its guest wrote; nobody frees
//           a slot that is another's.

#define A 1
#define B 2
#define SUPERVISOR 3
#define DETACHED 4

#define FREE 0
#define PENDING 1
#define STARTED 2
#define DONE 3
#define CANCELLED 4
#define LOST 5
#define ASLEEP 8
#define FINISHING 16
#define PHASE(w) ((w) & 7)
#define GENERATION(w) ((w) >> 5)
#define IS_FINISHED(w) (PHASE(w) >= DONE)

byte word = 32;                  // generation 1, free
byte owner;
byte first_half, second_half;    // as the guest has written them
byte writer[6], ran[6];          // by generation
byte ring[6], head;              // generations
bool sleeping, token;            // of the worker
bool in_futex[3], dies[3], dead[3];
bool worker_dies, worker_dead;

inline free_slot(me) {
    assert(owner == me);
    first_half = 0; second_half = 0;
    word = (GENERATION(word) + 1) << 5;
    owner = 0
}

#define may_sweep(whose, seen) ((whose == A && dead[A] && PHASE(seen) != STARTED) || (whose == DETACHED && IS_FINISHED(seen)))

inline sweep(me) {
    whose = owner;
    seen = word;
    if
    :: may_sweep(whose, seen) ->
#ifdef BREAK_2  // it does not make the slot its own first
        owner = me;
#endif
        if
#ifdef BREAK_2
        :: true ->
#else
        :: d_step { owner == whose -> owner = me }
#endif
            do
            :: seen = word;
                if
                :: PHASE(seen) == PENDING ->
                    if
                    :: d_step { word == seen -> word = seen - PENDING + CANCELLED }
                    :: word != seen
                    fi
#ifndef BREAK_5  // it frees what runs
                :: PHASE(seen) == STARTED -> owner = DETACHED; break
                :: PHASE(seen) != PENDING && PHASE(seen) != STARTED -> free_slot(me); break
#else
                :: PHASE(seen) != PENDING -> free_slot(me); break
#endif
                fi
            od
        :: owner != whose
        fi
    :: else
    fi;
    whose = 0; seen = 0
}

proctype Guest(byte me) {
    byte seen, whose, at, generation;
    {
        do
        :: d_step { owner == 0 -> owner = me } break
        :: owner != 0 && may_sweep(owner, word) -> sweep(me)
        od;
        generation = GENERATION(word);
        first_half = me;
        second_half = me;
        writer[generation] = me;
#ifdef BREAK_3  // offered before it is pending
        at = head;
        do
        :: d_step { ring[at] == 0 -> ring[at] = generation } break
        :: ring[at] != 0 -> at++
        od;
        word = word | PENDING;
#else
        word = word | PENDING;
        at = head;
        do
        :: d_step { ring[at] == 0 -> ring[at] = generation } break
        :: ring[at] != 0 -> at++
        od;
#endif
        if  // wake_for_guest()
#ifdef BREAK_4  // as the parent does it
        :: d_step { sleeping -> sleeping = false } token = true
#else
        :: sleeping -> token = true
#endif
        :: !sleeping
        fi;
        do
        :: seen = word;
            if
            :: IS_FINISHED(seen) -> break
            :: !IS_FINISHED(seen) && (seen & FINISHING) == 0 && (seen & ASLEEP) == 0 ->
                if
                :: d_step { word == seen -> word = seen | ASLEEP }
                :: word != seen
                fi
            :: !IS_FINISHED(seen) && (seen & (FINISHING | ASLEEP)) != 0 ->
                if
                :: d_step { word == seen -> in_futex[me] = true } !in_futex[me]
                :: word != seen
                fi
            fi
        od;
        assert(GENERATION(seen) == generation && PHASE(seen) != CANCELLED);
        assert(PHASE(seen) == LOST || ran[generation] == 1);
        free_slot(me)
    } unless { atomic { dies[me] -> dies[me] = false; dead[me] = true; in_futex[me] = false } }
}

proctype Worker() {
    byte seen, g;
    {
end:    do
        :: ring[head] != 0 ->
            g = ring[head];
            if
            :: d_step { GENERATION(word) == g && PHASE(word) == PENDING -> word = word - PENDING + STARTED }
                if
                :: ring[head] == g -> head++
                :: else
                fi;
                assert(first_half == second_half && first_half == writer[g]);
                ran[g]++;
                assert(ran[g] == 1);
                do
                :: seen = word;
                    assert(PHASE(seen) == STARTED && GENERATION(seen) == g);
                    if
                    :: (seen & ASLEEP) == 0 ->
                        if
                        :: d_step { word == seen -> word = seen - STARTED + DONE } break
                        :: word != seen
                        fi
                    :: (seen & ASLEEP) != 0 ->
#ifdef BREAK_1  // done, and woken in another step
                        word = (g << 5) | DONE;
                        in_futex[A] = false; in_futex[B] = false;
                        break
#else
                        if
                        :: d_step { word == seen -> word = seen | FINISHING }
                            d_step { word = (g << 5) | DONE; in_futex[A] = false; in_futex[B] = false };
                            break
                        :: word != seen
                        fi
#endif
                    fi
                od
            :: d_step { !(GENERATION(word) == g && PHASE(word) == PENDING) ->
                if
                :: ring[head] == g -> head++
                :: else
                fi }
            fi;
            g = 0; seen = 0
        :: ring[head] == 0 ->
            sleeping = true;
            if
            :: ring[head] == 0 ->
end_parked:     token;
                token = false
            :: ring[head] != 0
            fi;
            sleeping = false
        od
    } unless { atomic { worker_dies -> worker_dies = false; worker_dead = true } }
}

proctype Supervisor() {
    byte seen, whose;
end:
    worker_dead;
    do
    :: seen = word;
        if
        :: PHASE(seen) == STARTED ->
            if
            :: d_step { word == seen -> word = (seen & ~FINISHING) - STARTED + LOST }
                if
                :: (seen & ASLEEP) != 0 -> d_step { in_futex[A] = false; in_futex[B] = false }
                :: else
                fi;
                break
            :: word != seen
            fi
        :: PHASE(seen) != STARTED -> break
        fi
    od;
    seen = 0;
    sleeping = false;
    token = false;
    sweep(SUPERVISOR);
    run Worker()
}

proctype Fate() {
end:
    if
    :: dies[A] = true
    :: true
    fi;
    if
    :: worker_dies = true
    :: true
    fi
}

init { atomic { run Worker(); run Supervisor(); run Fate(); run Guest(A); run Guest(B) } }
