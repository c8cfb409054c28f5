// SPDX-License-Identifier: BSL-1.0
// The ring of one priority: producers that share a mutex, workers that help head forward, and offers that cancelled tasks leave behind.
//
// Mirrors   task/ring  push(), at(), is_full(), head(), advance_past();  task/board claim_from(), take_from_ring()
//           client/client_submit  submit() whose encoding runs without the mutex, acquire(), make_room(), publish()
// Left out  the work of a task and its collection: a slot is free once its task is decided; sleeping (see sleepers.pml): a worker that finds
//           nothing waits until there is something at head; the wrap of a lap after 4095 rounds.
// Two slots, a ring of four, two producers that may cancel what they have published, one worker that may die between a claim and the
// step of head, and then begins anew.
// Claims    Every task is claimed or cancelled: no offer is overwritten that is still good, and head reaches every one. No task is claimed
//           twice. No process waits for ever.

#define EACH 3                                     // tasks of each producer
#define CAPACITY 4
#define LAP(position) (1 + position / CAPACITY)
#define AT(position) (position % CAPACITY)

#define FREE 0
#define TAKEN 1                                    // acquired by a producer
#define PENDING 2
#define STARTED 3

byte phase[2], generation[2];                      // the words of the slots
byte entry_slot[CAPACITY], entry_generation[CAPACITY], entry_lap[CAPACITY];
byte head, tail, last_generation;
bool locked;

#define FULL (tail - head >= CAPACITY)

inline lock() { atomic { !locked -> locked = true } }

inline push(index) {
    atomic { entry_slot[AT(tail)] = index; entry_generation[AT(tail)] = generation[index]; entry_lap[AT(tail)] = LAP(tail) }
    tail++
}

#define GOOD(position) (entry_lap[AT(position)] == LAP(position))

#ifdef BREAK_3                                     // head is set, wherever others have brought it meanwhile
#define ADVANCE_PAST(position) head = position + 1
#else
#define ADVANCE_PAST(position) if :: atomic { head == position -> head++ } :: else fi
#endif

inline make_room() {
    atomic { last = tail; position = head }
    do
    :: position < last ->
        if
        :: GOOD(position) ->
            atomic { offer = entry_slot[AT(position)]; given = entry_generation[AT(position)] }
            atomic {                               // take_from_ring()
                moved = (phase[offer] == PENDING && generation[offer] == given);
                if
                :: moved -> last_generation++; generation[offer] = last_generation
                :: else
                fi
            }
            ADVANCE_PAST(position);
            if
            :: moved -> push(offer)
            :: else
            fi
        :: else
        fi;
        position++
    :: else -> break
    od;
    atomic { position = 0; last = 0; offer = 0; given = 0; moved = 0 }
}

proctype Producer() {
    byte done, slot, position, last, offer, given;
    bool moved;
    do
    :: done < EACH ->
        done++;
        do                                         // acquire()
        :: lock();
            if
            :: (phase[0] == FREE || phase[1] == FREE) && FULL -> make_room()
            :: else
            fi;
            if
            :: atomic { phase[0] == FREE && !FULL -> phase[0] = TAKEN; slot = 0 } break
            :: atomic { phase[0] != FREE && phase[1] == FREE && !FULL -> phase[1] = TAKEN; slot = 1 } break
            :: else -> locked = false;
                phase[0] == FREE || phase[1] == FREE
            fi
        od;
        locked = false;                            // while the payload is encoded
        lock();
#ifndef BREAK_1                                    // it does not look again, though others may have filled the ring meanwhile
        if
        :: FULL -> make_room()
        :: else
        fi;
#endif
        atomic { last_generation++; generation[slot] = last_generation; phase[slot] = PENDING }
        push(slot);
        atomic { given = generation[slot]; locked = false }
        if                                         // cancel; with a stale generation it does nothing, but no process waits for that
        :: atomic { phase[slot] == PENDING && generation[slot] == given -> phase[slot] = FREE }
        :: true
        fi;
        atomic { slot = 0; given = 0 }
    :: else -> break
    od;
    phase[0] != PENDING && phase[1] != PENDING
}

proctype Worker() {
    byte position, offer, given;
end:
    do
    :: atomic { entry_lap[AT(head)] != 0 -> position = head }
        if
        :: atomic { GOOD(position) -> offer = entry_slot[AT(position)]; given = entry_generation[AT(position)] }
#ifdef BREAK_2                                     // head first
            ADVANCE_PAST(position);
            if :: goto anew :: true fi;
#endif
            if
            :: atomic { phase[offer] == PENDING && generation[offer] == given -> phase[offer] = STARTED }
                if
                :: phase[offer] = FREE; goto anew  // dies, and its task with it
                :: ADVANCE_PAST(position); phase[offer] = FREE
                fi
            :: else -> ADVANCE_PAST(position)
            fi
        :: !GOOD(position) ->                      // nothing, or head has moved
end_empty:  head != position || GOOD(position)
        fi;
anew:   atomic { position = 0; offer = 0; given = 0 }
    od
}

init { atomic { run Producer(); run Producer(); run Worker() } }
