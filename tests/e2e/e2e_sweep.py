"""ktrain sweep: every trial is an ordinary run, once, whatever the ranks, the slices and the starts."""
import configparser
import csv
import itertools
import os
import re

import numpy as np

import e2e

# 3 x 2 x 2 points, of which the job's own is one; the best is neither the first nor the last.
GRID = e2e.JOB.replace("every_epochs = 1", "every_epochs = 0") + """[sweep]
model.hidden = [4] | [16, 12] | [24]
optimizer.learning_rate = 0.0003, 0.01
train.batch_size = 17, 50
"""
AXES = {"model.hidden": ("[4]", "[16, 12]", "[24]"), "optimizer.learning_rate": ("0.0003", "0.01"), "train.batch_size": ("17", "50")}
SCORES = ["validation_cross_entropy", "validation_accuracy", "test_cross_entropy", "test_accuracy", "train_cross_entropy", "train_accuracy"]
LAST_COLUMNS = SCORES[:4] + ["epochs", "seconds", "stop_reason", "best_epoch"] + SCORES[4:] + ["error", "key"]
LOSS, ACCURACY = SCORES[:2]


def sweep(directory, *arguments, ranks=1, job="grid.ini", **expected):
    return e2e.ktrain("sweep", job, f"run.dir={directory}", *arguments, ranks=ranks, **expected)


def check_trained(process, n_trained, n_before):
    """How many trials were trained, and how many were on record."""
    told = re.search(r"(\d+) trials: (\d+) trained in .*, (\d+) on record before", process.out)
    assert told, f"{process}: does not say what was trained\n{process.out}"
    assert told.groups() == (str(n_trained + n_before), str(n_trained), str(n_before)), f"{process}: {told[0]}"


# ---- what a sweep leaves ----

def rows(directory, name="trials.csv"):
    """Of each trial everything but the seconds."""
    found = e2e.read_csv(f"{directory}/{name}")
    for row in found:
        del row["seconds"]
    return found


def settings(row, axes=tuple(AXES)):
    return {key: row[key] for key in axes}


def of_point(found, wanted):
    """The only row with these settings."""
    fitting = [row for row in found if settings(row, wanted) == wanted]
    assert len(fitting) == 1, f"{len(fitting)} rows of {wanted}"
    return fitting[0]


def best_of(found):
    return min((row for row in found if row[LOSS]), key=lambda row: float(row[LOSS]))


def same_rows(a, b):
    assert rows(a) == rows(b), f"{a}/trials.csv and {b}/trials.csv differ:\n{e2e.read_csv(f'{a}/trials.csv')}\n{e2e.read_csv(f'{b}/trials.csv')}"


def journal(directory, name="journal.jsonl"):
    with open(f"{directory}/{name}") as file:
        return file.read().splitlines()


def directories(directory):
    return sorted(os.listdir(f"{directory}/trials"))


def directory_of_best(directory):
    """As best.ini has it."""
    ini = configparser.ConfigParser(inline_comment_prefixes=(";",), interpolation=None)
    assert ini.read(f"{directory}/best.ini"), f"{directory}: no best.ini"
    return ini["run"]["dir"]


def write_sweep(path, axes, text=e2e.JOB):
    """A job with these lines in [sweep]."""
    e2e.write_job(path, text.replace("every_epochs = 1", "every_epochs = 0") + "[sweep]\n" + axes)


def check_row(row, directory):
    """A row has what the run in this directory has."""
    told = e2e.summary(directory)
    for name in SCORES:
        part, score = name.split("_", 1)
        assert float(f"{float(row[name]):.10g}") == told[part][score], f"{row}: {name} is {told[part][score]} in {directory}"
    for name in ("epochs", "best_epoch", "stop_reason"):
        assert row[name] == str(told[name]), f"{row}: {name} is {told[name]} in {directory}"
    assert row["error"] == "", row


def check_ordinary(row, directory, *keys, axes=tuple(AXES)):
    """`ktrain job.ini` with a row's settings comes to what the row has."""
    e2e.ktrain("job.ini", f"run.dir={directory}", *keys, *(f"{key}={value}" for key, value in settings(row, axes).items()))
    check_row(row, directory)


