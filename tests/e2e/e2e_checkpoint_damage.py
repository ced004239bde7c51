"""Damaged and foreign checkpoints: the previous good one is used, or the run is refused; nothing that could be needed is lost."""
import io
import os
import shutil
import subprocess
import zlib

import h5py

import e2e

HEADER_BYTES = 512
KEYS = "train.epochs=3 checkpoint.keep=3 model.batch_norm=true "


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def envelope(image, version=1):
    """A checkpoint file of this HDF5 image, with checksums that are right."""
    head = f"ktrain checkpoint\nformat {version}\nbytes {len(image)}\ncrc32 {zlib.crc32(image):08x}\n"
    head += f"header {zlib.crc32(head.encode()):08x}\n"
    return head.encode().ljust(HEADER_BYTES, b"\0") + image


def edited(data, edit):
    """The checkpoint with its HDF5 content changed by edit(file)."""
    image = io.BytesIO(data[HEADER_BYTES:])
    with h5py.File(image, "r+") as file:
        edit(file)
    return envelope(image.getvalue())


def copy(name):
    shutil.copytree("good", name)
    return e2e.checkpoints(name)


def files(directory):
    return {os.path.join(folder, name): read(os.path.join(folder, name)) for folder, _, names in os.walk(directory) for name in names}


def refused(name, keys="", ranks=1, **expected):
    """The command fails, and the directory is what it was, but for the log, which tells of it."""
    before = files(name)
    e2e.train(name, KEYS + keys, ranks=ranks, **expected)
    after = files(name)
    assert after.keys() == before.keys(), f"{name}: {after.keys() ^ before.keys()}"
    assert all(after[path] == before[path] for path in before if not path.endswith("log.txt")), f"{name}: files were changed"


def falls_back(name, damage, ranks=1, words=()):
    """With its newest checkpoint damaged, the run says so, goes on from the one before, and ends as before."""
    newest, previous, _ = copy(name)
    broken = damage(read(newest))
    write(newest, broken)
    done = e2e.train(name, KEYS, ranks=ranks, warns=(newest, "using the one before it", *words))
    assert f"resume from {previous}" in done.out, done.out
    if ranks == 1:
        e2e.check_same_run("good", name)
    assert read(newest + ".damaged") == broken, "the damaged file is not kept beside"
    shutil.rmtree(name)


