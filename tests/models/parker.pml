// SPDX-License-Identifier: BSL-1.0
// One sleeper, two that notify it, and the supervisor that repairs what a killed one leaves: no wake-up is lost.
//
// Mirrors   sync/parker       park(), notify(), notify_again_if_interrupted(), rouse(), each of the notifiers' with two steps
//           os/futex          a sleep begins only if the word is still PARKED, which the kernel sees in one step with the sleep
//           task/board        finish() and announce(): decide, look at WAITED, notify
//           client/client_wait wait(): set WAITED, look again, park
//           worker/supervisor settle(): decide for the dead, notify_again()
// Left out  who waits for what: two rounds with one task each, on one parker, so that leftovers of the first meet the second. The waiter
//           has no deadline here but in the first round, where it may come at any time; in truth parent threads park for 100 ms at most,
//           and only the parkers of seats get both halves of the repair.
// The notifier of each task dies at any step, or not; another one notifies once for nothing, at any time.
// Claims    The waiter gets through both rounds. park() says false only when its deadline passed. A decided task is seen.

#define EMPTY 0
#define PARKED 1
#define NOTIFIED 2

byte word = EMPTY;                 // of the parker
bool asleep;                       // of the parker: its owner is within park()
bool in_kernel;                    // the sleeper is in the futex
bool decided[2], waited[2];        // the words of the tasks
bool dies[2], dead[2];
byte over;                         // rounds

inline notify() {
    atomic { old = word; word = NOTIFIED }
    if
    :: old == PARKED -> in_kernel = false  // futex_wake()
    :: else
    fi
}

/// Leaves what it returns in `notified`.
inline park(has_deadline) {
    passed = false;
#ifndef BREAK_6    // it leaves no mark
    asleep = true;
#endif
    if
    :: atomic { word == EMPTY -> word = PARKED }
        do
        :: word != PARKED -> break
        :: word == PARKED && passed -> break
        :: word == PARKED && !passed ->
#ifdef BREAK_1     // a wake-up is believed, not the word
            wait_once(has_deadline); break
#else
            wait_once(has_deadline)
#endif
        od
    :: word != EMPTY
    fi;
    asleep = false;
    atomic { notified = (word == NOTIFIED); word = EMPTY }
}

/// futex_wait()
inline wait_once(has_deadline) {
#ifdef BREAK_5     // it sleeps whatever the word says
    in_kernel = true;
#else
    atomic { in_kernel = (word == PARKED) }
#endif
    if
    :: !in_kernel
    :: has_deadline -> in_kernel = false; passed = true
    fi
}

proctype Waiter() {
    bool notified, passed;
    byte round;
    do
    :: round < 2 ->
        do
        :: decided[round] -> break
        :: !decided[round] ->
            waited[round] = true;
            if
#ifdef BREAK_2     // it does not look again
            :: true ->
#else
            :: decided[round]
            :: !decided[round] ->
#endif
                park(round == 0);
                assert(notified || passed)
            fi
        od;
        round++;
        over = round
    :: else -> break
    od
}

/// The worker that runs the task of this round.
proctype Worker(byte round) {
    byte old; bool tell;
    {
        atomic { decided[round] = true; tell = waited[round] }  // one word
        if
        :: tell -> notify()
        :: else
        fi
    } unless { atomic { dies[round] -> dies[round] = false; dead[round] = true } }
}

proctype Other() {
    byte old;
    if
    :: notify()
    :: word = NOTIFIED; in_kernel = false  // rouse()
    :: true
    fi
}

proctype Fate(byte round) {
end:
    if :: dies[round] = true :: true fi
}

proctype Supervisor() {
    byte old, gone;
end:
    do
    :: atomic { dead[0] || dead[1] -> if :: dead[0] -> gone = 0 :: dead[1] -> gone = 1 fi }
        decided[gone] = true;
#ifndef BREAK_3    // one killed between the two steps of notify()
        if
        :: word == NOTIFIED && asleep -> in_kernel = false  // notify_again_if_interrupted()
        :: else
        fi;
#endif
#ifndef BREAK_4    // one killed before notify()
        notify();
#endif
        dead[gone] = false
    od
}

init { atomic { run Waiter(); run Worker(0); run Worker(1); run Other(); run Fate(0); run Fate(1); run Supervisor() } }
