"""Killed at any moment, a sweep goes on: every trial is on record exactly once, and the end is that of a sweep left alone."""
import collections
import csv
import glob
import json
import os
import random
import re
import time
import zlib

import e2e

SEED = int(os.environ.get("KT_KILL_SEED", os.getpid()))

# A trial takes about a twentieth of a second.
SWEEP = e2e.JOB + """[checkpoint]
every_epochs = 0
[sweep]
strategy = grid
optimizer.learning_rate = 0.002, 0.005, 0.01, 0.02
model.hidden = [16, 12] | [24] | [16]
model.dropout = 0, 0.1
train.batch_size = 17, 23, 31, 40
"""


def lines_of(path):
    """All bytes of a file that may not be there yet."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def journal(directory):
    return lines_of(f"{directory}/journal.jsonl")


def good_keys(text):
    """The keys of a journal's good lines. A kill cuts a line where it crosses a page at most, so hardly any is not good."""
    keys = []
    for line in text.split(b"\n"):
        said = line.rpartition(b', "crc": ')
        if said[0] and said[2] == b'"%08x"}' % zlib.crc32(said[0]):
            keys.append(json.loads(line)["key"])
    return keys


def n_starts(directory):
    """How many starts have come as far as trials: each leaves a line in the log."""
    return lines_of(f"{directory}/log.txt").count(b"\ngroups ")


def start(directory, keys, ranks):
    return e2e.Process(["sweep", "job.ini", f"run.dir={directory}", *keys.split()], ranks)


def wait_for_moment(process, directory, draw):
    """Any moment: one in five while it starts perhaps, else when up to three more trials are on record, and some time after."""
    def goes_on(condition):
        e2e.wait_for(lambda: condition() or process.popen.poll() is not None, f"progress of {directory}")

    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.3, 1.2))
        return
    n_before, n_more = n_starts(directory), draw.randrange(4)
    goes_on(lambda: n_starts(directory) > n_before)
    n_lines = journal(directory).count(b"\n")
    goes_on(lambda: journal(directory).count(b"\n") >= n_lines + n_more)
    time.sleep(draw.uniform(0, 0.08))


def kill(process, draw, one_rank):
    """Whether the kill has hit all ranks."""
    running = process.ranks_running()
    hit = process.popen.poll() is None and len(running) == process.ranks
    if one_rank and running:
        process.kill_rank(draw.choice(running))
    process.kill()
    return hit


def kill_often(name, ranks, n_hits, keys, one_rank=False, moment=wait_for_moment):
    """Kills a sweep until so many kills have hit it at its trials; what was on record stays as it was."""
    directory, hits, n_kills, on_record = f"killed-{name}", 0, 0, []
    draw = random.Random(f"{SEED} {name}")
    while hits < n_hits:
        n_before, process = n_starts(directory), start(directory, keys, ranks)
        moment(process, directory, draw)
        before = journal(directory)
        hit = kill(process, draw, one_rank)
        after = journal(directory)
        assert after.startswith(before), f"{directory}: kill {n_kills} has changed what was on record\n{before}\n{after}"
        hits += hit and n_starts(directory) > n_before
        n_kills += 1
        on_record.append(len(good_keys(after)))
        assert n_kills < 3 * n_hits, f"only {hits} of {n_kills} kills hit trials, which are on record: {on_record}: make it longer"
    print(f"{name}: KT_KILL_SEED={SEED}, {hits} of {n_kills} kills hit trials, then on record: {on_record}", flush=True)
    return directory


def rows(directory):
    with open(f"{directory}/trials.csv") as file:
        return [{key: value for key, value in row.items() if key not in ("seconds", "ranks")} for row in csv.DictReader(file)]


def best_directory(directory):
    """That of best.ini, by its name."""
    with open(f"{directory}/best.ini") as file:
        found = re.search(rf"^dir *= *{directory}/trials/([0-9a-f]{{16}})\s", file.read(), re.MULTILINE)
    assert found, f"{directory}/best.ini: names no directory of a trial"
    return found[1]


def check_exactly_once(directory):
    count = collections.Counter(good_keys(journal(directory)))
    twice = [key for key, n in count.items() if n > 1]
    assert not twice, f"{directory}: on record more than once: {twice}"
    listed = [row["key"] for row in rows(directory)]
    assert sorted(listed) == sorted(count), f"{directory}: in the journal or in trials.csv only: {set(listed) ^ set(count)}"


def check_nothing_left(directory):
    left = [path for path in glob.glob(f"{directory}/**", recursive=True, include_hidden=True) if ".tmp." in path or path.endswith(".damaged")]
    assert not left, f"left behind: {left}"


