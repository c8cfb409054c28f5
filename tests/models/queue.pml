// SPDX-License-Identifier: BSL-1.0
// A queue of one cell, two producers and two consumers, one of each mortal: no death loses, doubles or tears an item that counts as put,
// but for the one in a dead consumer's hand, and nobody waits for ever.
//
// Mirrors   channel/byte_queue put(), get(), wait(), advance(), close(): the two robust locks, the two words, the owner of a side's lock
//                             that alone sleeps on the other side's word with the bit `asleep` in it
//           os/futex          a sleep begins only if the word is as seen; change_and_wake() is one step, also for a death
//           sync/robust_lock  the kernel releases the lock of a dead owner
// Left out  the places of bytes, which follow from the cells between the words; known_head_ and known_tail_, which are older looks;
//           timeouts; slices, which would hide a lost wake-up; the table of hands.
// Either the queue is closed at any time; or when all has been taken, and producer 0 and consumer 2 die at any step, or not.
// Claims    No item is taken twice or before it is written. All that live come to an end. What was put is taken, or was in the hand of
//           the consumer that died.

#define NOBODY 9
#define TAIL_WORD (tail * 4 + tail_closed * 2 + tail_asleep)
#define HEAD_WORD (head * 4 + head_closed * 2 + head_asleep)

byte tail, head;
bool tail_asleep, tail_closed, head_asleep, head_closed;
byte cell;
byte put_lock = NOBODY, get_lock = NOBODY;
bool in_kernel[4];                 // producers 0 and 1 on head, consumers 2 and 3 on tail
byte producers = 2;
bool dies[4];                      // 0 and 2
byte puts, gets, lost;
bool seen[3];

inline futex_wait(me, state, expected) {
    atomic { if :: state == expected -> in_kernel[me] = true :: else fi }
    !in_kernel[me]
}

inline wake(a, b) {
    if
    :: in_kernel[a] -> in_kernel[a] = false
    :: in_kernel[b] -> in_kernel[b] = false
    :: !in_kernel[a] && !in_kernel[b]
    fi
}

proctype Producer(byte me) {
    byte word, left = 1, item;
    {
        do
        :: left > 0 ->
            item = 1 + me;
            atomic { put_lock == NOBODY -> put_lock = me }
            if
            :: tail_closed -> put_lock = NOBODY; break
            :: else
            fi;
            do
            :: tail - head < 1 -> break
            :: else ->
                d_step { word = HEAD_WORD }
                if
                :: tail_closed -> put_lock = NOBODY; goto over
                :: tail - word / 4 < 1 && !tail_closed -> break
                :: else ->
#ifndef BREAK_3
                    if
                    :: (word & 1)
                    :: d_step { !(word & 1) && HEAD_WORD == word -> head_asleep = 1; word = word | 1 }
                    :: d_step { !(word & 1) && HEAD_WORD != word -> skip } goto again
                    fi;
#endif
                    futex_wait(me, HEAD_WORD, word)
                fi;
again:          skip
            od;
#ifndef BREAK_2
            cell = item;           // written, then counted
#endif
#ifndef BREAK_1
            atomic { tail++; puts++; if :: tail_asleep -> tail_asleep = 0; wake(2, 3) :: else fi }
#else
            d_step { tail++; puts++; word = tail_asleep; tail_asleep = 0 }
            if :: word -> atomic { wake(2, 3) } :: else fi;
#endif
#ifdef BREAK_2
            cell = item;
#endif
            d_step { put_lock = NOBODY; left--; word = 0; item = 0 }
        :: else -> break
        od;
over:   skip;
        d_step { producers--; word = 0; item = 0; left = 0 }
    } unless {
        d_step {
            dies[me] -> dies[me] = false;
            producers--;
            in_kernel[me] = false;
#ifndef BREAK_4
            if :: put_lock == me -> put_lock = NOBODY :: else fi
#endif
        }
    }
}

proctype Consumer(byte me) {
    byte word, item;
    {
        do
        :: atomic { get_lock == NOBODY -> get_lock = me }
            do
            :: tail != head -> break
            :: else ->
                d_step { word = TAIL_WORD }
                if
                :: word / 4 != head -> break
                :: word / 4 == head && (word & 2) ->
#ifndef BREAK_6
                    atomic { put_lock == NOBODY -> put_lock = me }  // no producer is between its look and its step
                    put_lock = NOBODY;
#endif
                    if
                    :: tail == head -> get_lock = NOBODY; goto over
                    :: else -> break
                    fi
                :: else ->
                    if
                    :: (word & 1)
                    :: d_step { !(word & 1) && TAIL_WORD == word -> tail_asleep = 1; word = word | 1 }
                    :: d_step { !(word & 1) && TAIL_WORD != word -> skip } goto again
                    fi;
                    futex_wait(me, TAIL_WORD, word)
                fi;
again:          skip
            od;
            item = cell;
#ifndef BREAK_5
            atomic { head++; if :: head_asleep -> head_asleep = 0; wake(0, 1) :: else fi }
#else
            atomic { head++ }      // wakes nobody
#endif
            d_step { assert(item != 0 && !seen[item]); seen[item] = true; gets++; item = 0; word = 0 }
            get_lock = NOBODY
        od;
over:   skip
    } unless {
        d_step {
            dies[me] -> dies[me] = false;
            lost = (item != 0 && !seen[item] -> 1 : 0);
            in_kernel[me] = false;
            if :: get_lock == me -> get_lock = NOBODY :: else fi;
            if :: put_lock == me -> put_lock = NOBODY :: else fi
        }
    }
}

proctype Closer(bool early) {
    if :: early :: !early && producers == 0 && tail == head fi;
    atomic { tail_closed = 1; in_kernel[2] = false; in_kernel[3] = false }
    atomic { head_closed = 1; in_kernel[0] = false; in_kernel[1] = false }
}

proctype Fate(byte who) {
end: if :: dies[who] = true :: true fi
}

init {
    atomic {
        run Producer(0); run Producer(1); run Consumer(2); run Consumer(3);
        if :: run Closer(true) :: run Closer(false); run Fate(0); run Fate(2) fi
    }
    timeout;
    assert(tail == head && gets + lost >= puts)
}