def check_best(directory, row):
    """best.ini is that row's run, and is finished."""
    where = directory_of_best(directory)
    assert os.path.isfile(f"{where}/best.h5"), f"{where}: no best.h5"
    again = e2e.ktrain(f"{directory}/best.ini")
    assert "the run is finished" in again.out, again.out
    check_row(row, where)
    return where


# ---- one sweep ----

def grid():
    """A grid's trials.csv has every point once, as ordinary runs have them; best.ini is the best of them, whose directory alone stays."""
    told = sweep("grid")
    check_trained(told, 12, 0)
    found = rows("grid")
    assert list(e2e.read_csv("grid/trials.csv")[0]) == list(AXES) + LAST_COLUMNS
    assert [tuple(settings(row).values()) for row in found] == list(itertools.product(*AXES.values()))
    assert len({row["key"] for row in found}) == len(journal("grid")) == 12
    best = best_of(found)
    assert best not in (found[0], found[-1]), "the test should have its best elsewhere"
    for i, row in enumerate((found[0], found[7], best)):
        check_ordinary(row, f"plain-{i}")
    assert directories("grid") == [best["key"]]
    where = check_best("grid", best)
    assert where == f"grid/trials/{best['key']}"
    e2e.same_bytes(f"{where}/best.h5", "plain-2/best.h5", "model")
    e2e.ktrain("evaluate", where)
    assert not os.path.exists("grid/points.csv")


def any_ranks():
    """Rows and weights are the same on 1, 2, 3, 4 and 8 ranks, one, two or four of them to a trial."""
    keep = "sweep.keep_trials=all"
    check_trained(sweep("ranks-1", keep), 12, 0)
    keys = directories("ranks-1")
    assert keys == sorted(row["key"] for row in rows("ranks-1"))
    for n, each in ((2, 1), (3, 1), (4, 1), (8, 1), (2, 2), (4, 2), (4, 4)):
        directory = f"ranks-{n}-{each}"
        told = sweep(directory, keep, f"sweep.ranks_per_trial={each}", ranks=n)
        check_trained(told, 12, 0)
        same_rows("ranks-1", directory)
        assert directories(directory) == keys
        for key in keys:
            e2e.same_bytes(f"ranks-1/trials/{key}/best.h5", f"{directory}/trials/{key}/best.h5", "model")
            assert e2e.summary(f"{directory}/trials/{key}")["ranks"] == each


def again():
    """A second start trains nothing; a grid with more values trains what is new; one with fewer has a best of its own."""
    sweep("again")
    with open("again/trials.csv", "rb") as file:
        before = file.read()
    for n in (1, 2):
        check_trained(sweep("again", ranks=n), 0, 12)
        with open("again/trials.csv", "rb") as file:
            assert file.read() == before, "trials.csv has changed"
    assert len(journal("again")) == 12
    check_trained(sweep("again", "sweep.train.batch_size=17, 30, 50", ranks=2), 6, 12)
    found = rows("again")
    assert len(found) == 18 and len(journal("again")) == 18
    old = [row for row in found if row["train.batch_size"] != "30"]
    sweep("again-whole")
    assert old == rows("again-whole")
    check_best("again", best_of(found))
    check_trained(sweep("again", "sweep.optimizer.learning_rate=0.0003"), 0, 6)
    few = [row for row in old if row["optimizer.learning_rate"] == "0.0003"]
    assert rows("again") == few and len(journal("again")) == 18
    where = check_best("again", best_of(few))
    check_ordinary(best_of(few), "again-plain")
    e2e.same_bytes(f"{where}/best.h5", "again-plain/best.h5", "model")


# ---- strategies ----

def random():
    """random tries so many points, all different; which they are is up to sweep.seed; more draws add to fewer."""
    def draw(directory, n, seed, **others):
        told = sweep(directory, "sweep.strategy=random", f"sweep.points={n}", f"sweep.seed={seed}", "train.epochs=2", **others)
        return told, {tuple(settings(row).values()) for row in rows(directory)}

    told, first = draw("random-1", 5, 1)
    check_trained(told, 5, 0)
    assert len(first) == 5 and first <= set(itertools.product(*AXES.values()))
    assert draw("random-2", 5, 1, ranks=2)[1] == first
    same_rows("random-1", "random-2")
    assert draw("random-3", 5, 2)[1] != first
    told, more = draw("random-1", 7, 1)
    check_trained(told, 2, 5)
    assert len(more) == 7 and more > first
    assert len(draw("random-3", 100, 2)[1]) == 12


