# SPDX-License-Identifier: BSL-1.0
# sh parallel_gzip_test.sh PROGRAM: what it compresses is what gzip unpacks, and whatever goes wrong leaves nothing half-written.
set -u
program=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
cd "$folder" || exit 1
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    sed 's/^/    /' printed errors 2>/dev/null
}

# run STATUS ARGUMENT...: the program must end with that status.
run() {
    expected=$1
    shift
    "$program" "$@" >printed 2>errors
    status=$?
    [ $status -eq "$expected" ] || fail "parallel_gzip $* ended with $status, not $expected"
}
says() { grep -q -- "$1" errors || fail "the message '$1' is missing"; }
absent() { [ ! -e "$1" ] || fail "$1 was left behind"; }
is_compressed() {
    gzip -t "$1.gz" || fail "gzip -t $1.gz"
    gzip -dc "$1.gz" | cmp - "$1" || fail "$1.gz is not $1"
}
nothing_unfinished() {
    for left in *unfinished* out/*unfinished*; do absent "$left"; done
}

# ---- files of every size around a block, and of every kind of content
block=1048576
: >size_0
mkdir out
for size in 1 $((block - 1)) $block $((block + 1)) $((3 * block)); do head -c "$size" /dev/urandom >"size_$size"; done
{
    head -c 3000000 /dev/zero
    head -c 1000000 /dev/urandom
    cat "$program"
    i=0
    while [ $i -lt 20000 ]; do
        echo "line $i of a text that repeats itself"
        i=$((i + 1))
    done
    cat "$program"
} >"mixed data"
head -c $((40 * block)) /dev/zero >zeros

run 0 size_* "mixed data" zeros
[ ! -s errors ] || fail "it wrote to stderr, which is no terminal"
grep -q '^files: 8, ' printed || fail "the number of files is missing"
grep -q '^speed-up over one process: [0-9]' printed || fail "the speed-up is missing"
for file in size_* "mixed data" zeros; do
    case $file in *.gz) continue ;; esac
    is_compressed "$file"
done

for option in "-p 1" "-p 3" -1 -9; do
    # shellcheck disable=SC2086
    run 0 $option -o out "mixed data" size_$((block + 1))
    cmp -s "mixed data.gz" "out/mixed data.gz" || [ "${option#-p}" = "$option" ] || fail "$option gives other bytes"
    gzip -dc "out/mixed data.gz" | cmp - "mixed data" || fail "$option"
    rm out/*
done

# Blocks know what was before them: compressed apart from each other, they would be larger than what gzip makes.
ours=$(wc -c <"mixed data.gz")
theirs=$(gzip -6 -c "mixed data" | wc -c)
[ "$ours" -lt $((theirs + theirs / 100)) ] || fail "$ours bytes, where gzip needs $theirs"

# ---- what goes wrong, while the other files go on
rm -f size_*.gz
run 1 missing size_1
says "missing: No such file or directory"
absent missing.gz
is_compressed size_1

mkdir directory
run 1 -o out directory size_1
says "directory: not a regular file"
absent out/directory.gz
[ -e out/size_1.gz ] || fail "the other file was not compressed"

run 1 size_1
says "size_1.gz: exists already"
run 0 -f size_1
is_compressed size_1

run 1 -f size_1 ./size_1
says "would be written twice"

if [ "$(id -u)" -ne 0 ]; then  # root may read everything
    cp size_1 secret
    chmod 000 secret
    run 1 secret
    says "secret: Permission denied"
    absent secret.gz
fi
chmod 640 zeros
run 0 -f zeros
case $(ls -l zeros.gz) in -rw-r-----*) ;; *) fail "zeros.gz has other permissions than zeros" ;; esac

# A disk that is full: here a limit on the size of files.
rm -f ./*.gz
(
    trap '' XFSZ
    ulimit -f 100  # blocks of 512 or 1024 bytes
    run 1 "size_$((3 * block))" size_1
    says "File too large"
    exit $failures
)
failures=$?
absent "size_$((3 * block)).gz"
nothing_unfinished
is_compressed size_1

# ---- wrong calls
run 2
says usage:
run 2 -x size_1
says "unknown option -x"
run 2 -p none size_1
says "-p needs a number"
run 2 -o nowhere size_1
says "there is no folder 'nowhere'"
run 2 -o
says "-o needs a value"

# ---- ended half-way
rm -f ./*.gz
head -c $((60 * block)) /dev/urandom >large
for signal in TERM INT HUP; do
    # Not as a plain job: a shell makes those ignore SIGINT.
    env --default-signal=INT "$program" -9 large >printed 2>errors &
    pid=$!
    tries=0
    until ls large.gz.unfinished-* >/dev/null 2>&1 || [ $tries -eq 500 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status -gt 128 ] || fail "after SIG$signal it ended with $status"
    absent large.gz
    nothing_unfinished
done

[ $failures -eq 0 ] || echo "$failures failed"
[ $failures -eq 0 ]