def finish(name, ranks, keys):
    """Lets the killed sweep end, and compares it with one that was left alone."""
    directory, whole = f"killed-{name}", f"whole-{name}"
    before = journal(directory)
    n_before = len(good_keys(before))
    done = e2e.expect(start(directory, keys, ranks))
    assert journal(directory).startswith(before), f"{directory}: the last start has changed what was on record"
    assert "run again" not in done.err or journal(directory).count(b"\n") > len(rows(directory)), done.err
    e2e.expect(start(whole, keys, ranks))
    check_exactly_once(directory)
    check_exactly_once(whole)
    n_new = len(rows(directory)) - n_before
    assert n_new > 0, f"{directory}: the kills have left nothing to do: make it longer"
    assert f"{n_new} trained in " in done.out and f", {n_before} on record before" in done.out, done.out
    for one, other in zip(rows(whole), rows(directory), strict=True):
        assert one == other, f"{whole} and {directory}: trials.csv\n{one}\n{other}"
    best = best_directory(directory)
    assert best == best_directory(whole), f"{whole}/best.ini and {directory}/best.ini"
    e2e.same_bytes(*[f"{d}/trials/{best}/best.h5" for d in (whole, directory)], "model")
    check_nothing_left(directory)
    return directory, whole


def check_best_only(name, ranks, keys):
    for directory in finish(name, ranks, keys):
        kept = os.listdir(f"{directory}/trials")
        assert kept == [best_directory(directory)], f"{directory}/trials holds {kept}, the best is {best_directory(directory)}"


def kill_everything():
    """kill -9 of mpirun and all ranks, again and again: every trial is on record once, and the answer is the same."""
    keys = "train.epochs=40"
    kill_often("all", 2, 20, keys)
    check_best_only("all", 2, keys)


def kill_one_rank():
    """kill -9 of one rank, the one with the journal or another, ends the sweep, and it goes on in the same way."""
    keys = "train.epochs=40 run.seed=2"
    kill_often("one", 2, 10, keys, one_rank=True)
    check_best_only("one", 2, keys)


def kill_halving():
    """Promoted trials go on from where they were, whenever the sweep was killed."""
    keys = "sweep.strategy=halving sweep.points=40 sweep.min_epochs=10 sweep.reduction=2 train.epochs=80"
    kill_often("halving", 2, 8, keys)
    check_best_only("halving", 2, keys)
    assert len(rows("whole-halving")) > 60, "no trial went on"


def kill_groups():
    """The same with groups of two ranks, of which one is killed or all."""
    keys = "sweep.ranks_per_trial=2 sweep.optimizer.learning_rate=0.01,0.02 sweep.train.batch_size=17,31"
    kill_often("groups", 4, 2, keys)
    kill_often("groups", 4, 2, keys, one_rank=True)
    check_best_only("groups", 4, keys)


def wait_for_checkpoint(process, directory, draw):
    """Two trials, in two groups, are under way and have come further."""
    def seen():
        return {os.path.basename(path) for path in glob.glob(f"{directory}/trials/*/checkpoints/step-*.h5")}

    before = seen()
    e2e.wait_for(lambda: len(seen() - before) > 1 or process.popen.poll() is not None, "new checkpoints")
    time.sleep(draw.uniform(0, 0.1))


def kill_checkpointed():
    """A trial with checkpoints that was half done goes on from the newest of them, to the same bits."""
    keys = ("sweep.keep_trials=all checkpoint.every_epochs=1 train.epochs=120 train.early_stopping=false "
            "sweep.model.hidden=[16] sweep.train.batch_size=17,31 sweep.optimizer.learning_rate=0.01 sweep.model.dropout=0,0.2")
    directory = kill_often("checkpointed", 2, 4, keys, moment=wait_for_checkpoint)
    directory, whole = finish("checkpointed", 2, keys)
    names = sorted(os.listdir(f"{whole}/trials"))
    assert names == sorted(os.listdir(f"{directory}/trials")) == sorted(row["key"] for row in rows(whole))
    for name in names:
        e2e.check_same_run(f"{whole}/trials/{name}", f"{directory}/trials/{name}")
    logs = [lines_of(f"{directory}/trials/{name}/log.txt").decode() for name in names]
    gone_on = sum(len(re.findall(r"^resume from .*, step \d+$", log, re.MULTILINE)) for log in logs)
    assert gone_on >= 2, f"trials went on {gone_on} times\n{''.join(logs)}"


e2e.write_data()
e2e.write_job(text=SWEEP)
e2e.main(kill_everything, kill_one_rank, kill_halving, kill_groups, kill_checkpointed)