def greedy():
    """greedy ends at a point that is the best along every axis through it, the same on 1, 2 and 3 ranks."""
    sweep("greedy-grid", ranks=2)
    whole = rows("greedy-grid")
    for n in (1, 2, 3):
        told = sweep(f"greedy-{n}", "sweep.strategy=greedy", ranks=n)
        found = rows(f"greedy-{n}")
        check_trained(told, len(found), 0)
        assert len(found) < 12 and all(row in whole for row in found)
        same_rows("greedy-1", f"greedy-{n}")
        own = {"model.hidden": "[16, 12]", "optimizer.learning_rate": "0.01", "train.batch_size": "17"}
        assert of_point(found, own), "the job's own point is where it starts"
        best = best_of(found)
        check_best(f"greedy-{n}", best)
        for key in AXES:
            others = {other: best[other] for other in AXES if other != key}
            line = [row for row in whole if settings(row, others) == others]
            assert len(line) == len(AXES[key]) and best_of(line) == best, f"{best} is not the best of {line}"
    check_trained(sweep("greedy-3", "sweep.strategy=greedy"), 0, len(found))
    check_trained(sweep("greedy-1", ranks=2), 12 - len(found), len(found))
    same_rows("greedy-1", "greedy-grid")


def halving():
    """halving trains the good longer, each going on from where it was; the same on 1, 2 and 3 ranks."""
    keys = ("sweep.strategy=halving", "sweep.min_epochs=1", "sweep.reduction=3", "sweep.keep_trials=all", "train.epochs=9",
            "train.early_stopping=false")
    sweep("halving-grid", *keys[4:], ranks=2)
    for n in (1, 2, 3):
        told = sweep(f"halving-{n}", *keys, ranks=n)
        same_rows("halving-1", f"halving-{n}")
        check_trained(told, len(journal(f"halving-{n}")), 0)
    found, whole = rows("halving-2"), rows("halving-grid")
    epochs = [int(row["epochs"]) for row in found]
    assert len(found) == 12 and set(epochs) == {1, 3, 9}, epochs
    assert sum(epochs) < 0.6 * sum(int(row["epochs"]) for row in whole), epochs
    assert len(journal("halving-2")) == 12 + sum(n >= 3 for n in epochs) + sum(n == 9 for n in epochs)
    longest = best_of([row for row in found if row["epochs"] == "9"])
    assert longest in whole and float(longest[LOSS]) <= 1.1 * float(best_of(whole)[LOSS]), f"{longest}, {best_of(whole)}"
    assert best_of(found) == longest
    check_best("halving-2", longest)
    for row in found:
        if row["epochs"] == "9":
            assert [line["epoch"] for line in e2e.history(f"halving-2/trials/{row['key']}")] == [str(i) for i in range(1, 10)]
    for n in (1, 3):
        row = next(row for row in found if row["epochs"] == str(n))
        check_ordinary(row, f"halving-plain-{n}", f"train.epochs={n}", "train.early_stopping=false")
    check_ordinary(longest, "halving-plain-9", *keys[4:])
    e2e.check_same_run("halving-plain-9", f"halving-2/trials/{longest['key']}")
    check_trained(sweep("halving-3", *keys), 0, len(journal("halving-3")))


def halving_keeps_what_it_needs():
    """halving that keeps only the best goes on from checkpoints all the same."""
    keys = ("sweep.strategy=halving", "sweep.min_epochs=1", "sweep.reduction=2", "train.epochs=8", "train.early_stopping=false")
    sweep("lean-all", "sweep.keep_trials=all", *keys)
    sweep("lean", *keys, ranks=2)
    same_rows("lean-all", "lean")
    assert directories("lean") == [os.path.basename(check_best("lean", best_of(rows("lean"))))]


# ---- what is compared ----

