"""predict and evaluate: the numbers of an independent forward pass in NumPy from the HDF5 weights, on any number of ranks."""
import csv
import math
import os
import re

import numpy as np

import e2e

erf = np.vectorize(math.erf)

ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def forward(path, x, scale, activation, epsilon=1e-5):
    """Posterior probabilities in double, from the tensors of a model file alone."""
    w = {name: value.astype("f8") for name, value in e2e.tensors(path, "model").items()}
    h = x.astype("f8") / scale
    for i in range(1, sum("dense" in name and "weight" in name for name in w) + 1):
        h = h @ w[f"model/dense{i}/weight"].T + w[f"model/dense{i}/bias"]
        norm = f"model/batch_norm{i}/"
        if norm + "weight" in w:
            h = (h - w[norm + "running_mean"]) / np.sqrt(w[norm + "running_variance"] + epsilon)
            h = h * w[norm + "weight"] + w[norm + "bias"]
        h = ACTIVATIONS[activation](h)
    z = h @ w["model/output/weight"].T + w["model/output/bias"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def read_csv(path):
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], np.array(rows[1:], "f8")


def predict(run, features, output, *options, **expected):
    e2e.ktrain("predict", run, features, "-o", output, *options, **expected)
    return output


def check_probabilities(found, wanted):
    assert found.shape == wanted.shape, f"{found.shape}, expected {wanted.shape}"
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-5 and found.min() >= 0
    assert np.abs(found - wanted).max() < 2e-5, f"differs by {np.abs(found - wanted).max()}"


def every_activation():
    """The probabilities are those of a NumPy forward pass: every activation, with and without batch norm, one layer and none."""
    for i, name in enumerate(ACTIVATIONS):
        keys = f"train.epochs=2 model.dropout=0.2 model.activation={name} model.batch_norm={('false', 'true')[i % 2]}"
        e2e.train(f"a-{name}", keys)
        path = predict(f"a-{name}", "new-x.npy", f"a-{name}.npy")
        check_probabilities(np.load(path), forward(f"a-{name}/best.h5", NEW, 255, name))
    for hidden in ("[]", "[40]"):
        e2e.train(f"a-{hidden}", f"train.epochs=2 model.hidden={hidden} model.batch_norm=true model.batch_norm_epsilon=0.01")
        check_probabilities(np.load(predict(f"a-{hidden}", "new-x.npy", f"a-{hidden}.npy")), forward(f"a-{hidden}/best.h5", NEW, 255, "relu", 0.01))


def formats():
    """CSV, npy and HDF5 hold the same rows in input order, under Clase_0, Clase_1, ... or the class names."""
    wanted = forward("main/best.h5", NEW, 255, "relu")
    header, rows = read_csv(predict("main", "new-x.npy", "p.csv"))
    assert header == [f"Clase_{c}" for c in range(7)], header
    check_probabilities(rows, wanted)
    array = np.load(predict("main", "new-x.npy", "p.npy"))
    assert array.dtype == np.float32 and np.array_equal(array, rows.astype("f4"))
    with e2e.h5py.File(predict("main", "new-x.npy", "p.h5"), "r") as file:
        assert np.array_equal(file["probabilities"][()], array)
    reverse = np.load(predict("main", "reverse-x.npy", "r.npy"))
    assert np.abs(reverse[::-1] - array).max() < 1e-6
    header, named = read_csv(predict("main", "new-x.npy", "named.csv", "--class-names"))
    assert header == NAMES, header
    assert np.array_equal(named, rows)
    with e2e.h5py.File(predict("main", "new-x.npy", "named.h5", "--class-names"), "r") as file:
        assert [name.decode() for name in file["class_names"][()]] == NAMES
    predict("nameless", "new-x.npy", "no.csv", "--class-names", code=e2e.DATA, words=("class names",))


def write_table(path, rows, heading):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heading, *rows])


