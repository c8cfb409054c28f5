#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# check.sh MODEL [WORK-DIR]: searches all states of a Promela model, which must hold no error; then once more for each BREAK_n that the
# model knows, which takes one mechanism out of it: there the search must find an error, or the model proves nothing.
# Prints a line for each search. Exits with 77 when there is no spin.
set -u

model=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
name=$(basename "$1" .pml)
made=""
command -v spin > /dev/null 2>&1 || { echo "skipped: spin is not there"; exit 77; }
if [ $# -gt 1 ]; then mkdir -p "$2" && work=$(cd "$2" && pwd); else work=$(mktemp -d) && made=$work; fi || exit 1
trap '[ -z "$made" ] || rm -rf "$made"' EXIT
compiler=${CC:-cc}

die() {
    echo "$name $1: $2"
    exit 1
}

# search LABEL OPTIMISATION TABLE [DEFINITION]: with room for 2^TABLE states, which takes time to clear; leaves what pan said in $work/LABEL/pan.out.
search() {
    label=$1
    directory=$work/$label
    rm -rf "$directory"
    mkdir -p "$directory" || exit 1
    cd "$directory" || exit 1
    spin -a ${4:+"$4"} "$model" > spin.out 2>&1 || { cat spin.out; die "$label" "spin does not accept it"; }
    # With -DNOREDUCE, which takes two to four times as many states, the answers are the same.
    # States are kept as they are and the table has room for most of them: half a gigabyte more than with -DCOLLAPSE, a third of the time less.
    "$compiler" "$2" -w -DSAFETY -DMEMLIM=2000 -o pan pan.c > cc.out 2>&1 || { cat cc.out; die "$label" "pan does not compile"; }
    ./pan -n -m200000 -w"$3" > pan.out 2>&1
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
    depth=$(sed -n 's/.*depth reached \([0-9]*\).*/\1/p' pan.out)
    seconds=$(sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds.*/\1/p' pan.out)
    errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.out)
    [ -n "$errors" ] || { cat pan.out; die "$label" "pan did not finish"; }
    echo "$name $label: ${states:-?} states, depth ${depth:-?}, ${seconds:-?} s, errors: $errors"
}

search whole -O2 24
[ "$errors" = 0 ] || { cat pan.out; spin -t -k "$name.pml.trail" -p -g "$model" | tail -60; die whole "an error"; }
if grep -q -e "max search depth too small" -e "Search not completed" -e "out of memory" pan.out; then cat pan.out; die whole "the search is not complete"; fi

for broken in $(grep -o 'BREAK_[0-9]*' "$model" | sort -u); do
    search "$broken" -O0 20 "-D$broken"
    [ "$errors" != 0 ] || die "$broken" "no error is found, so the model would not see it either if this went wrong"
done