def seeds():
    """With seeds = 3 points.csv has the mean and the standard error of a point's trials."""
    write_sweep("seeds.ini", "seeds = 3\noptimizer.learning_rate = 0.003, 0.01\nmodel.hidden = [8] | [16, 12]\n")
    axes = ("optimizer.learning_rate", "model.hidden")
    for vary, columns in (("training", ["run.seed"]), ("split", ["data.split_seed"]), ("both", ["run.seed", "data.split_seed"])):
        directory = f"seeds-{vary}"
        told = sweep(directory, f"sweep.seeds_vary={vary}", "run.seed=5", "data.split_seed=7", job="seeds.ini", ranks=2)
        check_trained(told, 12, 0)
        found, points = rows(directory), e2e.read_csv(f"{directory}/points.csv")
        assert list(found[0]) == list(axes) + columns + [name for name in LAST_COLUMNS if name != "seconds"]
        first = {"run.seed": 5, "data.split_seed": 7}
        assert len(points) == 4 and len(found) == 12
        for i, point in enumerate(points):
            mine = found[3 * i:3 * i + 3]
            assert all(settings(row, axes) == settings(point, axes) for row in mine)
            assert [[row[name] for name in columns] for row in mine] == [[str(first[name] + k) for name in columns] for k in range(3)]
            assert point["seeds"] == "3"
            for name in SCORES[:4]:
                values = np.array([float(row[name]) for row in mine])
                error = values.std(ddof=1) / np.sqrt(3)
                assert abs(float(point[name + "_mean"]) - values.mean()) < 1e-9, f"{point}, {values}"
                assert abs(float(point[name + "_error"]) - error) < 1e-9, f"{point}, {values}"
        means = [float(point[LOSS + "_mean"]) for point in points]
        best = found[3 * int(np.argmin(means))]
        check_best(directory, best)
        check_ordinary(found[4], f"{directory}-plain", "run.seed=5", "data.split_seed=7", axes=(*axes, *columns))
    check_trained(sweep("seeds-training", "sweep.seeds=1", "run.seed=5", "data.split_seed=7", job="seeds.ini"), 0, 4)


def by_accuracy():
    """objective = validation_accuracy picks the point with the highest."""
    sweep("accuracy", "sweep.objective=validation_accuracy", ranks=2)
    found = rows("accuracy")
    highest = max(found, key=lambda row: float(row[ACCURACY]))
    assert check_best("accuracy", highest) == f"accuracy/trials/{highest['key']}"
    check_trained(sweep("accuracy"), 0, 12)
    same_rows("accuracy", "accuracy")
    check_best("accuracy", best_of(found))


def slices():
    """Slices of a sweep, in one directory or several, join to the whole; what is missing is told."""
    sweep("slices-whole")
    for part, ranks in ((1, 1), (2, 2)):
        check_trained(sweep("slices", "--slice", f"{part}/3", ranks=ranks), 4, 0)
        assert len(journal("slices", f"journal-{part}-of-3.jsonl")) == 4
        assert len(rows("slices", f"trials-{part}-of-3.csv")) == 4
    told = sweep("slices", "--merge", code=e2e.NO_INPUT, ranks=2,
                 words=("slices: 4 of 12 trials are missing, the first of the point model.hidden = ", "no journal of slice 3 of 3"))
    assert "8 trials: 0 trained" in told.out and "the sweep is not finished" in told.out, told.out
    assert len(rows("slices")) == 8
    check_trained(sweep("slices", "--shard=0/3"), 4, 0)  # an older name of --slice; the last one, as people who count from 0 name the first
    check_trained(sweep("slices", "--slice", "3/3"), 0, 4)
    merged = sweep("slices", "--merge", ranks=2)
    assert "missing" not in merged.err
    check_trained(merged, 0, 12)
    same_rows("slices", "slices-whole")
    assert len(journal("slices")) == 12
    check_best("slices", best_of(rows("slices")))
    sweep("slices", "--merge")
    same_rows("slices", "slices-whole")
    assert len(journal("slices")) == 12
    check_trained(sweep("slices"), 0, 12)


