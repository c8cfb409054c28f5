#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# killed_test.sh MPIEXEC PROGRAM: beneath `hosts.sh with 3`: kills rank 0, with SIGKILL, while all workers are busy; then nothing is left on any host.
set -u
here=$(cd "$(dirname "$0")" && pwd)
hosts() { bash "$here/hosts.sh" "$@"; }
said=$(mktemp -p /run procpool_killed.XXXXXX) || exit 1
trap 'rm -f "$said"' EXIT
sh "$here/run.sh" "$1" node1,node2,node3 "$2" "works until it is killed" >"$said" 2>&1 </dev/null &
for ((tries = 0; ; tries++)); do
    grep -q "all work" "$said" && break
    [ $tries -lt 300 ] || { echo "no pool:"; cat "$said"; exit 1; }
    sleep 0.1
done
# What a launcher leaves for some seconds is not ours.
ours() {
    for pid in $(hosts pids "$1"); do
        case $(cat "/proc/$pid/comm" 2>/dev/null) in "" | sh | orted | mpiexec* | mpirun*) ;; *) echo "$pid" ;; esac
    done
}
before=$(ours node3 | wc -l)
start=$(date +%s%N)
for pid in $(hosts rank node1); do
    case $(tr '\0' ' ' <"/proc/$pid/cmdline") in "$2"*) kill -KILL "$pid" ;; esac
done
for ((tries = 0; ; tries++)); do
    [ -z "$(ours node1)$(ours node2)$(ours node3)" ] && break
    [ $tries -lt 100 ] || {
        echo "left after 10 s:"
        for host in node1 node2 node3; do
            for pid in $(ours $host); do echo "$host $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"; done
        done
        exit 1
    }
    sleep 0.1
done
echo "$before processes of ours on node3 and all on others had ended $((($(date +%s%N) - start) / 1000000)) ms after rank 0"
[ "$before" -ge 4 ]  # agent, supervisor, two workers