def tables():
    """Tables as pandas writes them, with names 0, 1, ... or a column of row numbers, train the same net and predict the same rows."""
    x, y = np.load("x.npy"), np.load("y.npy")
    write_table("numbered-x.csv", x.tolist(), range(x.shape[1]))
    write_table("numbered-y.csv", [[v] for v in y], [0])
    write_table("indexed-x.csv", [[i, *row] for i, row in enumerate(x.tolist())], ["", *range(x.shape[1])])
    write_table("indexed-y.csv", [[i, v] for i, v in enumerate(y)], ["", "class"])
    e2e.train("arrays", "train.epochs=2")
    for kind, ranks in (("numbered", 1), ("indexed", 2)):
        done = e2e.train(kind, f"train.epochs=2 data.features={kind}-x.csv data.labels={kind}-y.csv", ranks=ranks)
        assert f"note   table {kind}-x.csv: heading \"" in done.out and f"note   table {kind}-y.csv: heading \"" in done.out, done.out
        assert ("left out" in done.out) == (kind == "indexed"), done.out
        e2e.same_bytes("arrays/best.h5", f"{kind}/best.h5", "model", "split")
        predict(kind, f"{kind}-x.csv", f"{kind}-p.csv")
        with open(f"{kind}-p.csv") as file:
            assert len(file.readlines()) == len(x) + 1
    predict("numbered", "numbered-x.csv", "more.csv", "--header", "false")
    with open("more.csv") as file:
        assert len(file.readlines()) == len(x) + 2


def inputs():
    """Other formats and shapes of the same samples give the same rows; more samples than are computed at a time, and a single one, work."""
    array = np.load(predict("main", "new-x.npy", "i.npy"))
    np.save("image-x.npy", NEW.reshape(-1, 4, 5))
    np.savetxt("new-x.csv", NEW, delimiter=",", fmt="%d")
    np.savez_compressed("new.npz", x=NEW)
    for path in ("image-x.npy", "new-x.csv", "new.npz"):
        assert np.array_equal(np.load(predict("main", path, "i2.npy")), array), path
    np.save("many-x.npy", np.tile(NEW, (30, 1)))
    many = np.load(predict("main", "many-x.npy", "many.npy", ranks=2))
    assert len(many) == 30 * len(NEW) > 1024 and np.abs(many - np.tile(array, (30, 1))).max() < 1e-6
    np.save("one-x.npy", NEW[:1])
    assert np.abs(np.load(predict("main", "one-x.npy", "one.npy", ranks=3)) - array[:1]).max() < 1e-6


def any_ranks():
    """1, 2 and 3 ranks write the same."""
    one = np.load(predict("main", "new-x.npy", "n1.npy"))
    for n in (2, 3):
        assert np.abs(np.load(predict("main", "new-x.npy", f"n{n}.npy", ranks=n)) - one).max() < 1e-6
    table = [e2e.ktrain("evaluate", "main", ranks=n).out for n in (1, 3)]
    assert table[0].splitlines()[-4:] == table[1].splitlines()[-4:], table


def table_of(out):
    """{part: (samples, accuracy, cross-entropy)} of what evaluate prints."""
    return {m[1]: (int(m[2]), float(m[3]), float(m[4])) for m in re.finditer(r"^(\w+) +(\d+) +([\d.]+) +([\d.]+) +[\d.]+ +[\d.]+$", out, re.M)}


def check_summary(run, model, rows_of):
    """evaluate, summary.json and a forward pass of `model` tell the same."""
    told, table = e2e.summary(run), table_of(e2e.ktrain("evaluate", run).out)
    for part in ("train", "validation", "test"):
        rows = rows_of[f"split/{part}"]
        p = forward(model, X[rows], 255, "relu")
        accuracy, loss = (p.argmax(axis=1) == Y[rows]).mean(), -np.log(p[np.arange(len(rows)), Y[rows]]).mean()
        assert told[part]["samples"] == table[part][0] == len(rows)
        assert abs(told[part]["accuracy"] - accuracy) < 1e-9 and abs(table[part][1] - accuracy) < 1e-4, (part, told[part], accuracy)
        assert abs(told[part]["cross_entropy"] - loss) < 1e-5 and abs(table[part][2] - loss) < 1e-4, (part, told[part], loss)


def evaluated():
    """evaluate's numbers are those of summary.json and of NumPy: the best weights, or the last when early stopping is off."""
    check_summary("main", "main/best.h5", e2e.tensors("main/best.h5", "split"))
    e2e.train("last", "train.early_stopping=false optimizer.learning_rate=0.05 train.epochs=40")
    told = e2e.summary("last")
    assert told["weights"] == "last" and told["test"] == told["last"]["test"] and told["best_epoch"] < 40, told
    newest = e2e.checkpoints("last")[0]
    check_summary("last", newest, e2e.tensors(newest, "split"))
    array = np.load(predict("last", "new-x.npy", "last.npy"))
    check_probabilities(array, forward(newest, NEW, 255, "relu"))
    assert np.abs(array - forward("last/best.h5", NEW, 255, "relu")).max() > 1e-3, "best and last are alike: this shows nothing"


