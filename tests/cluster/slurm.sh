#!/bin/sh
# slurm.sh: a SLURM of one node on this machine, for tests of jobs/*.sbatch. KT_SLURM_DIR is its folder.
#   slurm.sh up [CPUS]    says where its configuration is: SLURM_CONF for all of SLURM's commands
#   slurm.sh down         ends its jobs and daemons, at any time
# No systemd, and nothing that others could reach: it listens on the loopback. Exit code 77, with a sentence: there
# can be none here.
set -eu
mkdir -p "${KT_SLURM_DIR:?must name a folder}"
dir=$(cd "$KT_SLURM_DIR" && pwd)
export SLURM_CONF="$dir/slurm.conf"

skip() {
    echo "slurm.sh: $1" >&2
    exit 77
}

configure() { # CPUS PORT; the node has the host's name: mpirun then starts its ranks as on a real node
    host=$(hostname -s)
    mkdir -p "$dir/state" "$dir/spool" "$dir/tmp" "$dir/munge"
    chmod 755 "$dir" "$dir/munge"
    cat >"$SLURM_CONF" <<TEXT
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
TmpFS=$dir/tmp
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=pmix
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,requeue_delay=1
ReturnToService=2
JobRequeue=1
KillWait=5
MinJobAge=300
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=$host NodeAddr=127.0.0.1 Port=$(($2 + 1)) CPUs=$1 RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
TEXT
}

# Who may start jobs: SLURM has it checked, and how long its word is good (cred_expire) is also how long a job that was
# put back into the queue waits.
start_munge() {
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 400 "$dir/munge/key"
    munged --force --socket="$dir/munge/socket" --key-file="$dir/munge/key" --pid-file="$dir/munged.pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" --num-threads=2 || skip "munged does not start"
}

up() {
    [ "$(id -u)" = 0 ] || skip "only root can start it"
    for command in slurmctld slurmd sbatch munged; do
        command -v $command >/dev/null || skip "no command $command here (Debian packages slurmctld, slurmd, slurm-client, munge)"
    done
    down
    configure "${1:-8}" $((20000 + $$ % 5000 * 2))
    echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf"
    start_munge
    slurmctld -c -f "$SLURM_CONF" && slurmd -f "$SLURM_CONF" || skip "it does not start: $(tail -n 3 "$dir"/*.log)"
    for _ in $(seq 600); do
        if [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = 1 ]; then
            echo "$SLURM_CONF"
            return
        fi
        sleep 0.1
    done
    skip "its node does not come up: $(tail -n 3 "$dir"/*.log)"
}

down() {
    [ -e "$SLURM_CONF" ] || return 0
    timeout -k 1 10 scancel -u root 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do
        [ -s "$dir/$daemon.pid" ] || continue
        pid=$(cat "$dir/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$SLURM_CONF" "$dir"/*.pid "$dir/munge"
}

case ${1:-} in
up | down) "$@" ;;
*) echo "usage: slurm.sh up [CPUS] | down" >&2 && exit 2 ;;
esac
