// SPDX-License-Identifier: BSL-1.0
// The two that use one end of a pipe, a receiver and a sender that finds no room, and the peer at the other end, which sends, closes or
// dies at any step: both come to the end of file, and what was sent before is received.
//
// Mirrors   channel/byte_queue wait_until_filled(), wait_for_room(), put(), close()
//           sync/member        Members::wait(): the bit `waiters` of the life's word, the look whether the thread has died, the sleep on
//                              two words, and the wake of the others by the one that the kernel has woken
//           os/futex           a sleep on two words begins only if both are as expected; at a death the kernel changes the life's word
//                              and wakes one of its sleepers, if the bit is there, in one step
// Left out  the locks of the sides, since one waits on each; binding anew, after which those that are woken look at another life; slices
//           and with them the death of a sleeper that the kernel has woken and that would have woken the other.
// Claims    The receiver and the sender come to an end once the peer has closed or is dead. The receiver has got all that was put.

#define TAIL_WORD (tail * 4 + tail_closed * 2 + tail_asleep)
#define HEAD_WORD (room_closed * 2 + head_asleep)

byte tail, head;                   // of the queue to the receiver
bool tail_asleep, tail_closed;
bool head_asleep;                  // of the queue to the peer, which is full for ever
bool full_closed, room_closed;     // in its two words
bool waiters, life_over;           // the word of the peer's life
bool in_kernel[2], on_life[2];     // the receiver, the sender
bool dies, dead;
byte gets;

// The kernel's wake of one that sleeps on the life's word
inline wake_one_of_life() {
    if
    :: in_kernel[0] && on_life[0] -> in_kernel[0] = false
    :: in_kernel[1] && on_life[1] -> in_kernel[1] = false
    :: !(in_kernel[0] && on_life[0]) && !(in_kernel[1] && on_life[1])
    fi
}

inline watch(me, state, expected) {
    if
    :: life_over -> skip
    :: else ->
        waiters = true;
#ifndef BREAK_1
        atomic { if :: state == expected && waiters && !life_over -> in_kernel[me] = true; on_life[me] = true :: else fi }
#else
        atomic { if :: state == expected -> in_kernel[me] = true; on_life[me] = true :: else fi }  // not on both words as seen
#endif
        !in_kernel[me];
        on_life[me] = false;
#ifndef BREAK_2
        if
        :: life_over -> d_step { if :: on_life[1 - me] -> in_kernel[1 - me] = false :: else fi }
        :: else
        fi
#endif
    fi
}

proctype Receiver() {
    byte word;
    bool was_deserted;
    do
    :: d_step { word = TAIL_WORD }
        if
        :: word / 4 != head -> d_step { head++; gets++ }
        :: else ->
            if
            :: (word & 2) -> break
            :: was_deserted -> break
            :: !(word & 2) && !was_deserted ->
                if
#ifndef BREAK_3
                :: life_over -> was_deserted = true  // one more look at the tail
#else
                :: life_over -> break
#endif
                :: else ->
                    if
                    :: (word & 1)
                    :: d_step { !(word & 1) && TAIL_WORD == word -> tail_asleep = 1; word = word | 1 }
                    :: d_step { !(word & 1) && TAIL_WORD != word -> skip } goto again
                    fi;
                    watch(0, TAIL_WORD, word)
                fi
            fi
        fi;
again:  skip
    od
}

proctype Sender() {
    byte word;
    do
    :: d_step { word = HEAD_WORD }
        if
        :: full_closed || life_over -> break
        :: else ->
            if
            :: (word & 1)
            :: d_step { !(word & 1) && HEAD_WORD == word -> head_asleep = 1; word = word | 1 }
            :: d_step { !(word & 1) && HEAD_WORD != word -> skip } goto again
            fi;
            watch(1, HEAD_WORD, word)
        fi;
again:  skip
    od
}

// One step: the word changes and the one that sleeps on it is woken.
inline wake_receiver() { if :: tail_asleep -> tail_asleep = false; in_kernel[0] = false :: else fi }

proctype Peer() {
    byte left = 2;
    {
        do
        :: left > 0 -> atomic { tail++; wake_receiver(); left-- }
        :: break
        od;
        atomic { tail_closed = true; in_kernel[0] = false }
        full_closed = true;
#ifndef BREAK_4
        atomic { room_closed = true; in_kernel[1] = false }
#else
        skip                       // the word that the sender sleeps on does not change
#endif
    } unless {
        atomic {
            dies -> life_over = true;
            dead = true;
            if :: waiters -> wake_one_of_life() :: else fi
        }
    }
}

proctype Fate() {
end: if :: dies = true :: true fi
}

init {
    atomic { run Receiver(); run Sender(); run Peer(); run Fate() }
    timeout;
    assert(gets == tail && (dead || tail_closed))
}
