// SPDX-License-Identifier: BSL-1.0
// A chunk of a map whose worker dies: what the report in the result says has been done, and what the parent runs again.
//
// Mirrors   map/runner     finish_item(), note_progress(), write_report();  worker/loop finish_items()
//           map/driver     take(), resubmit();  map/ledger run_again()
//           task/store         grow(), seal(), payload(): from the slot's window to extents and to larger extents, with all that is there
// Left out  the slot's word, which shows the parent that the worker is dead before it reads (see slot_word.pml); what an item does; who
//           owns extents (see extents.pml); timeouts (see deadlines.pml); blocks of more than one item.
// Three items, whose results outgrow the buffer twice. The worker dies up to twice, at any step; each time the rest is submitted again.
// Claims    Each item's result is recorded once, whole, and in its place; none is lost.

#define ITEMS 3
#define ROOM(buffer) (buffer + 1)   // results that fit

byte kept[ITEMS];                   // what the sink has: 0, or the item plus 1
byte past, sealed, chosen;          // head.skip; the size in the slot, in results, plus 1: 0 without a report; the buffer that it names
byte report[ITEMS];                 // completed, in each buffer
byte bytes[9];                      // results, three places for each buffer: 0, half written: 255, or the item plus 1
bool dies, dead;
byte strikes = 2;

proctype Worker(byte first) {
    byte buffer, item, used, i;
    {
        item = first;
        report[0] = first;          // the report is written before an item is begun; its size is not
        do
        :: item < ITEMS ->
            if
            :: used == ROOM(buffer) ->   // grow(): a copy of what is there, then the slot names it
                i = 0;
                do
                :: i < used -> bytes[3 * (buffer + 1) + i] = bytes[3 * buffer + i]; i++
                :: else -> break
                od;
                i = 0;
                report[buffer + 1] = report[buffer];
                buffer++;
#ifdef BREAK_1                      // given back, and used for something else, before the slot names the new one
                bytes[3 * buffer - 3] = 255;
#endif
                if
                :: chosen > 0 -> chosen = buffer; bytes[3 * buffer - 3] = 255  // one run of extents is there in the place of another
                :: else                                                     // the window holds until the next seal()
                fi
            :: else
            fi;
            bytes[3 * buffer + used] = 255;  // half of the result
            bytes[3 * buffer + used] = item + 1;
            atomic { used++; item++ }
#ifdef BREAK_2                      // it speaks of results that are not there
            report[buffer] = item;
            atomic { chosen = buffer; sealed = used + 1 }
#else
            atomic { chosen = buffer; sealed = used + 1 }  // seal()
            report[buffer] = item
#endif
        :: else -> break
        od;
        skip
    } unless { dies }
    atomic { dead = true; buffer = 0; item = 0; used = 0; i = 0 }
}

proctype Fate() {
end:
    do
    :: atomic { !dies && !dead && strikes > 0 -> strikes--; dies = true }
    od
}

proctype Parent() {
    byte completed, i;
    do
    :: past < ITEMS ->
        dead = false; dies = false; sealed = 0; chosen = 0;  // publish()
        run Worker(past);
        dead;
        completed = past;           // take()
        if
        :: sealed > 0 -> completed = report[chosen]
        :: else
        fi;
        i = 0;
        do
        :: past + i < completed ->
            assert(i < sealed - 1);
            assert(kept[past + i] == 0);
            kept[past + i] = bytes[3 * chosen + i];
            assert(kept[past + i] == past + i + 1);
            i++
        :: else -> break
        od;
#ifdef BREAK_3                      // the whole chunk is run again
        if :: completed < ITEMS -> completed = past :: else fi;
#endif
        atomic { past = completed; completed = 0; i = 0 }
    :: else -> break
    od;
    atomic { assert(kept[0] == 1 && kept[1] == 2 && kept[2] == 3) }
}

init { atomic { run Fate(); run Parent() } }
