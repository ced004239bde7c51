"""Killed at any point, a sweep goes on: every trial is on record exactly once, and the end is that of a sweep left alone."""
import collections
import csv
import glob
import json
import os
import re
import zlib

import e2e

SWEEP = e2e.JOB.replace("every_epochs = 1", "every_epochs = 0") + """[sweep]
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


def start(directory, keys, ranks, point=""):
    return e2e.Process(["sweep", "job.ini", f"run.dir={directory}", *keys.split()], ranks, point=point)


def kill(name, ranks, keys, point, rank=None):
    """Runs a sweep until rank 0 is at the point, and kills all ranks, or one; what was on record stays as it was."""
    directory = f"killed-{name}"
    process = start(directory, keys, ranks, point + ":wait")
    process.wait_at_point()
    running = process.ranks_running()
    assert len(running) == ranks, f"{process}: {len(running)} ranks"
    before = journal(directory)
    if rank is not None:
        process.kill_rank(running[rank])
    process.kill()
    after = journal(directory)
    assert after.startswith(before), f"{process}: the kill has changed what was on record\n{before}\n{after}"


# Rank 0 is at a line of the journal, before it is written or after; at a file, before it has its name or after; within a
# trial; after a trial's directory went. No start comes to more than five lines.
POINTS = ("file_written:1", "line_made:1", "line_written:1", "line_written:4", "step:50", "line_made:5", "cleared:2", "file_written:3", "line_written:2",
          "file_renamed:2", "step:100", "line_made:3")


def tear_line(name):
    """Half a line at the journal's end, as a kill leaves it where the line crosses a page."""
    path = f"killed-{name}/journal.jsonl"
    lines = lines_of(path).splitlines(keepends=True)
    with open(path, "ab") as file:
        file.write(lines[0][:40])


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
    assert n_new > 0, f"{directory}: the kills have left nothing to do"
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
    """kill -9 of mpirun and all ranks at every kind of point: every trial is on record once, and the answer is the same."""
    keys = "train.epochs=12"
    for point in POINTS:
        kill("all", 2, keys, point)
    tear_line("all")
    kill("all", 2, keys, "line_written:2")
    check_all_listed(check_best_only("all", 2, keys), 96, "killed-all")


def kill_one_rank():
    """kill -9 of one rank, the one with the journal or another, ends the sweep, and it goes on in the same way."""
    keys = "train.epochs=12 train.early_stopping=false run.seed=2"
    for rank in (0, 1):
        for point in ("line_made:2", "line_written:3", "step:40"):
            kill("one", 2, keys, point, rank)
    check_all_listed(check_best_only("one", 2, keys), 96, "killed-one")


def kill_halving():
    """Promoted trials go on from where they were, wherever the sweep was killed."""
    keys = "sweep.strategy=halving sweep.points=40 sweep.min_epochs=2 sweep.reduction=2 train.epochs=16"
    for point in ("line_written:9", "step:30", "line_made:8", "file_renamed:9", "line_written:10", "line_made:7"):
        kill("halving", 2, keys, point)
    trials = check_best_only("halving", 2, keys)
    assert len(trials) > 60, f"hardly a trial went on: {len(trials)}"


def kill_groups():
    """The same with groups of two ranks, of which one is killed or all."""
    keys = "train.epochs=12 sweep.ranks_per_trial=2 sweep.optimizer.learning_rate=0.01,0.02"
    for point, rank in (("line_written:3", None), ("step:30", None), ("line_made:2", 1), ("step:20", 3)):
        kill("groups", 4, keys, point, rank)
    check_all_listed(check_best_only("groups", 4, keys), 48, "killed-groups")


def kill_checkpointed():
    """A trial with checkpoints that was half done goes on from the newest of them, to the same bits."""
    keys = ("sweep.keep_trials=all checkpoint.every_epochs=1 train.epochs=24 train.early_stopping=false "
            "sweep.model.hidden=[16] sweep.train.batch_size=17,31 sweep.optimizer.learning_rate=0.01 sweep.model.dropout=0,0.2")
    for _ in range(3):  # 40 steps are four epochs and more: rank 0's first trial is not done after three times that
        kill("checkpointed", 2, keys, "step:40")
    names = sorted(finish("checkpointed", 2, keys))
    directory, whole = "killed-checkpointed", "whole-checkpointed"
    assert names == sorted(os.listdir(f"{directory}/trials")) == sorted(os.listdir(f"{whole}/trials")), f"{directory}/trials"
    for name in names:
        e2e.check_same_run(f"{whole}/trials/{name}", f"{directory}/trials/{name}")
    logs = [lines_of(f"{directory}/trials/{name}/log.txt").decode() for name in names]
    gone_on = sum(len(re.findall(r"^\S+ \S+ resume from .*, step \d+$", log, re.MULTILINE)) for log in logs)
    assert gone_on >= 3, f"trials went on {gone_on} times\n{''.join(logs)}"


e2e.needs_points()
e2e.write_data()
e2e.write_job(text=SWEEP)
e2e.main(kill_everything, kill_one_rank, kill_halving, kill_groups, kill_checkpointed)
