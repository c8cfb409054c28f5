#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# sh demo.sh BUILD_FOLDER: compresses 100 MB of this machine's files, renders a picture, lets workers die, checks every result, and
# says in a table what happened. Leaves the picture in the build folder, and nothing else.
set -u
build=$(cd "${1:?the build folder}" && pwd) || exit 1
programs=$build/examples
wanted=100000000  # bytes
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
failed=0
LC_ALL=C
export LC_ALL

say() { printf '\n== %s\n' "$*"; }
now() { date +%s%N; }
# since START: the seconds that have passed, with two places.
since() {
    hundredths=$((($(now) - $1) / 10000000))
    printf '%d.%02d s' $((hundredths / 100)) $((hundredths % 100))
}
# megabytes BYTES
megabytes() { printf '%d.%d MB' $(($1 / 1000000)) $(($1 / 100000 % 10)); }
# row WHAT AMOUNT TIME SPEED-UP VERIFIED
row() { printf '%-38s | %-26s | %-7s | %-8s | %s\n' "$@" >>"$folder/table"; }
wrong() {
    failed=1
    echo "WRONG: $*"
}

for program in parallel_gzip mandelbrot 040_a_worker_dies; do
    [ -x "$programs/$program" ] || {
        echo "demo: $programs/$program has not been built" >&2
        exit 1
    }
done
row "what was done" "how much" "time" "speed-up" "verified"
row -------------------------------------- -------------------------- ------- -------- ----------------------------

# ---- parallel_gzip
say "looking for files of at least $(megabytes $wanted) in total"
mkdir "$folder/files" "$folder/compressed"
bytes=0
files=0
find -H /usr/lib /usr/bin /usr/share /usr/local /usr/libexec /opt -type f ! -name ".*" -size +200k -size -100000k \
    2>/dev/null >"$folder/found"
while IFS= read -r file && [ $bytes -lt $wanted ]; do
    name=${file##*/}
    if [ ! -r "$file" ] || [ -e "$folder/files/$name" ]; then continue; fi
    ln -s "$file" "$folder/files/$name"  # no two of one name, since all the .gz go to one folder
    bytes=$((bytes + $(wc -c <"$file")))
    files=$((files + 1))
done <"$folder/found"
echo "$files files, $(megabytes $bytes)"
[ $bytes -ge $wanted ] || echo "This machine has no more: going on with these."

say "parallel_gzip"
set -- "$folder"/files/*
started=$(now)
"$programs/parallel_gzip" -o "$folder/compressed" "$@" >"$folder/gzip.txt" || wrong "parallel_gzip ended with $?"
took=$(since "$started")
cat "$folder/gzip.txt"
seconds=$(sed -n 's/^files:.* in \([0-9.]* s\): .*/\1/p' "$folder/gzip.txt")
speedup=$(sed -n 's/^speed-up over one process: \([0-9.]*\).*/\1/p' "$folder/gzip.txt")
compressed=0
good=0
for file in "$@"; do
    gz=$folder/compressed/${file##*/}.gz
    if gzip -t "$gz" && gzip -dc "$gz" | cmp -s - "$file"; then good=$((good + 1)); else wrong "$gz"; fi
    compressed=$((compressed + $(wc -c <"$gz")))
done
if [ $good -eq $files ] && [ $files -gt 0 ]; then verdict="yes: unpacked, all as before"; else verdict="NO"; fi
row "compressed $files files of this machine" "$(megabytes $bytes) to $(megabytes $compressed)" "${seconds:-$took}" "${speedup:-?}" "$verdict"
[ $files -gt 0 ] || wrong "no files"

# ---- mandelbrot
say "mandelbrot, with all workers and with one"
# The seconds that it says, without the dot.
rendering_time() { sed -n 's/.* rendered in \([0-9]*\)\.\([0-9]*\) s.*/\1\2/p' "$1"; }
"$programs/mandelbrot" 1920 1080 -o "$build/mandelbrot.png" >"$folder/all.txt" || wrong "mandelbrot ended with $?"
"$programs/mandelbrot" 1920 1080 -w 1 -o "$folder/one.png" >"$folder/one.txt" || wrong "mandelbrot -w 1 ended with $?"
cat "$folder/all.txt" "$folder/one.txt"
all=$(rendering_time "$folder/all.txt")
one=$(rendering_time "$folder/one.txt")
speedup=$(awk "BEGIN { printf \"%.2f\", ${one:-0} / (${all:-0} + 1e-9) }")
size=$(od -An -j16 -N8 -tu1 "$build/mandelbrot.png" | awk '{ print $3 * 256 + $4 " x " $7 * 256 + $8 }')
if cmp "$build/mandelbrot.png" "$folder/one.png" && [ "$size" = "1920 x 1080" ]; then
    verdict="yes: same as by one"
else
    verdict="NO"
    wrong "the pictures differ"
fi
row "rendered the Mandelbrot set" "$size pixels" "$(awk "BEGIN { printf \"%.2f s\", ${all:-0} / 100 }")" "$speedup" "$verdict"

# ---- a worker dies
say "040_a_worker_dies"
started=$(now)
"$programs/040_a_worker_dies" >"$folder/deaths.txt" || wrong "040_a_worker_dies ended with $?"
took=$(since "$started")
cat "$folder/deaths.txt"
deaths=$(grep -c 'worker .* by signal\|worker exited' "$folder/deaths.txt")
if [ "$deaths" -eq 4 ] && grep -q '^99 tasks answered' "$folder/deaths.txt"; then
    verdict="yes: no other task lost"
else
    verdict="NO"
    wrong "other tasks were lost"
fi
row "killed workers on purpose" "$deaths deaths, 99 answers" "$took" "" "$verdict"

say "what happened, with $(sed -n 's/.*workers: \([0-9]*\).*/\1/p' "$folder/all.txt") workers"
cat "$folder/table"
echo
echo "speed-up: how much faster than one process; for the files measured on a sample, see above"
echo "picture:  $build/mandelbrot.png"
[ $failed -eq 0 ] || echo "Something went wrong: see WRONG above."
exit $failed
