"""Bad data files: one sentence, the right exit code, on one rank and on two, at once, and no directory made."""
import os

import numpy as np

import e2e


def refused(*words, code=e2e.DATA, ranks=(1, 2), **files):
    """Training on these files (data.KEY=FILE) ends with one sentence that holds the words."""
    keys = " ".join(f"data.{key}={path}" for key, path in files.items())
    for n in ranks:
        e2e.train("never-made", keys, ranks=n, code=code, words=words)
    assert not os.path.exists("never-made"), f"{keys}: a directory was made"


def save(name, array):
    np.save(name, array)
    return name


def save_bytes(name, data):
    with open(name, "wb") as file:
        file.write(data)
    return name


def changed(array, **cells):
    """A copy of the array with cells r5c3=... (or r5=...) set."""
    array = array.copy()
    for where, value in cells.items():
        array[tuple(int(i) for i in where[1:].split("c"))] = value
    return array


def missing_file():
    """A data file that is not there is missing input, and said to be so with where it was looked for and where there is one."""
    refused("nothere.npy", "No such file", code=e2e.NO_INPUT, features="nothere.npy")
    refused("nothere.npy", code=e2e.NO_INPUT, labels="nothere.npy", ranks=(1,))
    refused("nothere.csv", code=e2e.NO_INPUT, class_names="nothere.csv", ranks=(1,))
    here = os.getcwd()
    refused(f"nothere.npy: No such file or directory (looked for at {here}/nothere.npy)", code=e2e.NO_INPUT, labels="./nothere.npy:a", ranks=(1,))
    os.makedirs("jobs/parts")
    np.save("jobs/parts/beside.npy", X)
    e2e.write_job("jobs/job.ini", e2e.JOB.replace("x.npy", "parts/beside.npy"))
    for n in (1, 2):
        e2e.train("never-made", ranks=n, job="jobs/job.ini", code=e2e.NO_INPUT,
                  words=(f"looked for at {here}/parts/beside.npy); there is one beside the job file: start ktrain in {here}/jobs, or write the path "
                         f"{here}/jobs/parts/beside.npy",))
    os.makedirs("folder.npy")
    refused("folder.npy", "not a regular file", code=e2e.NO_INPUT, features="folder.npy", ranks=(1,))