def confusion():
    """confusion.csv counts each test sample once, in the row of its class."""
    rows = e2e.tensors("main/best.h5", "split")["split/test"]
    guess = forward("main/best.h5", X[rows], 255, "relu").argmax(axis=1)
    wanted = np.zeros((7, 7), int)
    np.add.at(wanted, (Y[rows], guess), 1)
    with open("main/confusion.csv") as file:
        found = np.array([row[1:] for row in list(csv.reader(file))[1:]], int)
    assert np.array_equal(found, wanted), (found, wanted)
    classes = e2e.summary("main")["classes"]
    assert [one["samples"] for one in classes] == wanted.sum(axis=1).tolist() and [one["name"] for one in classes] == NAMES


def own_files():
    """evaluate with files of its own scores all their samples."""
    table = table_of(e2e.ktrain("evaluate", "main", "new-x.npy", "new-y.npy").out)
    p = forward("main/best.h5", NEW, 255, "relu")
    assert list(table) == ["all"] and table["all"][0] == len(NEW)
    assert abs(table["all"][1] - (p.argmax(axis=1) == NEW_Y).mean()) < 1e-4
    e2e.ktrain("evaluate", "main", "new-x.npy", "y.npy", code=e2e.DATA, words=("203 labels", "60 samples"))
    np.save("new-y-8.npy", NEW_Y + 1)
    e2e.ktrain("evaluate", "main", "new-x.npy", "new-y-8.npy", ranks=2, code=e2e.DATA, words=("7",))


def where_a_run_is():
    """A run is given as its directory, its best.h5 or one of its checkpoints; what is none of these is refused."""
    by_directory = np.load(predict("main", "new-x.npy", "w1.npy"))
    assert np.array_equal(np.load(predict("main/best.h5", "new-x.npy", "w2.npy")), by_directory)
    predict(e2e.checkpoints("main")[0], "new-x.npy", "w3.csv")
    for n in (1, 2):
        predict("nowhere", "new-x.npy", "w.csv", ranks=n, code=e2e.NO_INPUT, words=("nowhere", "must be the directory of a run"))
    os.makedirs("empty")
    e2e.ktrain("evaluate", "empty", code=e2e.NO_INPUT, words=("empty", "neither best.h5 nor checkpoints"))
    predict("x.npy", "new-x.npy", "w.csv", code=e2e.DATA, words=("x.npy", "not a ktrain checkpoint"))
    predict("main", "nothere.npy", "w.csv", code=e2e.NO_INPUT, words=("nothere.npy",))
    predict("main", "new-x.npy", "nowhere/w.csv", code=e2e.IO, words=("nowhere/w.csv",))
    predict("main", "new-x.npy", "w.xlsx", code=e2e.USAGE, words=("w.xlsx", ".csv, .npy or .h5"))
    assert not os.path.exists("w.csv")


def strange_data():
    """Data that do not look like the training data bring a warning; another width is refused."""
    np.save("scaled-x.npy", (NEW / 255).astype("f4"))
    predict("main", "scaled-x.npy", "s.csv", ranks=2, warns=("scaled-x.npy ranges from 0.0", "divides by 255", "holds float32"))
    np.save("bright-x.npy", np.clip(NEW.astype(int) + 90, 0, 255).astype("u1"))
    predict("main", "bright-x.npy", "s.csv", warns=("has mean",))
    assert not e2e.own_lines(e2e.ktrain("predict", "main", "new-x.npy", "-o", "s.csv"))[0], "a warning about data like the training data"
    np.save("wide-x.npy", np.zeros((5, 21), "u1"))
    for n in (1, 2):
        predict("main", "wide-x.npy", "wide.csv", ranks=n, code=e2e.DATA, words=("wide-x.npy", "21 features", "must have 20"))
    np.save("nan-x.npy", np.full((5, 20), np.nan))
    predict("main", "nan-x.npy", "wide.csv", code=e2e.DATA, words=("nan-x.npy", "nan"))
    assert not os.path.exists("wide.csv")


def notes_of(process):
    return e2e.own_lines(process)[0] + [line for line in process.out.splitlines() if line.startswith("note ")]