def slices_elsewhere():
    """Slices in directories of their own, and whole sweeps of a part of the grid, join by --merge DIR ..."""
    sweep("elsewhere-whole")
    for part in (1, 2, 3):
        sweep(f"elsewhere-{part}", f"--slice={part}/3")
    sweep("elsewhere", "--merge", "elsewhere-1", "elsewhere-2", code=e2e.NO_INPUT, words=("4 of 12 trials are missing",))
    sweep("elsewhere", "--merge", "elsewhere-1", "elsewhere-2", "elsewhere-3")
    same_rows("elsewhere", "elsewhere-whole")
    assert len(journal("elsewhere")) == 12
    sweep("elsewhere-a", "sweep.model.hidden=[4] | [24]", ranks=2)
    check_trained(sweep("elsewhere-b", "--merge", "elsewhere-a", code=e2e.NO_INPUT, words=("4 of 12 trials are missing",)), 0, 8)
    check_trained(sweep("elsewhere-b", ranks=2), 4, 8)
    same_rows("elsewhere-b", "elsewhere-whole")
    check_best("elsewhere-b", best_of(rows("elsewhere-b")))


# ---- trials of every kind ----

def trials_without_a_result():
    """Trials that diverge or fail are rows that say so; the others are as without them."""
    write_sweep("wild.ini", "train.batch_size = 17, 1, 50\noptimizer.learning_rate = 0.01, 1e30, 0.02\n",
                e2e.JOB.replace("hidden =", "batch_norm = true\nhidden =") + "name = sgd\n")
    axes = ("train.batch_size", "optimizer.learning_rate")
    sweep("tame", "sweep.train.batch_size=17, 50", "sweep.optimizer.learning_rate=0.01, 0.02", job="wild.ini")
    for n, each in ((1, 1), (2, 1), (2, 2)):
        directory = f"wild-{n}-{each}"
        told = sweep(directory, f"sweep.ranks_per_trial={each}", job="wild.ini", ranks=n)
        check_trained(told, 9, 0)
        assert "2 diverged, 3 failed" in told.out, told.out
        found = rows(directory)
        same_rows("wild-1-1", directory)
        for row in found:
            if row["train.batch_size"] == "1":
                assert row["stop_reason"] == "failed" and "model.batch_norm" in row["error"] and row[LOSS] == "", row
            elif row["optimizer.learning_rate"] == "1e+30" or row["optimizer.learning_rate"] == "1e30":
                assert row["stop_reason"] == "divergence" and "diverged" in row["error"], row
        good = [row for row in found if not row["error"]]
        assert len(found) == 9 and good == rows("tame")
        check_best(directory, best_of(good))
    check_trained(sweep("wild-1-1", job="wild.ini", ranks=2), 0, 9)
    check_trained(sweep("wild-1-1", "--retry-failed", job="wild.ini", ranks=2), 3, 6)
    same_rows("wild-1-1", "wild-2-1")
    check_ordinary(rows("wild-2-1")[0], "wild-plain", "model.batch_norm=true", "optimizer.name=sgd", axes=axes)
    without_success()
    for n in (1, 2):
        told = sweep(f"wild-halving-{n}", "sweep.strategy=halving", "sweep.min_epochs=1", "sweep.reduction=2", job="wild.ini", ranks=n)
        same_rows("wild-halving-1", f"wild-halving-{n}")
        assert len(rows(f"wild-halving-{n}")) == 9 and "failed" in told.out


LIST = e2e.JOB.replace("every_epochs = 1", "every_epochs = 0") + """[sweep]
strategy = list
builds_on = previous
seeds = 3
point.plain = optimizer.name=sgd
point.adam = optimizer.name=adam optimizer.learning_rate=0.01
point.wide = model.hidden=[24, 12]
point.far = optimizer.name=sgd optimizer.learning_rate=1e30
"""


