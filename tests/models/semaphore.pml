// SPDX-License-Identifier: BSL-1.0
// Two that acquire and two that release: no permit lies beside a living thread that sleeps for one.
//
// Mirrors   sync/semaphore    wait(): the front sleeps on the word, the others at its lock; release(), release_to_sleepers()
//           sync/word         sleep_on()
//           os/futex          the kernel compares the word in one step with the sleep; change_and_wake() is one step
//           sync/robust_lock  the kernel gives the lock of a dead holder to the next one
// Left out  try_acquire() by others, which only takes; releases of several permits in steps, each of which is a release; destruction.
// The first that acquires and the first that releases die at any step, or not; the first that acquires may also give up.
// Permits come until there have been enough for those that live, since a dead one may have taken one along.
// Claims    Everybody that lives and does not give up gets a permit.

#define WORD (count * 2 + asleep)
#define NOBODY 9
#define ACQUIRERS 2

byte count;
bit asleep;
byte front = NOBODY;
bool in_kernel[ACQUIRERS];
bool dies[2], dead[2];             // 0: an acquirer, 1: a releaser
bool gave_up;
byte got;

/// Any one of those that sleep.
inline wake_one() {
    if
    :: in_kernel[0] -> in_kernel[0] = false
    :: in_kernel[1] -> in_kernel[1] = false
    :: !in_kernel[0] && !in_kernel[1]
    fi
}

proctype Acquirer(byte me) {
    byte seen;
    bool late;
    {
        if
        :: d_step { count > 0 -> count--; got++ } goto done
        :: count == 0
        fi;
#ifndef BREAK_1    // there is no front: all sleep on the word
        atomic { front == NOBODY -> front = me }
#endif
        do
        :: seen = WORD;
            if
            :: seen / 2 > 0 ->
                if
                :: d_step { WORD == seen ->
                    count--;
#ifndef BREAK_1
                    asleep = 0;
#endif
                    got++ } break
                :: WORD != seen
                fi
            :: seen / 2 == 0 && late ->
                if
                :: d_step { WORD == seen ->
#ifndef BREAK_1
                    asleep = 0;
#endif
                    gave_up = true } break
                :: WORD != seen
                fi
            :: seen / 2 == 0 && !late ->
                if
                :: (seen & 1)
#ifdef BREAK_3     // the bit is not set in the step that confirms the count
                :: !(seen & 1) -> asleep = 1
#else
                :: d_step { !(seen & 1) && WORD == seen -> asleep = 1 }
                :: !(seen & 1) && WORD != seen -> goto again
#endif
                fi;
                atomic {
                    if
#ifdef BREAK_3
                    :: in_kernel[me] = true
#else
                    :: WORD == (seen | 1) -> in_kernel[me] = true
                    :: else
#endif
                    fi
                }
                if
                :: !in_kernel[me]
                :: me == 0 -> late = true; in_kernel[0] = false
                fi;
again:          skip
            fi
        od;
#ifndef BREAK_1
        front = NOBODY;
#endif
done:   seen = 0;
        late = false
    } unless {
        d_step { me == 0 && dies[0] ->
            dies[0] = false;
            dead[0] = true;
            in_kernel[0] = false;
            if
            :: front == 0 -> front = NOBODY
            :: else
            fi }
    }
}

inline release() {
    do
    :: seen = WORD;
        if
        :: !(seen & 1) ->
            if
            :: d_step { WORD == seen -> count++ } break
            :: WORD != seen
            fi
        :: (seen & 1) ->
#ifndef BREAK_2    // the change and the wake-up are two steps
            atomic { count++; wake_one() }
#else
            count++;
            atomic { wake_one() }
#endif
            break
        fi
    od
}

proctype Mortal() {
    byte seen;
    { release() } unless { d_step { dies[1] -> dies[1] = false; dead[1] = true } }
}

proctype Releaser() {
    byte seen;
    release()
}

/// Its permit takes the place of that of a dead releaser.
proctype Last() {
    byte seen;
end:
    dead[1] && count == 0 && got < ACQUIRERS;
    release()
}

proctype Fate(byte who) {
end:
    if :: dies[who] = true :: true fi
}

init { atomic { run Acquirer(0); run Acquirer(1); run Mortal(); run Releaser(); run Last(); run Fate(0); run Fate(1) } }