def strange_parts():
    """Training, check and sweeps say where parts do not look like the training samples or inputs are not scaled, and nothing of good data."""
    np.save("like-x.npy", X[::2])
    np.save("like-y.npy", Y[::2])
    np.save("tiny-x.npy", (X[::2] / 255).astype("f4"))
    own = "data.{0}_features={1}-x.npy data.{0}_labels=like-y.npy"
    for part in ("validation", "test"):
        good, bad = own.format(part, "like"), own.format(part, "tiny")
        assert not notes_of(e2e.ktrain("check", "job.ini", *good.split())), part
        for n, arguments in ((2, ("train", "job.ini", f"run.dir=p-{part}", "train.epochs=1")), (1, ("check", "job.ini"))):
            e2e.ktrain(*arguments, *bad.split(), ranks=n, warns=(f"tiny-x.npy ({part}) ranges from 0", "x.npy from 0 to 255",
                                                                 f"tiny-x.npy ({part}) holds float32, x.npy uint8"))
    e2e.ktrain("evaluate", "main", "tiny-x.npy", "like-y.npy", warns=("tiny-x.npy ranges from 0",))
    e2e.ktrain("check", "job.ini", "data.scale=1", warns=("data.scale = 255",))
    e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\noptimizer.learning_rate = 0.1, 0.01\n")
    swept = e2e.ktrain("sweep", "sweep.ini", "run.dir=p-sweep", "train.epochs=1", warns=("data.scale = 255",))
    assert swept.err.count("data.scale = 255") == 1, swept.err


def first_loss(directory, weights, **expected):
    keys = f"data.labels=gaps-y.npy data.class_names= run.log_steps=1 train.max_steps=1 train.batch_size=full train.class_weights={weights}"
    done = e2e.train(directory, keys, **expected)
    with open(f"{directory}/steps.csv") as file:
        return done, float(next(csv.DictReader(file))["loss"])


def balanced_weights():
    """Balanced class weights are n / (classes that have samples * count), on any number of ranks; classes without samples are told."""
    gaps = 2 * Y.astype(int) + 1
    np.save("gaps-y.npy", gaps)
    done, balanced = first_loss("b-word", "balanced")
    assert any("7 of 14 classes have no training sample" in note for note in notes_of(done)), done.out
    with e2e.h5py.File("b-word/best.h5") as file:
        rows = file["split/train"][()]
    counts = np.bincount(gaps[rows])
    weights = [len(rows) / ((counts > 0).sum() * c) if c else 0 for c in counts]
    assert abs(np.dot(weights, counts) / len(rows) - 1) < 1e-12
    assert abs(first_loss("b-list", ",".join(repr(float(w)) for w in weights))[1] - balanced) < 1e-12
    assert first_loss("b-two", "balanced", ranks=2)[1] == balanced


def own_inputs():
    """What is read is never written over, not even behind a link."""
    os.symlink("new-x.npy", "link.npy")
    for output in ("new-x.npy", "link.npy", "main/best.h5"):
        predict("main", "new-x.npy", output, code=e2e.USAGE, words=(output, "another file"))
    assert np.array_equal(np.load("new-x.npy"), NEW)
    e2e.ktrain("evaluate", "main")


X, Y = e2e.write_data(dtype="u1")
order = np.random.default_rng(5).permutation(len(X))[:60]
NEW, NEW_Y = X[order] // 2 * 2, Y[order].astype(int)
np.save("new-x.npy", NEW)
np.save("new-y.npy", NEW_Y)
np.save("reverse-x.npy", NEW[::-1])
NAMES = ["a", "b c", "d,e", 'f"g', "\u3042", "h", "i"]
with open("names.csv", "w", newline="", encoding="utf-8") as names:
    csv.writer(names).writerows([["index", "name"], *enumerate(NAMES)])
e2e.write_job(text=e2e.JOB + "[data]\nscale = 255\n")
e2e.train("nameless", "train.epochs=1")
e2e.write_job(text=e2e.JOB + "[data]\nscale = 255\nclass_names = names.csv\n")
e2e.train("main", "model.batch_norm=true train.epochs=10", ranks=2)
e2e.main(every_activation, formats, inputs, any_ranks, evaluated, confusion, own_files, where_a_run_is, strange_data, strange_parts, balanced_weights, own_inputs, tables)
