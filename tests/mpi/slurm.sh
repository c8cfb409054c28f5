#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
# slurm.sh with COMMAND...: beneath `hosts.sh with N`: runs the command while Slurm manages the hosts; srun and salloc work where they are
# called by `hosts.sh sh node1`. Ends with the command's status; 77 where Slurm is not installed or does not come up.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
hosts() { bash "$here/hosts.sh" "$@"; }

if [ $# -lt 2 ] || [ "$1" != with ] || [ -z "${PROCPOOL_HOSTS:-}" ]; then
    echo "usage: hosts.sh with N bash slurm.sh with COMMAND..." >&2
    exit 2
fi
shift
for tool in munged slurmctld slurmd srun; do
    command -v $tool >/dev/null || {
        echo "slurm.sh: '$tool' is not installed" >&2
        exit 77
    }
done
folder=$(mktemp -d -p /run procpool_slurm.XXXXXX) || exit 1  # the hosts see it, which have a /tmp of their own
chmod 755 "$folder"

down() {
    local file pid
    for file in "$folder"/*.pid; do
        pid=$(cat "$file" 2>/dev/null) || continue
        kill "$pid" 2>/dev/null
        for ((tries = 0; tries < 50; tries++)); do
            kill -0 "$pid" 2>/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL "$pid"
    done
    rm -rf "$folder"
}
trap down EXIT
trap 'exit 1' INT TERM HUP

names=$(tr ' ' '\n' <<<"$PROCPOOL_HOSTS" | sed -n 's/^\(node[0-9]*\)=.*/\1/p')
cat >"$folder/slurm.conf" <<END
ClusterName=emulated
SlurmctldHost=node1
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
ReturnToService=2
SlurmdTimeout=${SLURMD_TIMEOUT:-20}
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=${names//$'\n'/,} CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES OverSubscribe=FORCE:4 State=UP
END
echo CgroupPlugin=cgroup/v1 >"$folder/cgroup.conf"
mkdir "$folder/state"
export SLURM_CONF=$folder/slurm.conf
(umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" \
    --seed-file="$folder/munge.seed" || exit 77
hosts sh node1 slurmctld -f "$SLURM_CONF" || exit 77
for name in $names; do
    mkdir "$folder/$name"
    hosts sh "$name" slurmd -f "$SLURM_CONF" -N "$name" || exit 77
done
wanted=$(echo "$names" | wc -l)
for ((tries = 0; ; tries++)); do
    [ "$(hosts sh node1 sinfo -h -t idle -o %D 2>/dev/null)" = "$wanted" ] && break
    if [ $tries -eq 100 ]; then
        echo "slurm.sh: the hosts do not come up:" >&2
        tail -n 5 "$folder"/*.log >&2
        exit 77
    fi
    sleep 0.1
done
"$@"