def truncated():
    """A file that is cut short is refused, wherever it is cut."""
    whole = open("x.npy", "rb").read()
    for length in (1, 7, 9, 60, 128, 1000, len(whole) - 1):
        path = save_bytes(f"cut-{length}.npy", whole[:length])
        refused(path, features=path, ranks=(1,))
    refused("cut-1000.npy", features="cut-1000.npy", ranks=(2,))
    refused("empty.npy is empty", features=save_bytes("empty.npy", b""))
    np.savez("pair.npz", x=X, y=Y)
    whole = open("pair.npz", "rb").read()
    path = save_bytes("cut.npz", whole[:len(whole) // 2])
    refused(path, features=path)
    with e2e.h5py.File("pair.h5", "w") as file:
        file["x"] = X
    whole = open("pair.h5", "rb").read()
    for length in (600, len(whole) // 2):
        path = save_bytes(f"cut-{length}.h5", whole[:length])
        refused(path, features=path, ranks=(1,))


def wrong_magic():
    """A file of no known format is refused."""
    whole = open("x.npy", "rb").read()
    path = save_bytes("magic.npy", b"\x92" + whole[1:])
    refused(path, "npy", features=path)
    path = save_bytes("noise.dat", bytes(range(250, 0, -1)) * 9)
    refused(path, "no format known", features=path, ranks=(1,))
    path = save_bytes("version.npy", whole[:6] + b"\x09" + whole[7:])
    refused(path, "version 9", features=path, ranks=(1,))
    path = save_bytes("header.npy", whole.replace(b"'shape'", b"'shope'"))
    refused(path, features=path, ranks=(1,))
    path = save_bytes("huge.npy", whole.replace(b"(203, 20)", b"(203, 20000000000)").replace(b" " * 9 + b"\n", b"\n"))
    refused(path, features=path, ranks=(1,))
    path = save("words.npy", np.array([["a", "b"]] * 203))
    refused(path, "strings", features=path, ranks=(1,))


def csv_files():
    """A CSV with a short row, an empty cell or a word is refused with its line."""
    rows = [",".join(f"{v:.3f}" for v in row) for row in X]
    for name, bad in (("short", "1,2,3"), ("word", rows[4].replace(",", ",oops,", 1).rsplit(",", 1)[0]), ("hole", ",," + rows[4].split(",", 2)[2])):
        path = save_bytes(f"{name}.csv", "\n".join(rows[:4] + [bad] + rows[5:]).encode())
        refused(path, "5", features=path, ranks=(1,))
    refused("short.csv", features="short.csv", ranks=(2,))


def no_feature():
    """A column that counts the rows, or is the label itself, is told with its number."""
    counting = np.column_stack([np.arange(203), X]).astype("f4")
    labelled = np.column_stack([X, Y]).astype("f4")
    e2e.train("counting", "train.epochs=1 data.features=" + save("counting-x.npy", counting), warns=("column 1 counts the rows", ))
    e2e.train("labelled", "train.epochs=1 data.features=" + save("labelled-x.npy", labelled), ranks=2, warns=("column 21 is the label itself",))
    rows = [",".join(map(str, [i, *row])) for i, row in enumerate(labelled.tolist())]
    table = save_bytes("indexed.csv", "\n".join(["," + ",".join(f"c{j}" for j in range(21)), *rows]).encode())
    e2e.train("indexed", f"train.epochs=1 data.features={table}", warns=("indexed.csv: column 22 is the label itself",))


def wrong_shape():
    """Arrays of another number of dimensions, or of no sample, are refused with their shape."""
    refused("flat.npy", "(4060,)", "one sample", features=save("flat.npy", X.ravel()))
    refused("five.npy", "5 dimensions", features=save("five.npy", X.reshape(203, 2, 2, 5, 1)), ranks=(1,))
    refused("none.npy", "no sample", features=save("none.npy", X[:0]), ranks=(1,))
    refused("cube.npy", "shape", labels=save("cube.npy", Y.reshape(203, 1, 1)), ranks=(1,))


def not_finite():
    """A NaN or an infinity is refused with its row and column."""
    refused("nan.npy", "row 6, column 4", "nan", features=save("nan.npy", changed(X, r5c3=np.nan)))
    refused("inf.npy", "row 203, column 20", "inf", features=save("inf.npy", changed(X, r202c19=-np.inf)), ranks=(1,))
    refused("big.npy", "row 1, column 1", features=save("big.npy", changed(X.astype("f8"), r0c0=1e300)), ranks=(1,))


def bad_labels():
    """Labels that are negative, fractional, far too large or not one-hot are refused with their row."""
    signed = Y.astype("f8")
    for name, row, value in (("minus", 7, -1), ("half", 8, 2.5), ("nan", 9, np.nan), ("large", 10, 1e9), ("inf", 202, np.inf)):
        path = save(f"y-{name}.npy", changed(signed, **{f"r{row}": value}))
        refused(path, f"row {row + 1}", "whole numbers from 0", labels=path, ranks=(1,))
    refused("y-minus.npy", "row 8", "-1", labels="y-minus.npy", ranks=(2,))
    one_hot = np.eye(7)[Y]
    refused("hot-2.npy", "row 4", "2 ones", labels=save("hot-2.npy", changed(one_hot, **{f"r3c{(Y[3] + 1) % 7}": 1})), ranks=(1,))
    refused("hot-0.npy", "row 4", "0 ones", labels=save("hot-0.npy", changed(one_hot, **{f"r3c{Y[3]}": 0})), ranks=(1,))
    refused("hot-half.npy", "row 1", "one-hot", labels=save("hot-half.npy", one_hot / 2), ranks=(1,))


def other_lengths():
    """Features and labels of different lengths are refused with both lengths."""
    refused("y-202.npy", "202 labels", "203 samples", labels=save("y-202.npy", Y[:-1]))
    refused("x.npy", "100 samples", "203 labels", features=save("100-x.npy", X[:100]), ranks=(1,))


def class_mistakes():
    """One class only, a class in the test but not in training, and names that do not fit are refused."""
    refused("y-one.npy", "only class 0", "two classes", labels=save("y-one.npy", Y * 0))
    extra = changed(Y[:50], r4=7)
    refused("class 7", "test", "none to train on", test_features=save("t-x.npy", X[:50]), test_labels=save("t-y.npy", extra))
    refused("t-wide.npy", "21 features", "20", test_features=save("t-wide.npy", np.zeros((50, 21), "f4")), test_labels=save("t-y2.npy", Y[:50]))
    names = save_bytes("names.csv", b"index,name\n0,a\n1,b\n2,c\n")
    refused("names only classes 0 to 2", class_names=names, ranks=(1,))
    refused("line 3, column 1", "never closed", class_names=save_bytes("open.csv", b'index,name\n0,"a,b"\n"1,b\n'), ranks=(1,))
    refused("line 3", class_names=save_bytes("twice.csv", b"index,name\n0,a\n0,b\n"), ranks=(1,))
    refused("samples are too few", features=save("x-2.npy", X[:2]), labels=save("y-2.npy", np.array([0, 1])), ranks=(1,))


X, Y = e2e.write_data()
e2e.write_job()
e2e.main(missing_file, truncated, wrong_magic, csv_files, no_feature, wrong_shape, not_finite, bad_labels, other_lengths, class_mistakes)
