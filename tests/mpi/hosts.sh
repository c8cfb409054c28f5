#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# Emulated hosts node1, node2, ... on one wire: each has its own network, name, /dev/shm and /tmp. They need root, and share the kernel, the
# processors, the process ids and all other files.
#   hosts.sh with N COMMAND...     runs the command beside N hosts, in this machine's own namespaces; then they are gone.
# The command may call:
#   hosts.sh sh HOST COMMAND...    runs it there; returns its exit status
#   hosts.sh crash HOST            kills everything there: connections to it are reset. After `cut` it is a power failure
#   hosts.sh cut HOST, mend HOST   takes its cable out, which nobody is told, and puts it in again
#   hosts.sh freeze HOST, thaw HOST    stops everything there, and lets it go on
#   hosts.sh kill HOST NAME        kills what runs there under a name that begins so, such as the workers of a pool
#   hosts.sh pids HOST             what runs there
#   hosts.sh rank HOST             what a launcher of MPI jobs has started there
# `with` ends with the command's status; 77 where there cannot be any hosts; 125 when something was left on one of them.
# Namespaces have no names here: they are gone with their processes, and any number of runs may go on at once.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
    echo "hosts.sh: $*" >&2
    exit 2
}

# pid_of HOST: of the process that holds its namespaces, from PROCPOOL_HOSTS: "wire=PID node1=PID ...".
pid_of() {
    local host
    for host in ${PROCPOOL_HOSTS:-}; do
        [ "${host%=*}" = "$1" ] && echo "${host#*=}" && return 0
    done
    die "there is no host '$1'"
}

# pids_on HOST: all that runs there, but for what holds its namespaces.
pids_on() {
    local holder network
    holder=$(pid_of "$1") || exit 2
    network=$(readlink "/proc/$holder/ns/net") || die "$1 is gone"
    find /proc/[0-9]*/ns/net -lname "net:\\[${network//[!0-9]/}\\]" 2>/dev/null | cut -d/ -f3 | grep -vx "$holder"
}

send() {  # send SIGNAL HOST, until all have it that were forked meanwhile
    local pids last=none
    pids=$(pids_on "$2")
    while [ -n "$pids" ] && [ "$pids" != "$last" ]; do
        # shellcheck disable=SC2086
        kill "-$1" $pids 2>/dev/null
        last=$pids
        pids=$(pids_on "$2")
    done
}

wire() {
    local holder
    holder=$(pid_of wire) || exit 2
    nsenter -t "$holder" --net ip "$@"
}

# start NAME COMMAND...: runs it in namespaces of its own, which end with this process; signals to its group do not reach them. It prints a
# line when it has set them up.
start() {
    local name=$1 from line
    shift
    exec {from}< <(exec setsid setpriv --pdeathsig KILL unshare --net --uts --ipc --mount "$@" 2>&1)
    PROCPOOL_HOSTS+=" $name=$!"
    read -r line <&"$from"
    exec {from}<&-
    [ "$line" = ready ] || {
        echo "hosts.sh: $name cannot be made: $line" >&2
        exit 77
    }
}

up() {
    [ "$(id -u)" -eq 0 ] || {
        echo "hosts.sh: emulated hosts need root" >&2
        exit 77
    }
    for tool in ip nsenter setpriv unshare; do
        command -v $tool >/dev/null || {
            echo "hosts.sh: '$tool' is not installed" >&2
            exit 77
        }
    done
    PROCPOOL_HOSTS=""
    start wire sh -c 'ip link add bridge type bridge && ip link set bridge up && echo ready && exec sleep infinity >/dev/null 2>&1'
    local holder host number
    for ((number = 1; number <= $1; number++)); do
        host=node$number
        # The folder of this run stays visible where it is below /tmp.
        # shellcheck disable=SC2016
        start $host sh -c '
            hostname "$1" && mount -t tmpfs tmpfs /dev/shm && exec 9<. && mount -t tmpfs -o mode=1777 tmpfs /tmp || exit
            case $PWD in /tmp/*) mkdir -p "$PWD" && mount -c --bind /proc/self/fd/9 "$PWD" || exit ;; esac
            {
                echo 127.0.0.1 localhost
                i=0
                while [ $((i += 1)) -le "$2" ]; do echo 10.77.0.$i node$i; done
            } >/dev/shm/hosts
            mount --bind /dev/shm/hosts /etc/hosts && rm /dev/shm/hosts || exit
            echo ready
            exec sleep infinity 9<&- >/dev/null 2>&1' sh $host "$1"
        holder=$(pid_of $host)
        wire link add $host type veth peer name eth0 netns "$holder" && wire link set $host master bridge up || exit 77
        nsenter -t "$holder" --net sh -c "ip addr add 10.77.0.$number/24 dev eth0 && ip link set eth0 up && ip link set lo up" || exit 77
    done
    PROCPOOL_HOSTS_SH=$here/hosts.sh
    export PROCPOOL_HOSTS PROCPOOL_HOSTS_SH
}

# What was left on the hosts is printed. What an MPI library leaves in /dev/shm and /tmp when it is killed is not ours.
left_behind() {
    local host holder pids tries
    for host in $PROCPOOL_HOSTS; do
        holder=${host#*=}
        host=${host%=*}
        [ "$host" = wire ] && continue
        for ((tries = 0; tries < 50; tries++)); do  # the last ones die a moment after those they belong to
            pids=$(pids_on "$host")
            [ -z "$pids" ] && break
            sleep 0.1
        done
        for pid in $pids; do echo "$host: process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"; done
        find "/proc/$holder/root/dev/shm" "/proc/$holder/root/tmp" -mindepth 1 -xdev 2>/dev/null |
            sed "s|/proc/$holder/root|$host: file |" | grep -vEf "$here/not_ours.txt"
    done
}

down() {
    local host
    for host in $PROCPOOL_HOSTS; do
        [ "${host%=*}" = wire ] || send KILL "${host%=*}"
    done
    for host in $PROCPOOL_HOSTS; do kill -KILL "${host#*=}"; done 2>/dev/null
    wait
}

[ $# -ge 2 ] || die "see the beginning of this script"
what=$1
[ "$what" = with ] || pid_of "$2" >/dev/null || exit 2
case $what in
with)
    trap down EXIT
    trap 'exit 1' INT TERM HUP
    up "$2"
    shift 2
    "$@"
    status=$?
    left=$(left_behind)
    if [ -n "$left" ]; then
        echo "hosts.sh: left behind:" >&2
        echo "$left" >&2
        exit 125
    fi
    exit $status
    ;;
sh)
    holder=$(pid_of "$2") || exit 2
    shift 2
    # shellcheck disable=SC2016
    exec nsenter -t "$holder" --net --uts --ipc --mount -- sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
    ;;
crash) send KILL "$2" ;;
freeze) send STOP "$2" ;;
thaw) send CONT "$2" ;;
cut) wire link set "$2" down ;;
mend) wire link set "$2" up ;;
kill)
    for pid in $(pids_on "$2"); do
        case $(cat "/proc/$pid/comm" 2>/dev/null) in "$3"*) kill -KILL "$pid" ;; esac
    done
    ;;
pids) pids_on "$2" ;;
rank)
    pids=$(pids_on "$2")
    for pid in $pids; do
        parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null)
        case $pids in *"$parent"*) ;; *) continue ;; esac  # a daemon, started from another host
        case $(cat "/proc/$parent/comm" 2>/dev/null) in orted | mpirun* | mpiexec* | hydra_pmi_proxy | slurmstepd) echo "$pid" ;; esac
    done
    ;;
*) die "unknown command '$what'" ;;
esac
