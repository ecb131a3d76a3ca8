#!/usr/bin/env bash
# Builds a study in one process, then in parts with GNU parallel and, as root, with Slurm on one node, which it starts
# and stops. All Report IDs must be equal. Needs GNU parallel, and Debian's slurmctld, slurmd, slurm-client and munge
# for Slurm. STUDY selects another study, such as tests/fixtures/extended-small.yaml (36 trainings), PROGRAM another
# program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "error: $*" >&2
    exit 1
}

program=$(realpath "${PROGRAM:-target/release/mnist-report}")
study=$(realpath "${STUDY:-tests/fixtures/tiny.yaml}")
command -v parallel >/dev/null || fail "GNU parallel is missing; install it (Debian, Ubuntu: apt-get install parallel)"
home=$(mktemp -d "${TMPDIR:-/tmp}/test-cluster.XXXXXX")
daemons=()
stop() {
    ((${#daemons[@]})) && kill "${daemons[@]}" 2>/dev/null && wait 2>/dev/null
    rm -rf "$home"
}
trap stop EXIT
export MNIST_REPORT_WITNESS=no
cd "$home"

# Builds the bundle and prints its Report ID. All trainings must come from the given cache.
assembled() {
    "$program" build --device cpu --cache "$1" --out "$2" "$study" 2>"$2.err" | sed -n 's/^Report ID //p'
    ! grep -q '"kept": false' "$2/run-log.json" || fail "$2: the assembly trained a run again"
}

"$program" build --device cpu --quiet --cache alone --out one "$study" >one.out
expected=$(sed -n 's/^Report ID //p' one.out)
echo "one process:  $expected"

"$program" summary --trainings "$study" | parallel --jobs 2 --halt never \
    "$program" build --device cpu --quiet --cache shared --only {} "$study"
found=$(assembled shared parallel)
echo "GNU parallel: $found"
[[ $found == "$expected" ]] || fail "another Report ID with GNU parallel"

if [[ $(id -u) != 0 ]] || ! command -v slurmctld slurmd sbatch munged >/dev/null; then
    echo "Slurm: not tried (needs root, and Debian's slurmctld, slurmd, slurm-client and munge)"
    exit 0
fi
host=$(hostname -s)
mkdir -p slurm/state slurm/spool munge
dd if=/dev/urandom of=munge/key bs=1 count=1024 status=none
chown -R munge: munge && chmod 700 munge && chmod 400 munge/key
chmod 755 "$home"
# Use a separate socket, so that a munge that already runs on the machine is not affected.
setpriv --reuid=munge --regid=munge --clear-groups munged --foreground --force --key-file="$home/munge/key" \
    --socket="$home/munge/socket" --pid-file="$home/munge/pid" --log-file="$home/munge/log" --seed-file="$home/munge/seed" 2>munge.err &
daemons+=($!)
cat >slurm/slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$home/slurm/state
SlurmdSpoolDir=$home/slurm/spool
SlurmctldPidFile=$home/slurm/slurmctld.pid
SlurmdPidFile=$home/slurm/slurmd.pid
SlurmctldLogFile=$home/slurm/slurmctld.log
SlurmdLogFile=$home/slurm/slurmd.log
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$home/slurm/slurm.conf
for _ in {1..50}; do [[ -S munge/socket ]] && break || sleep 0.2; done
slurmctld -D 2>slurm/slurmctld.err &
daemons+=($!)
slurmd -D 2>slurm/slurmd.err &
daemons+=($!)
for _ in {1..100}; do [[ $(sinfo -h -o %t 2>/dev/null) == idle ]] && break || sleep 0.3; done
[[ $(sinfo -h -o %t) == idle ]] || { tail -n 5 slurm/*.log slurm/*.err munge/log >&2; fail "the Slurm node does not become idle"; }

# As in docs/cluster.md.
export PROGRAM=$program STUDY=$study
"$program" summary --trainings "$study" >trainings.txt
cat >part.sh <<'PART'
#!/bin/sh
name=$(sed -n "${SLURM_ARRAY_TASK_ID}p" trainings.txt)
exec "$PROGRAM" build --device cpu --quiet --cache slurm-cache --only "$name" "$STUDY"
PART
array=$(sbatch --parsable --array="1-$(wc -l <trainings.txt)" part.sh)
sbatch --wait --dependency="afterany:$array" --wrap "'$PROGRAM' build --device cpu --cache slurm-cache --out slurm-out '$STUDY'" >slurm-last.txt ||
    { cat slurm-*.out >&2; fail "the last Slurm job failed"; }
[[ $(cat slurm-*.out | grep -c 'stored in the run cache') == "$(wc -l <trainings.txt)" ]] || fail "an array task stored nothing"
found=$(assembled slurm-cache slurm-again)
in_job=$(sha256sum slurm-out/SHA256SUMS | cut -d' ' -f1)
echo "Slurm array:  $in_job"
[[ $found == "$expected" && $in_job == "$expected" ]] || fail "another Report ID with Slurm"
