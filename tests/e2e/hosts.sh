#!/bin/sh
# hosts.sh: several hosts on this one machine, for tests of what happens between hosts. KT_HOSTS_DIR is their folder.
#   hosts.sh up N [RATE]         hosts h1 ... hN, 10.77.0.1 ... N, on one switch; RATE (1gbit) limits what each can send
#   hosts.sh on HOST COMMAND...  COMMAND on that host, in the current folder
#   hosts.sh mpirun RANKS [OPTION OF MPIRUN...] COMMAND...    from h1, on RANKS ranks of each host, h1's first
#   hosts.sh unplug HOST         its link is down from now on
#   hosts.sh lose HOST           so it is, and all that runs there has ended
#   hosts.sh reach HOST ...      whether its link is up
#   hosts.sh down                ends the hosts with everything that runs there, at any time
# A host has its own network, name, /dev/shm and TMPDIR; all else is this machine's. Its namespaces have no names that
# could clash, and last as long as the process that holds them. Exit code 77, with a sentence: none can be made here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${KT_HOSTS_DIR:?must name a folder}"
dir=$(cd "$KT_HOSTS_DIR" && pwd)

skip() {
    down
    echo "hosts.sh: $1" >&2
    exit 77
}

# The process that holds this host, or the switch. A file left by an earlier run may name any process.
holder() {
    read -r pid <"$dir/$1.pid" && grep -qzxF "$dir" "/proc/$pid/cmdline" && echo "$pid"
} 2>/dev/null

# Makes the namespaces, and the process that holds them until its file is gone or names another.
# shellcheck disable=SC2016 # expanded in there
hold() {
    mkdir -p "$dir/$1.tmp"
    setsid unshare -n -u -m sh -c '
        hostname "$1" && mount -t tmpfs none /dev/shm && mount --bind "$2/hosts" /etc/hosts || exit
        echo $$ >"$2/$1.new" && mv "$2/$1.new" "$2/$1.pid"
        while read -r pid <"$2/$1.pid" && [ "$pid" = $$ ]; do sleep 1; done 2>/dev/null
    ' sh "$1" "$dir" </dev/null >"$dir/$1.log" 2>&1 &
    for _ in $(seq 6000); do
        if holder "$1" >/dev/null; then return; fi
        kill -0 $! 2>/dev/null || break
        sleep 0.05
    done
    skip "no namespaces for a host here: $(cat "$dir/$1.log")"
}

# network NAME COMMAND...: in the network of that host or the switch.
network() {
    pid=$(holder "$1")
    shift
    nsenter -t "$pid" -n "$@"
}

up() {
    [ "$(id -u)" = 0 ] || skip "only root can make hosts"
    for command in ip tc; do
        command -v $command >/dev/null || skip "no command $command here (Debian package iproute2)"
    done
    down
    mkdir -p "$dir"
    { echo "127.0.0.1 localhost"; seq "$1" | sed 's/.*/10.77.0.& h&/'; } >"$dir/hosts"
    hold switch
    network switch ip link add switch type bridge || skip "no bridge in this kernel"
    network switch ip link set switch up
    for i in $(seq "$1"); do
        hold "h$i"
        network switch ip link add "h$i" type veth peer name eth0 netns "$(holder "h$i")" ||
            skip "no veth in this kernel"
        network switch ip link set "h$i" master switch up
        network "h$i" ip link set lo up
        network "h$i" ip address add "10.77.0.$i/24" dev eth0
        network "h$i" ip link set eth0 up
        [ -z "${2:-}" ] || network "h$i" tc qdisc add dev eth0 root tbf rate "$2" burst 64kb latency 50ms ||
            skip "no limit of $2 in this kernel"
    done
}

down() {
    for file in "$dir"/*.pid; do
        name=$(basename "$file" .pid)
        pid=$(holder "$name") || continue
        # It goes last, for it tells whose the others are, and starts nothing new meanwhile.
        kill -STOP "$pid"
        kill_others "$pid" || echo "hosts.sh: some processes on $name do not end" >&2
        kill -9 "$pid"
        while [ -e "/proc/$pid/ns/net" ]; do sleep 0.01; done
    done
    rm -rf "$dir"/switch.* "$dir"/h[1-9]*.pid "$dir"/h[1-9]*.log "$dir"/h[1-9]*.tmp "$dir/hosts"
    rmdir "$dir" 2>/dev/null || true
}

# Ends whatever else is in the network of that process, and what those start meanwhile: until two looks have found nothing,
# because one can miss what is started while it looks.
kill_others() {
    quiet=0
    for _ in $(seq 6000); do
        others=$(find -L /proc/[0-9]*/ns/net -maxdepth 0 -samefile "/proc/$1/ns/net" 2>/dev/null |
            cut -d/ -f3 | grep -vx "$1") || { quiet=$((quiet + 1)); [ $quiet -lt 2 ] || return 0; continue; }
        quiet=0
        # shellcheck disable=SC2086 # several
        kill -9 $others 2>/dev/null || true
        sleep 0.05
    done
    return 1
}

# shellcheck disable=SC2016 # expanded in there
on() {
    host=$1
    shift
    pid=$(holder "$host") || { echo "hosts.sh: no host $host in $dir" >&2; exit 69; }
    # cd by name: nsenter would keep the folder of this machine's mounts.
    exec nsenter -t "$pid" -n -u -m sh -c 'cd "$0" && TMPDIR=$1 && export TMPDIR && shift && exec "$@"' \
        "$PWD" "$dir/$host.tmp" "$@"
}

unplug() { network "$1" ip link set eth0 down; }

lose() {
    unplug "$1"
    pid=$(holder "$1")
    kill -STOP "$pid" # what it starts meanwhile would be found for ever
    kill_others "$pid"
    kill -CONT "$pid"
}

reach() { network "$1" ip link show eth0 | grep -q "state UP"; }

# How mpirun on h1 starts its daemon on HOST: a command line for a shell there, as ssh takes it.
agent() {
    host=$1
    shift
    on "$host" sh -c "$*"
}

mpirun() {
    per_host=$1 hosts='' n=0
    shift
    for file in "$dir"/h[1-9]*.pid; do
        n=$((n + 1))
        hosts=$hosts${hosts:+,}h$n:$per_host
    done
    PATH=$here:$PATH # an agent's path must have no space
    on h1 "$here/../mpirun.sh" $((n * per_host)) --host "$hosts" --mca plm_rsh_agent "hosts.sh agent" \
        --mca btl tcp,vader,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 "$@"
}

command=${1:-}
case $command in
up | on | agent | mpirun | unplug | lose | reach | down) shift && "$command" "$@" ;;
*) echo "usage: hosts.sh up N [RATE] | on HOST COMMAND... | mpirun RANKS COMMAND... | unplug HOST | lose HOST | reach HOST | down" >&2 && exit 2 ;;
esac
