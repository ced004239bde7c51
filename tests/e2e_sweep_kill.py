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


def good_lines(text):
    """What a journal's good lines say. A kill can cut a line where it crosses a page, so hardly any is not good."""
    lines = []
    for line in text.split(b"\n"):
        said = line.rpartition(b', "crc": ')
        if said[0] and said[2] == b'"%08x"}' % zlib.crc32(said[0]):
            lines.append(json.loads(line))
    return lines


def n_starts(directory):
    """How many starts have come as far as trials: each leaves a line in the log."""
    return lines_of(f"{directory}/log.txt").count(b" groups ")


def start(directory, keys, ranks):
    return e2e.Process(["sweep", "job.ini", f"run.dir={directory}", *keys.split()], ranks)


def wait_for_moment(process, directory, draw):
    """Any moment: one in five while it starts perhaps, else when up to three more trials are on record, and some time after."""
    def goes_on(condition):
        e2e.wait_for(lambda: condition() or process.popen.poll() is not None, f"progress of {directory}")

    if draw.random() < 0.2:
        time.sleep(draw.uniform(0.3, 0.8))
        return
    n_before, n_more = n_starts(directory), draw.randrange(4)
    goes_on(lambda: n_starts(directory) > n_before)
    n_lines = journal(directory).count(b"\n")
    goes_on(lambda: journal(directory).count(b"\n") >= n_lines + n_more)
    time.sleep(draw.uniform(0, 0.08))


def kill(process, draw, one_rank):
    """Whether the kill has hit all ranks. Who has ended before must have ended well."""
    if process.popen.poll() is not None:
        e2e.expect(process)
        return False
    running = process.ranks_running()
    if one_rank and running:
        process.kill_rank(draw.choice(running))
    process.kill()
    return len(running) == process.ranks


def kill_often(name, ranks, n_hits, keys, one_rank=False, moment=wait_for_moment):
    """Kills a sweep until so many kills have hit it at its trials; what was on record stays as it was."""
    directory, hits, n_kills, n_lines = f"killed-{name}", 0, 0, []
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
        n_lines.append(len(good_lines(after)))
        assert n_kills < 3 * n_hits, f"only {hits} of {n_kills} kills hit trials, with so many on record then: {n_lines}: make it longer"
    print(f"{name}: KT_KILL_SEED={SEED}, {hits} of {n_kills} kills hit trials, with so many on record then: {n_lines}", flush=True)


def rows(directory):
    with open(f"{directory}/trials.csv") as file:
        return [{key: value for key, value in row.items() if key not in ("seconds", "ranks")} for row in csv.DictReader(file)]


def best_directory(directory):
    """That of best.ini, by its name."""
    with open(f"{directory}/best.ini") as file:
        found = re.search(rf"^dir *= *{directory}/trials/([0-9a-f]{{16}})\s", file.read(), re.MULTILINE)
    assert found, f"{directory}/best.ini: names no directory of a trial"
    return found[1]


def on_record(directory):
    """Lines of the journal by key, without what may differ; every key is there once."""
    lines = good_lines(journal(directory))
    twice = [key for key, n in collections.Counter(line["key"] for line in lines).items() if n > 1]
    assert not twice, f"{directory}: on record more than once: {twice}"
    return {line["key"]: {name: value for name, value in line.items() if name not in ("seconds", "ranks", "crc")} for line in lines}


def check_same_trials(whole, directory):
    """The same trials with the same results, each once; trials.csv has the last trial of each point."""
    left, right = on_record(whole), on_record(directory)
    assert left.keys() == right.keys(), f"on record in {whole} or {directory} only: {left.keys() ^ right.keys()}"
    for key in left:
        assert left[key] == right[key], f"{whole} and {directory}: journal.jsonl\n{left[key]}\n{right[key]}"
    for one, other in zip(rows(whole), rows(directory), strict=True):
        assert one == other, f"{whole} and {directory}: trials.csv\n{one}\n{other}"
    listed = [row["key"] for row in rows(directory)]
    assert len(listed) == len(set(listed)) and left.keys() >= set(listed), f"{directory}: trials.csv lists {listed}"
    return left


def check_nothing_left(directory):
    left = [path for path in glob.glob(f"{directory}/**", recursive=True, include_hidden=True) if ".tmp." in path or path.endswith(".damaged")]
    assert not left, f"left behind: {left}"


