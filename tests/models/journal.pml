// SPDX-License-Identifier: BSL-1.0
// Records on their way through a ring of cells, from writers that may be killed at any step to one reader.
//
// Mirrors   log/journal   claim(), write(), drain(), last_number(), settle(), is_being_written()
// Left out  levels, the parker (the reader looks again every 100 ms anyway), how many times the reader looks at a cell before it goes on (it
//           gives up whenever it likes); process numbers that are used again. The reader drains once at any time, and once at the end.
// Two writers of two records each, in a ring of two cells, so that they meet what was there before. One of them dies at any step, or not. The text of a record is two bytes, written and copied one after the other.
// Claims    The reader gets whole records only, each once, unless it was lost; what its writer has finished is lost only if another took the
//           place of one that waited, and is counted then, unless that other writer died before it had counted. Records come in the order in
//           which they were begun, but for those that were still being written. When no process writes, the reader comes to an end.

#define CELLS 2
#define WRITERS 2
#define NUMBERS 12       // more than are given: a number that a writer passes by is lost

#define FREE 0
#define WRITING 1
#define WRITTEN 2
#define READ 3

typedef Cell { byte state; byte owner; byte number; byte front; byte back };
Cell ring[CELLS];
#define CELL(n) ring[(n) % CELLS]
byte last, dropped, read_up_to;

bool dies[WRITERS], dead[WRITERS];
byte running = WRITERS;
// ghosts, by the number of a record
bool finished[NUMBERS], got[NUMBERS];
byte overwritten;                     // records that were finished, and gave way to another
bool killed;

#define SAME(c, s, p, n) (c.state == s && c.owner == p && c.number == n)

inline count_up(from) {               // last_.compare_exchange_strong(from, from + 1)
    d_step {
        if
        :: last == from -> last = from + 1
        :: else
        fi
    }
}

/// Leaves in `number` the record's, or 0 when there is no cell for it.
inline claim() {
    do
    :: atomic { passed > CELLS -> break }
    :: atomic { passed <= CELLS -> from = last };
        d_step { state = CELL(from + 1).state; owner = CELL(from + 1).owner; seen = CELL(from + 1).number }
        if
        :: seen > from + 1             // others were faster
#ifdef BREAK_1     // it takes a cell that the reader copies
        :: seen < from + 1 && state != WRITING ->
#else
        :: seen < from + 1 && (state == FREE || state == WRITTEN) ->
#endif
            if
            :: d_step { SAME(CELL(from + 1), state, owner, seen) ->
                   CELL(from + 1).state = WRITING; CELL(from + 1).owner = me; CELL(from + 1).number = from + 1;
                   number = from + 1;
                   if :: state == WRITTEN -> overwritten++ :: else fi
               }
                count_up(from);
                if
                :: atomic { state == WRITTEN -> dropped++; from = 0; state = 0; owner = 0; seen = 0; passed = 0 }
                :: atomic { else -> from = 0; state = 0; owner = 0; seen = 0; passed = 0 }
                fi;
                break
            :: !SAME(CELL(from + 1), state, owner, seen)
            fi
        :: else ->
            atomic {
                if
                :: seen < from + 1 -> passed++
                :: else
                fi;
                count_up(from)
            }
        fi
    od
}

proctype Writer(byte me) {
    byte passed, number, from, state, owner, seen, records = 2;
    {
        do
        :: atomic { records > 0 -> records--; number = 0 }
            claim();
            if
            :: number == 0 -> dropped++
            :: else ->
#ifdef BREAK_2     // it says so first
                d_step { CELL(number).state = WRITTEN; CELL(number).owner = 0; finished[number] = true };
                CELL(number).front = number;
                CELL(number).back = number
#else
                CELL(number).front = number;
                CELL(number).back = number;
                d_step { CELL(number).state = WRITTEN; CELL(number).owner = 0; finished[number] = true }
#endif
            fi
        :: records == 0 -> break
        od
    } unless { atomic { dies[me] -> killed = true } };
end_dead:
    atomic { dead[me] = true; running--; passed = 0; number = 0; from = 0; state = 0; owner = 0; seen = 0 }
}

