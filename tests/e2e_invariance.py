"""The number of ranks changes no result by more than rounding, and no count at all."""
import csv
import os

import numpy as np

import e2e

# 142 training samples: 8 batches of 17 and one of 6, which leaves ranks 6 and 7 of 8 without a sample.
EVERYTHING = ("model.dropout=0.2 model.batch_norm=true train.clip_norm=1.5 train.label_smoothing=0.1 train.class_weights=balanced "
              "optimizer.l2=0.05 optimizer.schedule=exponential optimizer.gamma=0.9 ")

# About 40 steps round float32 numbers (6e-8) a few times each: 1e-6 to 1e-5 of a value was seen. A gradient that is wrong by one sample of a
# batch, or a mask drawn otherwise, gives more than 1e-2.
TOLERANCE = 1e-4


def difference(a, b):
    return float(np.max(np.abs(a - b) / np.maximum(1, np.abs(a)), initial=0))


def confusion(directory):
    with open(os.path.join(directory, "confusion.csv")) as file:
        return [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]


def check_same_counts(one, many, n):
    a, b = e2e.summary(one), e2e.summary(many)
    assert b["ranks"] == n
    for key in ("epochs", "steps", "best_epoch", "stop_reason", "seed", "split_seed", "parameters"):
        assert a[key] == b[key], f"{many}: {key} is {b[key]}, on one rank {a[key]}"
    for part in ("train", "validation", "test"):
        assert a[part]["samples"] == b[part]["samples"] > 0, f"{many}: {part} {b[part]}"
        assert abs(a[part]["cross_entropy"] - b[part]["cross_entropy"]) < TOLERANCE, f"{many}: {part} {b[part]}, on one rank {a[part]}"
    assert sum(a[part]["samples"] for part in ("train", "validation", "test")) == 203
    assert confusion(one) == confusion(many) and sum(map(sum, confusion(many))) == a["test"]["samples"]


def compare(name, keys, *ranks):
    """Runs `keys` on one rank and on each of `ranks`."""
    e2e.train(f"{name}-1", keys)
    for n in ranks:
        one, many = f"{name}-1", f"{name}-{n}"
        e2e.train(many, keys, ranks=n)
        a, b = e2e.checkpoints(one)[0], e2e.checkpoints(many)[0]
        assert os.path.basename(a) == os.path.basename(b), f"{a}, {b}"
        left, right = e2e.tensors(a), e2e.tensors(b)
        assert left.keys() == right.keys()
        for key in left.keys() - {"progress/ranks"}:
            if key.startswith(("split/", "data/")) or left[key].dtype.kind == "i":
                assert np.array_equal(left[key], right[key]), f"{many}: {key} is {right[key]}, on one rank {left[key]}"
            elif left[key].dtype.kind == "f" and "seconds" not in key:
                d = difference(left[key], right[key])
                assert d < TOLERANCE, f"{many}: {key} differs by {d:.1e}"
        check_same_counts(one, many, n)


def everything_with_adam():
    """With dropout, batch norm, clipping, smoothing and class weights, 2, 3, 4, 5 and 8 ranks agree with one (adam, sharded)."""
    compare("adam", EVERYTHING + "parallel.optimizer_state=sharded", 2, 3, 4, 5, 8)


def state_on_rank0():
    """The same with the optimizer's state on rank 0 (momentum)."""
    compare("momentum", EVERYTHING + "optimizer.name=momentum parallel.optimizer_state=rank0", 2, 5)


def order_left_to_mpi():
    """The same with reproducible = false (rmsprop sharded, adam on rank 0)."""
    compare("rmsprop", EVERYTHING + "optimizer.name=rmsprop optimizer.learning_rate=0.003 parallel.reproducible=false", 3, 8)
    compare("free", EVERYTHING + "parallel.reproducible=false parallel.optimizer_state=rank0", 4)


def ranks_without_a_sample():
    """A batch of 3 on 8 ranks, and a last one of 1, leave most ranks without a sample and change nothing."""
    compare("three", "train.batch_size=3 train.epochs=1 model.dropout=0.1 model.batch_norm=true train.clip_norm=1", 2, 8)


def full_batch():
    """The whole training set as one batch: 3 and 8 ranks agree with one (sgd)."""
    compare("full", "train.batch_size=full train.epochs=40 optimizer.name=sgd optimizer.learning_rate=0.1 train.early_stopping=false", 3, 8)


def same_bits():
    """The same number of ranks gives the same bits."""
    for n, keys in ((1, ""), (3, "parallel.optimizer_state=rank0"), (8, "parallel.optimizer_state=sharded")):
        for directory in ("first", "second"):
            e2e.train(f"{directory}-{n}", EVERYTHING + keys, ranks=n)
        for a, b in zip(e2e.checkpoints(f"first-{n}") + [f"first-{n}/best.h5"], e2e.checkpoints(f"second-{n}") + [f"second-{n}/best.h5"]):
            e2e.same_bytes(a, b)


e2e.write_data()
e2e.write_job()
e2e.main(everything_with_adam, state_on_rank0, order_left_to_mpi, ranks_without_a_sample, full_batch, same_bits)
