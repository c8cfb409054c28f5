// SPDX-License-Identifier: BSL-1.0
// A timeout for each item of a task: whom the supervisor's verdict falls on, while the worker steps from item to item and task to task.
//
// Mirrors   worker/deadlines  look(), start_of(), may_condemn(), forget();  worker/supervisor next_deadline(), settle(), spawn()
//           worker/loop       start_clock(), finish_items(), condemned();  task/board claim_from(), finish(), condemn(), requeue()
// Left out  slots: each task has a word of its own, since a slot's next task has another generation (see slot_word.pml); when to look
//           (see armed.pml): the supervisor looks all the time.
// One worker, one seat, two timed tasks of two items each. The worker dies once at any step for no reason, and each time it is condemned;
// its next life has the same seat, and a task that it died with starts again, with the same generation.
// Claims    A task is condemned only while an item of it runs that has run for its timeout, and none of its items is begun after that; so
//           no verdict reaches another item, the next task, or the next life. A condemned worker is killed. Both tasks end. There is
//           one exception: a worker that has not stamped its task for a whole timeout is condemned with the task, and may have come to
//           a later item in the moment before.

#define TIMEOUT 2
#define TIMES 4
#define NOBODY 0

#define PENDING 1
#define STARTED 2
#define CONDEMNED 3
#define DONE 4

byte now;
byte word[3];                     // by generation, which is the number of the task
byte stamp;                       // seat.task_started
byte item_of, item;               // seat.item: generation, and the item times two, plus 1: condemned
byte watch_of, watch_seen;        // watches_[seat]
bool dies, dead, sigkill, no_more;  // no_more (ghost): no item may begin
byte strikes = 1, retries = 2;

byte began;                       // ghosts: when the item began that runs,
byte runs, runs_item;             // and which it is

proctype Clock() {
end:
    do
    :: now < TIMES -> now++
    od
}

proctype Worker() {
    byte task, time, seen;
end_life:
    {
        task = 1;
        do
        :: task < 3 && word[task] == DONE -> task++
        :: task < 3 && word[task] == PENDING ->
            d_step { word[task] = STARTED; runs = task; runs_item = 0; began = now }
            time = now;                                      // start_clock()
            stamp = time;
            d_step { item_of = task; item = 0; time = 0 }
            do
            :: seen < 4 ->                                   // finish_items(): the item has run, and the next one is due
                time = now;
#ifndef BREAK_1  // the stamp comes after the step
                stamp = time;
#endif
                if
#ifdef BREAK_2   // it steps on without a look at the verdict
                :: d_step { true -> assert(!no_more); item = seen + 2; runs_item = seen + 2; began = time; seen = seen + 2 }
#else
                :: d_step { item == seen && item_of == task -> assert(!no_more); item = seen + 2; runs_item = seen + 2; began = time; seen = seen + 2 }
                :: item != seen || item_of != task -> goto condemned
#endif
                fi;
#ifdef BREAK_1
                stamp = time;
#endif
                time = 0
            :: else -> break
            od;
            if                                               // finish()
            :: atomic { word[task] == STARTED -> word[task] = DONE; runs = NOBODY; runs_item = 0; began = 0; seen = 0 }
            :: word[task] != STARTED -> goto condemned
            fi
        :: task == 3 -> break
        od;
        goto end
condemned: false
    } unless { atomic { dies -> dies = false; dead = true; task = 0; time = 0; seen = 0 } }
    !dead;
    goto end_life;
end: skip
}

proctype Fate() {
end:
    do
    :: d_step { !dies && !dead && strikes > 0 && runs != NOBODY -> strikes--; dies = true }
    :: d_step { !dies && !dead && sigkill -> dies = true }
    od
}

proctype Supervisor() {
    byte task, item_seen, start, at;
    bool stamped, may;
end:
    do
    :: word[1] == STARTED || word[2] == STARTED ->           // look()
        atomic {
            if :: word[1] == STARTED -> task = 1 :: else -> task = 2 fi;
            at = now
        }
        atomic {                                             // start_of()
            if
            :: watch_of != task -> watch_of = task; watch_seen = at
            :: else
            fi;
            stamped = (item_of == task); item_seen = item
        }
        if
        :: stamped -> start = stamp
        :: else -> start = watch_seen
        fi;
        if
        :: start + TIMEOUT <= at ->
            if                                               // may_condemn()
#ifdef BREAK_3   // the verdict is passed on the word alone
            :: may = true
#else
            :: !stamped -> may = (item_of != task)
            :: d_step { stamped && (item_seen & 1) -> may = true }
            :: d_step { stamped && !(item_seen & 1) && item_of == task && item == item_seen -> item = item | 1; may = true }
            :: stamped && !(item_seen & 1) && (item_of != task || item != item_seen) -> may = false
#endif
            fi;
            if
            :: d_step { may && word[task] == STARTED ->      // condemn()
                   assert(runs == task && (began + TIMEOUT <= now || !stamped));
                   word[task] = CONDEMNED; sigkill = true; no_more = stamped }
            :: else
            fi
        :: else
        fi;
        d_step { task = 0; item_seen = 0; start = 0; at = 0; stamped = 0; may = 0 }
    :: dead ->                                               // settle()
        task = 1;
        do
        :: task < 3 ->
            if
            :: d_step { (word[task] == STARTED || word[task] == CONDEMNED) && retries > 0 -> retries--; word[task] = PENDING }
            :: d_step { (word[task] == STARTED || word[task] == CONDEMNED) && retries == 0 -> word[task] = DONE }
            :: else
            fi;
            task++
        :: else -> break
        od;
        task = 0;
#ifndef BREAK_4  // forget()
        d_step { watch_of = 0; watch_seen = 0 }
        d_step { item_of = 0; item = 0 }
#endif
        d_step { runs = NOBODY; runs_item = 0; began = 0; sigkill = false; no_more = false; dead = false }
    od
}

init { atomic { word[1] = PENDING; word[2] = PENDING; run Clock(); run Worker(); run Fate(); run Supervisor() } }
