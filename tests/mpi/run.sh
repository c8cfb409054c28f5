#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# run.sh MPIEXEC RANKS PROGRAM [ARGUMENT...]: an MPI job on this machine, whatever it is and whoever runs it: as root, with more ranks
# than processors, and bound to none.
# run.sh MPIEXEC HOST,HOST,... PROGRAM [ARGUMENT...]: the same with a rank, or RANKS_PER_HOST, on each of these hosts of hosts.sh.
# RUN_OPTIONS has more options for MPIEXEC. Ends with its status, or with 125 when a file was left in /dev/shm or in the folder for
# temporary files. Time limit, stacks and processes left behind are the business of `watch` (tests/support), which runs this.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
mpiexec=$1
where=$2
shift 2
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
OMPI_MCA_rmaps_base_oversubscribe=1
OMPI_MCA_hwloc_base_binding_policy=none
OMPI_MCA_plm_rsh_agent="sh $here/agent.sh"
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_hwloc_base_binding_policy \
    OMPI_MCA_plm_rsh_agent
case $("$mpiexec" --version 2>/dev/null) in
*"Open MPI"* | *OpenRTE*) is_mpich= ;;
*) is_mpich=1 ;;
esac

# With --enable-recovery mpirun ends with 0 whatever its ranks end with: rank 0 writes its status down.
said=
case ${RUN_OPTIONS:-} in
*--enable-recovery*)
    case $where in
    *[!0-9]*) said=$(mktemp -p /run procpool_status.XXXXXX) || exit 1 ;;  # the hosts have a /tmp of their own
    *) said=$(mktemp) || exit 1 ;;
    esac
    trap 'rm -f "$said"' EXIT
    # shellcheck disable=SC2016
    set -- sh -c '"$@"; status=$?; [ "$OMPI_COMM_WORLD_RANK" != 0 ] || echo $status >"$0"; exit $status' "$said" "$@"
    ;;
esac
# with_status STATUS: the job's, when mpirun has ended so.
with_status() {
    [ -n "$said" ] || return "$1"
    [ -s "$said" ] || return 1
    return "$(cat "$said")"
}

case $where in
*[!0-9]*)  # hosts.sh looks for what is left there
    unset TMPDIR
    first=${where%%,*}
    if [ -n "$is_mpich" ]; then
        set -- -launcher ssh -launcher-exec "$here/agent.sh" -hosts "$where" -ppn "${RANKS_PER_HOST:-1}" "$@"
    else
        set -- --host "$where" --map-by "ppr:${RANKS_PER_HOST:-1}:node" "$@"
    fi
    # shellcheck disable=SC2086
    bash "$here/hosts.sh" sh "$first" "$mpiexec" ${RUN_OPTIONS:-} "$@"
    with_status $?
    exit
    ;;
esac

TMPDIR=$(mktemp -d) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR" "$said"' EXIT
trap 'exit 1' INT TERM HUP
files() { find /dev/shm "$TMPDIR" -mindepth 1 -user "$(id -u)" 2>/dev/null | sed "s|^$TMPDIR|/tmp|" | grep -vEf "$here/not_ours.txt" | sort; }
before=$(files)
# shellcheck disable=SC2086
"$mpiexec" ${RUN_OPTIONS:-} -n "$where" "$@" &
job=$!
# Once in some thousand runs mpirun stands still in a lock of PMIx while it lets a rank go: when rank 0 has said its status, it has 15 s.
(
    waited=0
    while [ $waited -lt 150 ] && kill -0 $job 2>/dev/null; do
        sleep 0.1
        [ -z "$said" ] || [ ! -s "$said" ] || waited=$((waited + 1))
    done
    kill -9 $job 2>/dev/null
) &
patience=$!
wait $job
status=$?
kill $patience 2>/dev/null
wait $patience 2>/dev/null
with_status $status
status=$?
tries=0
while left=$(files | grep -vxF "$before"); do  # other programs make files in /dev/shm too
    [ $((tries += 1)) -gt 50 ] && break
    sleep 0.1
done
if [ -n "$left" ]; then
    echo "run.sh: left behind:" "$left" >&2
    exit 125
fi
exit $status
