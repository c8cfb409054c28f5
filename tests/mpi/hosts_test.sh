#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# hosts_test.sh MPIEXEC: what hosts.sh promises, and that it tells what is left on a host.
# shellcheck disable=SC2317
set -u
here=$(cd "$(dirname "$0")" && pwd)
hosts() { bash "$here/hosts.sh" "$@"; }
failures=0
check() {  # check WHAT COMMAND...
    local what=$1
    shift
    "$@" || {
        failures=$((failures + 1))
        echo "FAILED: $what"
    }
}
fails() { ! "$@"; }
# Nobody listens there: a host that is reached refuses.
reaches() { hosts sh "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$2/9" 2>&1 | grep -q refused; }
# until_true COMMAND...: within 10 s.
until_true() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}
has_state() { [ "$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$2/status" 2>/dev/null)" = "$1" ]; }
runs_on() { [ "$(hosts pids "$1")" = "$2" ]; }
is_gone() { ! kill -0 "$1" 2>/dev/null || has_state Z "$1"; }

inside() {
    names=$(bash "$here/run.sh" "$1" node1,node2,node3 hostname | sort | tr '\n' ' ')
    check "a rank on each host, and not '$names'" [ "$names" = "node1 node2 node3 " ]
    check "a job's status, by its hosts" [ "$(hosts sh node2 sh -c 'exit 7' || echo $?)" = 7 ]
    check "files of this machine" hosts sh node2 test -f "$here/hosts.sh"
    hosts sh node1 touch /dev/shm/one /tmp/one
    for path in /dev/shm/one /tmp/one; do
        check "$path, which node2 sees" fails hosts sh node2 test -e $path
        check "$path, which this machine sees" fails test -e $path
    done
    hosts sh node1 rm /dev/shm/one /tmp/one

    check "the way to node2" reaches node1 node2
    hosts cut node2
    check "no way to node2 without its cable" fails reaches node1 node2
    check "the way to node3" reaches node1 node3
    hosts mend node2
    check "the way to node2 with its cable" until_true reaches node1 node2

    check "an error for a host that there is not" fails hosts crash node9 2>/dev/null
    bash "$here/hosts.sh" sh node3 sleep 1000 &
    check "what runs on node3" until_true runs_on node3 $!
    hosts freeze node3
    check "that node3 stands still" until_true has_state T $!
    hosts thaw node3
    check "that node3 goes on" until_true has_state S $!
    {  # where the shell says "Killed"
        hosts crash node3
        check "that node3 is dead" until_true is_gone $!
        wait
    } 2>/dev/null
    exit $failures
}
if [ "$1" = inside ]; then inside "$2"; fi

hosts with 3 bash "$0" inside "$1"
failures=$?
[ $failures -ne 77 ] || exit 77
# shellcheck disable=SC2016
said=$(hosts with 2 bash -c 'setsid bash "$0/hosts.sh" sh node2 sleep 1001 >/dev/null 2>&1 & until bash "$0/hosts.sh" pids node2; do :; done' "$here" 2>&1)
status=$?
check "the process left behind, and not: $said" [ "$status:${said##*: }" = "125:sleep 1001 " ]
pid=${said##*node2: process }
check "that it is killed then" until_true is_gone "${pid%%:*}"
said=$(hosts with 2 bash "$here/hosts.sh" sh node2 touch /dev/shm/mine 2>&1)
check "the file left behind, and not: $said" grep -q 'node2: file /dev/shm/mine$' <<<"$said"
said=$(hosts with 1 bash "$here/hosts.sh" sh node1 touch /dev/shm/vader_segment.node1 2>&1)
check "nothing of what is MPI's, and not: $said" [ -z "$said" ]
exit $failures
