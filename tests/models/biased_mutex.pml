// SPDX-License-Identifier: BSL-1.0
// Two threads and a mutex that one of them locks without a barrier, on processors that hold stores back.
//
// Mirrors   client/biased_mutex  try_lock_as_owner(), unlock(), lock_slowly(), bias_to_this_thread(), lock_and_end_bias()
//           os/process_barrier   pass(): what each thread has stored before is visible when it returns
// Left out  processors that hold back or reorder more than stores (the acquire and release in the source are for them); the spinning of
//           lock_slowly(); biases beyond one for each thread. The bias is given the second time in a row. Death is not a step: the
//           mutex is the parent's, whose threads die at once; one that ends and leaves its address to another is the same thread here.
// Every store of a thread waits in a buffer of its own, first in, first out; the thread sees it at once, the others once it has left the
// buffer, which may be any time. A locked instruction waits until the buffer is empty.
// Claims    One thread is inside at a time, and sees what those before it have stored. It gives back what it has locked. No thread waits for ever.

#define ROUNDS 5

// addresses
#define BIAS 0                        // 0: no thread's; else thread + 1
#define INSIDE(t) (1 + t)
#define LOCKED_BY 3
#define DATA 4
byte memory[5];

#define MOST 4                        // stores that a buffer holds
byte address[8], value[8], held[2];   // of thread t from t * MOST

bool locked;                          // mutex_
byte last = 9, entered;               // last_, under mutex_; entered: ghost
bool inside_now, no_more;

/// The thread waits until there is room, as a processor does.
inline store(t, where, what) {
    atomic { held[t] < MOST -> address[t * MOST + held[t]] = where; value[t * MOST + held[t]] = what; held[t]++ }
}
inline load(t, where, into) {
    d_step {
        into = memory[where];
        i = 0;
        do
        :: i < held[t] ->
            if
            :: address[t * MOST + i] == where -> into = value[t * MOST + i]
            :: else
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

proctype Buffer(byte t) {
    byte i;
end:
    do
    :: d_step { held[t] > 0 ->
           memory[address[t * MOST]] = value[t * MOST];
           i = 1;
           do
           :: i < held[t] -> address[t * MOST + i - 1] = address[t * MOST + i]; value[t * MOST + i - 1] = value[t * MOST + i]; i++
           :: else -> break
           od;
           held[t]--;
           address[t * MOST + held[t]] = 0;
           value[t * MOST + held[t]] = 0;
           i = 0
       }
    od
}

inline use() {
    atomic { assert(!inside_now); inside_now = true }
    load(me, DATA, seen);
    assert(seen == entered);
    entered++;
    store(me, DATA, seen + 1);
    inside_now = false
}

inline lock_slowly() {
    atomic { !locked && held[me] == 0 -> locked = true }
    load(me, BIAS, owner);
    if
    :: owner != 0 ->
        store(me, BIAS, 0);
#ifndef BREAK_1    // no barrier
        if
        :: owner != me + 1 -> held[me] == 0; held[owner - 1] == 0
        :: else
        fi;
#endif
#ifndef BREAK_2    // it does not wait for the owner inside
        do
        :: load(me, INSIDE(owner - 1), seen);
            if
            :: seen == 0 -> break
            :: else -> atomic { memory[INSIDE(owner - 1)] == 0 || held[me] > 0 }  // it looks again when that may have changed
            fi
        od;
#endif
        last = 9
    :: owner == 0 ->
        if
        :: last != me -> last = me
        :: last == me && !no_more -> store(me, BIAS, me + 1)
        :: else
        fi
    fi
}

proctype Thread(byte me) {
    byte round, owner, seen, i;
    do
    :: round < ROUNDS ->
        round++;
        load(me, BIAS, owner);
        if
        :: owner == me + 1 ->
            store(me, INSIDE(me), 1);
#ifndef BREAK_3    // it does not look again
            load(me, BIAS, owner);
#endif
            if
            :: owner == me + 1 -> store(me, LOCKED_BY, me + 1)
            :: else -> store(me, INSIDE(me), 0); lock_slowly()
            fi
        :: owner != me + 1 ->
            lock_slowly();
            if  // lock_and_end_bias()
            :: round == ROUNDS && me == 1 -> no_more = true; store(me, BIAS, 0)
            :: true
            fi
        fi;
        use();
        load(me, LOCKED_BY, owner);
        if
        :: owner != 0 ->
            assert(owner == me + 1 && (memory[INSIDE(me)] == 1 || held[me] > 0));
#ifdef BREAK_4     // what belongs to the owner inside is written when it is no longer
            store(me, INSIDE(me), 0);
            store(me, LOCKED_BY, 0)
#else
            store(me, LOCKED_BY, 0);
            store(me, INSIDE(me), 0)
#endif
        :: else ->
            assert(locked);
            atomic { held[me] == 0 -> locked = false }
        fi
    :: else -> break
    od
}

init { atomic { run Buffer(0); run Buffer(1); run Thread(0); run Thread(1) } }
