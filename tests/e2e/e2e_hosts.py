"""Training on several hosts: what it gives, and what it sends between them."""
import os
import re
import signal
import subprocess
import sys

import e2e
import monitoring

SCRIPT = os.path.join(e2e.HERE, "hosts.sh")

# On such hosts LeakSanitizer's own tracer crashes; the other tests look for leaks.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
if not e2e.ROOT:  # an ordinary user may make hosts if the system lets him be root of a name space
    as_root = ["unshare", "--map-root-user"]
    if subprocess.run(as_root + ["true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["TMPDIR"] = os.getcwd()  # Open MPI's files are by user id: not to meet those of root outside
        os.execvp(as_root[0], as_root + [sys.executable] + sys.argv)


def hosts(*arguments, of="hosts"):
    """hosts.sh with these arguments, as the beginning of a command; `of` is the folder of a set of hosts."""
    return ["env", f"KT_HOSTS_DIR={os.path.abspath(of)}", SCRIPT, *map(str, arguments)]


def run(command, code=0):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, f"{command}: exit code {done.returncode}, expected {code}"
    return done.stdout


def train(directory, keys, ranks_per_host, *options):
    """e2e.train on both hosts, with these options of mpirun."""
    return e2e.train(directory, keys, wrap=hosts("mpirun", ranks_per_host, *options))


def sent_per_step(name, keys, ranks_per_host):
    """Bytes on the average step, from the difference of a short and a long run."""
    sent = []
    for n_steps in (2, 8):  # of 9 in an epoch
        prefix = os.path.abspath(f"{name}-{n_steps}")
        train(f"{name}-{n_steps}", f"{keys} train.max_steps={n_steps}", ranks_per_host, *monitoring.options(prefix))
        sent.append(monitoring.bytes_sent(prefix, 2 * ranks_per_host, ranks_per_host))
    return monitoring.per_step(*sent, 8 - 2)


def hosts_of_their_own():
    """A host has its name, its address, its /dev/shm and its TMPDIR, and the ranks of h1 come first."""
    run(hosts("mpirun", 2, "sh", "-c", "touch /dev/shm/$(hostname) $TMPDIR/$(hostname)"))
    look = """address=$(ip -4 -o address show eth0 | cut -d' ' -f7)
        echo $OMPI_COMM_WORLD_RANK $(ls /dev/shm | grep '^h.$') $(ls $TMPDIR | grep '^h.$') $address"""
    told = sorted(run(hosts("mpirun", 2, "sh", "-c", look)).splitlines())
    h1, h2 = "h1 h1 10.77.0.1/24", "h2 h2 10.77.0.2/24"
    assert told == [f"0 {h1}", f"1 {h1}", f"2 {h2}", f"3 {h2}"], told


def as_on_one_host():
    """Two hosts of one rank and of two give the bits that a single rank gives, by factors and by allreduce."""
    keys = "model.dropout=0.2 model.batch_norm=true train.clip_norm=1 "
    e2e.train("one", keys)
    for ranks_per_host, layout in ((1, "parallel.exchange=factors"), (1, "parallel.exchange=allreduce"), (2, ""),
                                   (2, "parallel.ranks_per_replica=1 parallel.exchange=allreduce parallel.optimizer_state=rank0")):
        two = f"two-{ranks_per_host}-{len(layout)}"
        told = train(two, keys + layout, ranks_per_host)
        for line in (("rank 0 on h1", "rank 1 on h2"), ("ranks 0-1 on h1", "ranks 2-3 on h2"))[ranks_per_host - 1]:
            assert line in told.out, told.out
        e2e.check_same_run("one", two)


def another_arrangement_after_each_step():
    """As teams of a host and of both, as copies, with ranks that sleep on either host, in turn: the bits of a single rank."""
    if os.environ.get("KT_TEST_POINTS") != "ON":
        return
    keys = "model.dropout=0.2 model.batch_norm=true train.clip_norm=1.5 parallel.shards=8 model.hidden=[70,40] train.early_stopping=false "
    e2e.train("still", keys)
    for ranks_per_host in (1, 2):
        turns = f"turns-{ranks_per_host}"
        said = e2e.train(turns, keys, wrap=hosts("mpirun", ranks_per_host), point="arrange:1:always").out
        assert "the fastest of" in said and "as one team a host" in said and "as one team:" in said, said
        e2e.check_same_run("still", turns)


def predicted(keys, ranks_per_host):
    """What `ktrain check` says of these hosts: bytes that are moved in a step, and those of them that are small sums."""
    told = e2e.ktrain("check", "job.ini", *keys.split(), "--ranks", 2 * ranks_per_host, "--hosts", 2).out
    line = re.search(r"moved in a step +(\d+) bytes .*, (\d+) of them sums", told)
    assert line, told
    return int(line[1]), int(line[2])


def check_bytes(name, ranks_per_host, *cases):
    for i, keys in enumerate(cases):
        sent, (total, _) = sent_per_step(f"{name}-{i}", keys, ranks_per_host), predicted(keys, ranks_per_host)
        assert sent.between_hosts == total, f"{keys}: {sent}, predicted {total}"
        assert ranks_per_host > 1 or sent.total == total, f"{keys}: {sent}"


# In 8 shards, so that every copy has samples.
FACTORS, ALLREDUCE = "parallel.shards=8 parallel.exchange=factors ", "parallel.shards=8 parallel.exchange=allreduce "


def bytes_by_factors():
    """Between two hosts by factors goes what `ktrain check` says, to the byte: of one rank, or of two with one copy of the weights."""
    check_bytes("factors", 1, FACTORS + "model.hidden=[100]", FACTORS + "model.batch_norm=true train.clip_norm=1")
    check_bytes("factors-of-two", 2, FACTORS + "model.batch_norm=true")


def bytes_by_allreduce():
    """The same by allreduce, with the state in slices and on rank 0, and with clipping."""
    check_bytes("allreduce", 1, ALLREDUCE + "model.batch_norm=true parallel.optimizer_state=rank0", ALLREDUCE + "train.clip_norm=1")
    check_bytes("allreduce-of-two", 2, ALLREDUCE + "model.hidden=[100]")


def bytes_of_four_copies():
    """With two copies of the weights on each host all ranks together send what is said, and about two thirds of it between the hosts."""
    for exchange in (FACTORS, ALLREDUCE):
        keys = exchange + "model.hidden=[100] parallel.ranks_per_replica=1"
        sent, (total, _) = sent_per_step(f"four-{exchange.split()[1][18:]}", keys, 2), predicted(keys, 2)
        # MPI_Allgatherv gathers few bytes, like the sums of the loss, at one rank first, and then sends all to the others.
        assert 0 <= sent.total - total <= 0.02 * total, f"{keys}: {sent}, predicted {total}"
        assert 0.55 * sent.total < sent.between_hosts < 0.7 * sent.total, sent


def memory_of_the_first_host():
    """What `ktrain check` says that the ranks of a host lay out, they have laid out: as teams of a host, of both, and as copies."""
    for ranks_per_host in (1, 2):
        for layout in ("node", "all", "1"):
            keys = f"{ALLREDUCE} model.hidden=[300,100] parallel.ranks_per_replica={layout} parallel.ranks=all "
            name = f"memory-{ranks_per_host}-{layout}"
            train(name, keys + "train.epochs=1", ranks_per_host)
            told = e2e.ktrain("check", "job.ini", *keys.split(), "--ranks", 2 * ranks_per_host, "--hosts", 2).out
            line = re.search(rf"memory of a host +(\d+) bytes laid out by {ranks_per_host} rank", told)
            assert int(line[1]) == e2e.summary(name)["memory_bytes"], f"{keys}: {e2e.summary(name)['memory_bytes']}; {line[0]}"


def processes_in(networks):
    """Those in one of these networks, which are given by the files that were opened on them."""
    numbers, found = {os.fstat(file.fileno()).st_ino for file in networks}, []
    for pid in os.listdir("/proc"):
        try:
            if os.stat(f"/proc/{pid}/ns/net").st_ino in numbers:
                found.append(e2e.name_of(pid))
        except OSError:
            pass
    return found


def two_sets_of_hosts():
    """Another set of hosts at the same time changes nothing; taken down in the middle of a job, it leaves nothing."""
    run(hosts("up", 2, of="others"))
    networks = []  # kept open, so that no other network gets their numbers
    for name in ("switch", "h1", "h2"):
        with open(f"others/{name}.pid") as file:
            networks.append(open(f"/proc/{file.read().strip()}/ns/net"))
    keys = "train.epochs=1000000000 train.early_stopping=false"
    job = e2e.start("endless", keys, wrap=hosts("mpirun", 2, of="others"))
    e2e.wait_for(lambda: e2e.checkpoints("endless"), "checkpoint")
    for network in networks[1:]:
        assert processes_in([network]).count(os.path.basename(e2e.KTRAIN)) == 2
    run(hosts("down", of="others"))
    assert job.finish().code != 0
    assert processes_in(networks) == [] and not os.path.exists("others")


def take_down(*_):
    run(hosts("down", of="others"))
    run(hosts("down"))
    os._exit(1)


e2e.write_data()
e2e.write_job()
code = subprocess.run(hosts("up", 2), check=False).returncode
if code != 0:
    sys.exit(code)
signal.signal(signal.SIGTERM, take_down)
try:
    e2e.main(as_on_one_host, another_arrangement_after_each_step, bytes_by_allreduce, bytes_by_factors, memory_of_the_first_host, two_sets_of_hosts, bytes_of_four_copies, hosts_of_their_own)
finally:
    run(hosts("down"))