def finish(name, ranks, keys):
    """Lets the killed sweep end, and compares it with one that was left alone: what is on record in the end, by key."""
    directory, whole = f"killed-{name}", f"whole-{name}"
    before = journal(directory)
    n_before = len(good_lines(before))
    n_cut = sum(line != b"" for line in before.split(b"\n")) - n_before
    done = e2e.expect(start(directory, keys, ranks), warns=["damaged"] if n_cut else [])
    assert n_cut or "damaged" not in done.err, done.err
    assert journal(directory).startswith(before), f"{directory}: the last start has changed what was on record"
    e2e.expect(start(whole, keys, ranks))
    trials = check_same_trials(whole, directory)
    n_new = len(trials) - n_before
    assert n_new > 0, f"{directory}: the kills have left nothing to do: make it longer"
    assert f"{n_new} trained in " in done.out and f", {n_before} on record before" in done.out, done.out
    best = best_directory(directory)
    assert best == best_directory(whole), f"{whole}/best.ini and {directory}/best.ini differ"
    e2e.same_bytes(*[f"{d}/trials/{best}/best.h5" for d in (whole, directory)], "model")
    check_nothing_left(directory)
    return trials


def check_best_only(name, ranks, keys):
    """And only the best trial's directory is kept."""
    trials = finish(name, ranks, keys)
    for directory in (f"killed-{name}", f"whole-{name}"):
        kept = os.listdir(f"{directory}/trials")
        assert kept == [best_directory(directory)], f"{directory}/trials holds {kept}, the best is {best_directory(directory)}"
    return trials


def check_all_listed(trials, n, directory):
    assert len(trials) == n and trials.keys() == {row["key"] for row in rows(directory)}, f"{directory}: {len(trials)} of {n} trials"
    best = min(rows(directory), key=lambda row: float(row["validation_cross_entropy"]))
    assert best["key"] == best_directory(directory), f"{directory}: the best is {best}"


def kill_everything():
    """kill -9 of mpirun and all ranks, again and again: every trial is on record once, and the answer is the same."""
    keys = "train.epochs=40"
    kill_often("all", 2, 16, keys)
    check_all_listed(check_best_only("all", 2, keys), 96, "killed-all")


def kill_one_rank():
    """kill -9 of one rank, the one with the journal or another, ends the sweep, and it goes on in the same way."""
    keys = "train.epochs=100 train.early_stopping=false run.seed=2"  # what is left of it may go on for half a second
    kill_often("one", 2, 8, keys, one_rank=True)
    check_all_listed(check_best_only("one", 2, keys), 96, "killed-one")


def kill_halving():
    """Promoted trials go on from where they were, whenever the sweep was killed."""
    keys = "sweep.strategy=halving sweep.points=40 sweep.min_epochs=10 sweep.reduction=2 train.epochs=80"
    kill_often("halving", 2, 8, keys)
    trials = check_best_only("halving", 2, keys)
    assert len(trials) > 60, f"hardly a trial went on: {len(trials)}"


def kill_groups():
    """The same with groups of two ranks, of which one is killed or all."""
    keys = "train.epochs=40 sweep.ranks_per_trial=2 sweep.optimizer.learning_rate=0.01,0.02"
    kill_often("groups", 4, 3, keys)
    kill_often("groups", 4, 2, keys, one_rank=True)
    check_all_listed(check_best_only("groups", 4, keys), 48, "killed-groups")


def wait_for_checkpoint(process, directory, draw):
    """Two trials, in two groups, are under way and have come further."""
    def seen():
        return {os.path.basename(path) for path in glob.glob(f"{directory}/trials/*/checkpoints/step-*.h5")}

    before = seen()
    e2e.wait_for(lambda: len(seen() - before) > 1 or process.popen.poll() is not None, "new checkpoints")
    time.sleep(draw.uniform(0, 0.1))


def kill_checkpointed():
    """A trial with checkpoints that was half done goes on from the newest of them, to the same bits."""
    keys = ("sweep.keep_trials=all checkpoint.every_epochs=1 train.epochs=80 train.early_stopping=false "
            "sweep.model.hidden=[16] sweep.train.batch_size=17,31 sweep.optimizer.learning_rate=0.01 sweep.model.dropout=0,0.2")
    kill_often("checkpointed", 2, 3, keys, moment=wait_for_checkpoint)
    names = sorted(finish("checkpointed", 2, keys))
    directory, whole = "killed-checkpointed", "whole-checkpointed"
    assert names == sorted(os.listdir(f"{directory}/trials")) == sorted(os.listdir(f"{whole}/trials")), f"{directory}/trials"
    for name in names:
        e2e.check_same_run(f"{whole}/trials/{name}", f"{directory}/trials/{name}")
    logs = [lines_of(f"{directory}/trials/{name}/log.txt").decode() for name in names]
    gone_on = sum(len(re.findall(r"^\S+ \S+ resume from .*, step \d+$", log, re.MULTILINE)) for log in logs)
    assert gone_on >= 3, f"trials went on {gone_on} times\n{''.join(logs)}"


e2e.write_data()
e2e.write_job(text=SWEEP)
e2e.main(kill_everything, kill_one_rank, kill_halving, kill_groups, kill_checkpointed)