def cut_short():
    """A newest checkpoint cut at any length, or longer than it was, is passed over."""
    size = len(read(e2e.checkpoints("good")[0]))
    for length in (0, 1, 10, 30, 511, 512, 513, 2000, size // 2, size - 1):
        falls_back(f"cut-{length}", lambda data, length=length: data[:length])
    falls_back("longer", lambda data: data + b"\0", words=("must have",))
    falls_back("cut-on-2", lambda data: data[:1000], ranks=2, words=("damaged",))


def flipped():
    """One flipped byte anywhere is found."""
    size = len(read(e2e.checkpoints("good")[0]))
    for offset in (0, 25, 45, 60, 300, 511, 512, 600, size // 3, size // 2, size - 1):
        falls_back(f"flip-{offset}", lambda data, at=offset: data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:])


def no_checkpoint():
    """What is no checkpoint at all is passed over, even when its checksums are right."""
    falls_back("text", lambda data: b"this is a text\n" * 100, words=("not a ktrain checkpoint",))
    falls_back("bare", lambda data: data[HEADER_BYTES:], words=("not a ktrain checkpoint",))
    falls_back("garbage", lambda data: envelope(bytes(range(256)) * 40))
    falls_back("nothing", lambda data: envelope(b""))


def two_damaged():
    """When the newest two are damaged, the third is used."""
    paths = copy("two")
    write(paths[0], read(paths[0])[:700])
    write(paths[1], b"")
    done = e2e.train("two", KEYS, warns=(paths[0], paths[1]))
    assert f"resume from {paths[2]}" in done.out, done.out
    e2e.check_same_run("good", "two")


def all_damaged():
    """When all are damaged the run is refused and nothing is deleted; resume = never then starts again."""
    for path in copy("none"):
        write(path, read(path)[:-7])
    for n in (1, 2):
        refused("none", ranks=n, code=e2e.DATA, words=("none/checkpoints", "none of 3 checkpoints is good", "checkpoint.resume=never"))
    e2e.train("none", KEYS + "checkpoint.resume=never")
    assert len(os.listdir("none.old-1/checkpoints")) == 3
    e2e.check_same_run("good", "none")


def newer_format():
    """A checkpoint of a newer format is refused, and nothing older is used in its place."""
    newest = copy("newer")[0]
    write(newest, envelope(read(newest)[HEADER_BYTES:], version=2))
    for n in (1, 2):
        refused("newer", ranks=n, code=e2e.DATA, words=(newest, "format 2", "newer ktrain"))


def content():
    """Tensors that are missing or of another shape are refused though the checksums are right."""

    def shorter(file):
        weight = file["model/dense1/weight"][:-1]
        del file["model/dense1/weight"]
        file["model/dense1/weight"] = weight

    def without(path):
        return lambda file: file.__delitem__(path)

    edits = {"model/dense1/weight": shorter, "model/output/bias": without("model/output/bias"), "progress/step": without("progress/step"),
             "config": without("config"), "data/fingerprint": without("data/fingerprint"), "history": without("history/epoch")}
    for i, (path, edit) in enumerate(edits.items()):
        name = f"content-{i}"
        newest = copy(name)[0]
        write(newest, edited(read(newest), edit))
        e2e.train(name, KEYS, ranks=1 + i % 2, code=e2e.DATA, words=(path,))


def another_run():
    """A checkpoint of another architecture, optimizer or seed is a bad configuration; one of other data is bad data."""
    copy("mine")
    e2e.write_data("other-", seed=2)
    changes = {"model.hidden=[16,13]": "model.hidden", "model.activation=tanh": "model.activation", "model.batch_norm=false": "model.batch_norm",
               "optimizer.name=sgd": "optimizer.name", "optimizer.learning_rate=0.02": "optimizer.learning_rate", "optimizer.l2=0.1": "optimizer.l2",
               "train.batch_size=16": "train.batch_size", "run.seed=2": "run.seed", "data.split_seed=3": "data.split_seed"}
    for i, (change, key) in enumerate(changes.items()):
        refused("mine", change, ranks=1 + (i == 0), code=e2e.CONFIG, words=("mine/checkpoints/step-", key, change.split("=")[1].strip("[]")[-2:]))
    refused("mine", "data.features=other-x.npy data.labels=other-y.npy", code=e2e.DATA, words=("mine/checkpoints/step-", "other data"))
    refused("mine", "data.features=other-x.npy data.labels=other-y.npy", ranks=2, code=e2e.DATA, words=("other data",))


def from_damaged_path():
    """resume = PATH of a damaged checkpoint is refused, and moves nothing aside."""
    write("broken.h5", read(e2e.checkpoints("good")[1])[:-1])
    copy("aim")
    refused("aim", "checkpoint.resume=broken.h5", code=e2e.DATA, words=("broken.h5", "damaged"))


def leftovers():
    """Temporary files of a killed run are removed by the next, and other files stay."""
    copy("orphans")
    orphans = ["best.h5.tmp.4242", "summary.json.tmp.17", "checkpoints/step-0000000099.h5.tmp.99999"]
    others = ["notes.tmp", "checkpoints/my.copy.h5", "plan.tmp.txt"]
    for name in orphans + others:
        write(os.path.join("orphans", name), b"x")
    e2e.train("orphans", KEYS + "train.epochs=4")
    assert not [name for name in orphans if os.path.exists(os.path.join("orphans", name))]
    assert not [name for name in others if not os.path.exists(os.path.join("orphans", name))]


def damaged_best():
    """evaluate and predict refuse a damaged best.h5, and the finished run writes it anew."""
    copy("best")
    write("best/best.h5", read("best/best.h5")[:-1])
    for n in (1, 2):
        e2e.ktrain("evaluate", "best", ranks=n, code=e2e.DATA, words=("best/best.h5", "damaged"))
    e2e.ktrain("predict", "best", "x.npy", "-o", "p.csv", code=e2e.DATA, words=("best/best.h5", "damaged"))
    assert not os.path.exists("p.csv")
    e2e.train("best", KEYS)
    e2e.same_bytes("best/best.h5", "good/best.h5", "model")
    os.remove("best/best.h5")
    e2e.train("best", KEYS)
    e2e.same_bytes("best/best.h5", "good/best.h5", "model")


def other_tools():
    """HDF5's own tools and h5py open checkpoints and best.h5 as they are."""
    for path in e2e.checkpoints("good") + ["good/best.h5"]:
        found = e2e.tensors(path)
        assert found["model/dense1/weight"].shape == (16, 20) and found["model/output/weight"].shape == (7, 12), found.keys()
        assert (any(name.startswith("optimizer/") for name in found) or "best" in path) and len(found["split/train"]) == 142
        if shutil.which("h5dump"):
            listing = subprocess.run(["h5dump", "-n", path], capture_output=True, text=True, check=True).stdout
            assert "/model/dense1/weight" in listing and "/config" in listing, listing
    e2e.train("twin", KEYS)
    if shutil.which("h5diff"):
        subprocess.run(["h5diff", "good/best.h5", "twin/best.h5", "/model"], check=True)
        assert subprocess.run(["h5diff", *e2e.checkpoints("good")[:2], "/model"], stdout=subprocess.DEVNULL).returncode == 1


e2e.write_data()
e2e.write_job()
e2e.train("good", KEYS)
e2e.main(cut_short, flipped, no_checkpoint, two_damaged, all_damaged, newer_format, content, another_run, from_damaged_path, leftovers,
         damaged_best, other_tools)
