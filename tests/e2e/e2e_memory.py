"""Memory of a host, as its system counts it: one copy of the weights, however many ranks there are."""
import os
import re

import e2e

MIB = 1 << 20
PARAMETERS = (20 + 1) * 3000 + (3000 + 1) * 2500 + (2500 + 1) * 7
COPY = 3 * 4 * PARAMETERS  # weights and Adam's two moments: 91 MB
with open(e2e.KTRAIN, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()
# What a rank may have of its own: 5 MiB of libraries, heap and MPI were seen, and 11 of activations, of which evaluation has
# most. The sanitizers keep books of all memory.
OF_A_RANK = (22 if not SANITIZED else 60) * MIB


def proportional(pid):
    """Bytes of a process, of pages that several have a part each."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return 1024 * int(re.search(r"^Pss: +(\d+) kB", file.read(), re.MULTILINE)[1])


def memory_of(directory, ranks, keys=""):
    """Bytes of all ranks together once they have trained some steps."""
    job = e2e.start(directory, "model.hidden=[3000,2500] train.batch_size=4 train.epochs=100000 train.early_stopping=false "
                    f"checkpoint.every_epochs=0 run.log_steps=1000000 {keys}", ranks)
    try:
        steps = f"{directory}/steps.csv"
        e2e.wait_for(lambda: job.popen.poll() is not None or (os.path.exists(steps) and len(open(steps).readlines()) > 4), "step")
        running = job.ranks_running()
        assert len(running) == ranks, f"{len(running)} of {ranks} ranks are running"
        return sum(map(proportional, running))
    finally:
        job.kill()


def one_copy():
    """Three more ranks on a host need little more memory than one alone; with a copy of the weights each, much more."""
    alone, together, apart = memory_of("alone", 1), memory_of("together", 4), memory_of("apart", 4, "parallel.ranks_per_replica=1")
    told = ", ".join(f"{n / MIB:.0f}" for n in (alone, together, apart))
    print(f"1 rank, 4 that share, 4 that do not: {told} MiB; a copy has {COPY / MIB:.0f}")
    assert alone > COPY, told
    assert together - alone < 3 * OF_A_RANK, told
    assert apart - alone > 2.5 * COPY, told


def told(keys, ranks):
    """What check says: bytes that all ranks of the host would lay out, MiB of them by what they are for, and bytes of the best weights."""
    line = re.search(r"^memory of a host +(\d+) bytes laid out by \d+ ranks?: (.*)\n.*best weights ([\d.]+)",
                     e2e.ktrain("check", "job.ini", "--ranks", ranks, *keys.split()).out, re.MULTILINE)
    return int(line[1]), {word: float(n) for word, n in re.findall(r"(\w+) ([\d.]+)", line[2])}, MIB * float(line[3])


def check_says_what_a_run_takes():
    """The bytes that check has for so many ranks are those that so many ranks have laid out, whatever they share and send."""
    small, wide = "model.hidden=[128]", "model.hidden=[900,700] train.batch_size=16"
    several = "parallel.ranks_per_replica=2 model.hidden=[300,200] train.batch_size=64 parallel.shards=8"
    apart = "parallel.ranks_per_replica=1 model.hidden=[300,200] train.batch_size=64 parallel.shards=8"
    jobs = [small, wide, wide + " model.batch_norm=true optimizer.name=sgd", several + " parallel.exchange=factors",
            several + " parallel.exchange=allreduce", apart + " parallel.exchange=factors train.clip_norm=1",
            apart + " parallel.exchange=allreduce parallel.optimizer_state=rank0 train.clip_norm=1",
            apart + " parallel.exchange=allreduce model.batch_norm=true", apart + " parallel.exchange=allreduce parallel.reproducible=false"]
    for i, job in enumerate(jobs):
        for ranks in (1, 2, 3):
            keys = job if "ranks_per_replica" in job else job + " parallel.ranks_per_replica=node"
            keys += f" parallel.ranks={ranks}"
            e2e.train(f"run{i}.{ranks}", keys + " train.epochs=1 train.max_steps=1", ranks)
            expected, parts, _ = told(keys, ranks)
            laid_out = e2e.summary(f"run{i}.{ranks}")["memory_bytes"]
            assert laid_out == expected, f"{keys}: {laid_out} bytes, and check says {expected}"
            assert abs(sum(parts.values()) - expected / MIB) < 0.3, parts
            assert (parts["exchange"] > 0) == ("exchange=" in job and ranks > ("replica=2" in job) + 1), f"{keys}: {parts}"


def a_rank_alone_touches_what_check_says():
    """As the system counts it, rank 0 has that, its best weights, and little more."""
    laid_out, _, best = told("model.hidden=[3000,2500] train.batch_size=4", 1)
    expected, measured = laid_out + best, memory_of("measured", 1)
    print(f"check says {expected / MIB:.1f} MiB, the system {measured / MIB:.1f}")
    assert laid_out > COPY and -2 * MIB < measured - expected < OF_A_RANK, f"{measured}, {expected}"


e2e.write_data()
e2e.write_job()
e2e.main(one_copy, check_says_what_a_run_takes, a_rank_alone_touches_what_check_says)
