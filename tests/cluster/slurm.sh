#!/bin/sh
# slurm.sh: a SLURM on this machine, for tests of jobs/*.sbatch. KT_SLURM_DIR is its folder.
#   slurm.sh up [CPUS]        of one node; says where its configuration is: SLURM_CONF for all of SLURM's commands
#   slurm.sh up CPUS HOSTS    over so many hosts of hosts.sh, whose folder is KT_HOSTS_DIR: its commands are for h1
#   slurm.sh down             ends its jobs and daemons, at any time
# No systemd, and nothing that others could reach: it listens on the loopback, or between those hosts. Exit code 77, with
# a sentence: there can be none here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${KT_SLURM_DIR:?must name a folder}"
dir=$(cd "$KT_SLURM_DIR" && pwd)
export SLURM_CONF="$dir/slurm.conf"

skip() {
    down
    echo "slurm.sh: $1" >&2
    exit 77
}

# on HOST COMMAND...: there, when there are hosts.
on() {
    [ ! -e "$dir/hosts" ] || set -- "$here/../e2e/hosts.sh" on "$@"
    [ -e "$dir/hosts" ] || shift
    "$@"
}

# name address port of each node; one of this machine has its name: mpirun then starts its ranks as on a real node.
list_nodes() {
    if [ -e "$dir/hosts" ]; then
        seq "$(cat "$dir/hosts")" | sed 's/.*/h& 10.77.0.& 6818/'
    else
        echo "$(hostname -s) 127.0.0.1 $((20001 + $$ % 5000 * 2))"
    fi
}

configure() { # CPUS
    list_nodes >"$dir/nodes"
    read -r first address port <"$dir/nodes"
    mkdir -p "$dir/state" "$dir/munge"
    chmod 755 "$dir" "$dir/munge"
    cat >"$SLURM_CONF" <<TEXT
ClusterName=test
SlurmctldHost=$first($address)
SlurmctldPort=$((port - 1))
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
TmpFS=$dir/tmp/%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
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
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmdTimeout=10
TCPTimeout=2
MessageTimeout=5
$(sed "s/\(.*\) \(.*\) \(.*\)/NodeName=\1 NodeAddr=\2 Port=\3 CPUs=$1 RealMemory=1000 State=UNKNOWN/" "$dir/nodes")
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
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
    [ -z "${2:-}" ] || echo "$2" >"$dir/hosts"
    configure "${1:-8}"
    echo "CgroupPlugin=cgroup/v1" >"$dir/cgroup.conf"
    start_munge
    on "$first" slurmctld -c -f "$SLURM_CONF" || skip "it does not start: $(tail -n 3 "$dir"/*.log)"
    while read -r node _; do
        mkdir -p "$dir/spool/$node" "$dir/tmp/$node"
        on "$node" slurmd -N "$node" -f "$SLURM_CONF" </dev/null || skip "it does not start: $(tail -n 3 "$dir"/*.log)"
    done <"$dir/nodes"
    for _ in $(seq 600); do
        if [ "$(on "$first" sinfo -h -p main -t idle -o %D 2>/dev/null)" = "$(wc -l <"$dir/nodes")" ]; then
            echo "$SLURM_CONF"
            return
        fi
        sleep 0.1
    done
    skip "its nodes do not come up: $(tail -n 3 "$dir"/*.log)"
}

down() {
    [ -e "$SLURM_CONF" ] || return 0
    on "$(head -n 1 "$dir/nodes" | cut -d' ' -f1)" timeout -k 1 10 scancel -u root 2>/dev/null || true
    for file in "$dir"/slurmd.*.pid "$dir/slurmctld.pid" "$dir/munged.pid"; do
        [ -s "$file" ] || continue
        pid=$(cat "$file")
        kill "$pid" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf "$SLURM_CONF" "$dir"/*.pid "$dir/munge" "$dir/hosts" "$dir/nodes"
}

case ${1:-} in
up | down) "$@" ;;
*) echo "usage: slurm.sh up [CPUS [HOSTS]] | down" >&2 && exit 2 ;;
esac
