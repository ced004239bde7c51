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


e2e.write_data()
e2e.write_job()
e2e.main(one_copy)