def named_points():
    """Points with names: the same on any ranks, in parts and after a stop; each is the job that its name stands for."""
    with open("list.ini", "w") as file:
        file.write(LIST)
    for ranks in (1, 3):
        told = sweep(f"list-{ranks}", job="list.ini", ranks=ranks)
        assert "the 4 points in order (* is the best by validation loss)" in told.out, told.out
        assert "the change from the point before it to each point" in told.out, told.out
        same_rows("list-1", f"list-{ranks}")
    found, points = rows("list-1"), e2e.read_csv("list-1/points.csv")
    assert [row["point"] for row in points] == ["plain", "adam", "wide", "far"]
    assert [row["point"] for row in found] == ["plain"] * 3 + ["adam"] * 3 + ["wide"] * 3 + ["far"] * 3
    assert all((row["error"] != "") == (row["point"] == "far") for row in found), found
    check_ordinary(found[7], "list-plain", "optimizer.name=adam", "optimizer.learning_rate=0.01", "model.hidden=[24, 12]",
                   "run.seed=2", axes=())
    best = min(points[:3], key=lambda row: float(row[LOSS + "_mean"]))["point"]
    assert f"\n; Its name is {best}.\n" in open("list-1/best.ini").read()
    for part in (1, 2):
        sweep("list-parts", f"--slice={part}/2", job="list.ini")
        if part == 1:
            sweep("list-parts", "--merge", job="list.ini", code=e2e.NO_INPUT, words=("6 of 12 trials are missing, the first of the point ",))
    sweep("list-parts", "--merge", job="list.ini")
    same_rows("list-1", "list-parts")
    check_trained(sweep("list-1", "sweep.point.last=model.dropout=0.1 optimizer.learning_rate=0.01", job="list.ini"), 3, 12)
    check_trained(sweep("list-1", "--retry-failed", job="list.ini"), 0, 12)


def without_success():
    """A sweep in which nothing succeeds fails: as a training that diverges when all did, else as one that cannot go on."""
    keys = ("sweep.optimizer.learning_rate=1e30", "sweep.train.batch_size=1, 17")
    for ranks in (1, 2):
        told = sweep("wild-all", *keys, job="wild.ini", ranks=ranks, code=e2e.INTERNAL,
                     words=("wild-all: no point succeeded: of 2 trials 1 diverged, 1 failed; the first: ",))
        assert "2 of them have no result: 1 diverged, 1 failed; trials.csv says why" in told.out, told.out
        assert len(rows("wild-all")) == 2 and not os.path.exists("wild-all/best.ini")
        sweep("wild-diverged", *keys, "sweep.train.batch_size=17, 18", job="wild.ini", ranks=ranks, code=e2e.DIVERGED,
              words=("no point succeeded: of 2 trials 2 diverged, 0 failed",))


def data_as_axes():
    """The parts of the data, and the files, can vary, too."""
    e2e.write_data("other-", seed=2)
    write_sweep("data.ini", "data.split_seed = 3, 4\ndata.features = x.npy | other-x.npy\ndata.labels = y.npy | other-y.npy\n")
    axes = ("data.split_seed", "data.features", "data.labels")
    sweep("data", job="data.ini")
    found = rows("data")
    assert len({row[LOSS] for row in found}) == len({row["key"] for row in found}) == len(found) == 8
    sweep("data-2", job="data.ini", ranks=2)
    same_rows("data", "data-2")
    for i in (2, 5):
        check_ordinary(found[i], f"data-plain-{i}", axes=axes)
    check_best("data", best_of(found))


def dry_run():
    """--dry-run prints the axes, the first and last points and a time, --list every point, and neither writes anything."""
    told = sweep("dry", "--dry-run", "sweep.seeds=2").out
    assert "axis   optimizer.learning_rate: 2 values: 0.0003 | 0.01\n" in told and "points 12, 2 repetitions each" in told, told
    assert told.count("model.hidden = ") == 8 and "and 4 more, which --list shows" in told and "24 trials by" in told, told
    before = sorted(os.listdir("."))
    for n, more, groups in ((1, (), "1 group "), (2, ("--ranks", "6", "sweep.ranks_per_trial=2"), "3 groups ")):
        told = sweep("dry", "--list", *more, ranks=n).out
        for point in itertools.product(*AXES.values()):
            text = ", ".join(f"{key} = {value}" for key, value in zip(AXES, point))
            assert told.count(text) == 1, f"not once '{text}':\n{told}"
        assert f"12 trials by {groups}" in told and re.search(r"\d+(\.\d+ s|:\d\d).* on this machine", told), told
        assert not os.path.exists("dry")
    assert not [name for name in set(os.listdir(".")) - set(before) if name.startswith("dry")]
    told = sweep("dry", "--dry-run", "sweep.strategy=greedy").out
    assert "model.hidden = [24]" in told and not os.path.exists("dry"), told


e2e.write_data()
e2e.write_job()
e2e.write_job("grid.ini", GRID)
e2e.main(any_ranks, dry_run, again, slices_elsewhere, halving, seeds, trials_without_a_result, named_points, slices, greedy, halving_keeps_what_it_needs,
         data_as_axes, random, grid, by_accuracy)