proctype Fate() {
end:
    if :: dies[0] = true :: true fi
}

inline last_number() {
    do
    :: from = last;
        if
        :: CELL(from + 1).number != from + 1 -> break
        :: else -> count_up(from)
        fi
    od;
    up_to = from
}

proctype Reader() {
    byte number, from, up_to, done, state, owner, seen, front, back, missing;
    byte looks = 1;
    do
    ::  if
        :: looks > 0 -> looks--
        :: running == 0 -> looks = 99  // for the last time
        fi;
        last_number();
        done = up_to;
        from = 0;
        d_step {
            if
            :: up_to > CELLS && up_to - CELLS > read_up_to -> number = up_to - CELLS + 1
            :: else -> number = read_up_to + 1
            fi
        }
        do
        :: number > up_to -> break
        :: number <= up_to ->
again:      // is_being_written()
            atomic { state = CELL(number).state; owner = CELL(number).owner; seen = CELL(number).number }
            if
            :: seen <= number && state == WRITING ->
                if
                :: dead[owner] ->
                    d_step {
                        if
#ifdef BREAK_3     // it does not look whether the writer has finished before it died
                        :: true -> CELL(number).state = FREE; CELL(number).owner = 0; dropped++
#else
                        :: SAME(CELL(number), state, owner, seen) -> CELL(number).state = FREE; CELL(number).owner = 0; dropped++
                        :: else
#endif
                        fi
                    }
                :: !dead[owner] -> goto comes_later
                fi
            :: else
            fi;
            // settle()
            d_step { state = CELL(number).state; owner = CELL(number).owner; seen = CELL(number).number }
            if
            :: seen > number || (seen == number && state == FREE) -> goto next
            :: seen < number && state == FREE ->
                if
                :: d_step { SAME(CELL(number), state, owner, seen) -> CELL(number).number = number }; goto next
                :: !SAME(CELL(number), state, owner, seen)
                fi
            :: seen <= number && state == WRITTEN ->
                if
#ifdef BREAK_4     // it copies without having taken the record
                :: SAME(CELL(number), state, owner, seen) ->
#else
                :: d_step { SAME(CELL(number), state, owner, seen) -> CELL(number).state = READ; CELL(number).owner = 0 }
#endif
                    front = CELL(number).front;
                    back = CELL(number).back;
                    d_step { CELL(number).state = FREE; CELL(number).owner = 0; CELL(number).number = number };
                    d_step {
                        assert(front == seen && back == seen);
                        assert(finished[seen] && !got[seen]);
                        got[seen] = true;
                        front = 0; back = 0
                    }
                    goto next
#ifdef BREAK_5     // a number that was passed by may be claimed when the reader is past it
                :: !SAME(CELL(number), state, owner, seen) -> goto next
#else
                :: !SAME(CELL(number), state, owner, seen)
#endif
                fi
            :: seen <= number && state == WRITING
            fi;
            atomic { state = 0; owner = 0; seen = 0; goto again }
comes_later:
            atomic { if :: number - 1 < done -> done = number - 1 :: else fi }
next:
            atomic { number++; state = 0; owner = 0; seen = 0; front = 0; back = 0 }
        od;
        read_up_to = done;
        if
        :: looks == 99 ->
            assert(done == up_to);
            break
        :: else
        fi
    od;
    atomic {
        number = 1; missing = 0;
        do
        :: number < NUMBERS -> if :: finished[number] && !got[number] -> missing++ :: else fi; number++
        :: else -> break
        od;
        assert(missing == overwritten);
        assert(killed || dropped >= overwritten)
    }
}

init { atomic { run Writer(0); run Writer(1); run Reader(); run Fate() } }
