"""M1 by this build and by another one, of another MPI (KTRAIN_OTHER_BUILD): images where there are some, else made data."""
import os
import subprocess
import sys

import numpy as np

import e2e

SOURCE, OTHER = os.environ["KT_SOURCE_DIR"], os.path.join(os.environ["KT_OTHER_BUILD"], "ktrain")
CLOTHES = "/usr/share/datasets/fashion-mnist/t10k-{}-idx{}-ubyte.gz"
JOB = f"{SOURCE}/jobs/m1.ini"
if not os.path.exists(OTHER):
    print(f"skipped: there is no {OTHER}")
    sys.exit(77)


def keys_of_data():
    if any(os.path.exists(f"{SOURCE}/{path}/k49/X_images.npy") for path in ("data", "../shared/data")):
        e2e.link_k49()
        return ""
    if os.path.exists(CLOTHES.format("images", 3)):
        return (f"data.features={CLOTHES.format('images', 3)} data.labels={CLOTHES.format('labels', 1)} "
                f"data.class_names={SOURCE}/jobs/fashion_mnist_classes.csv ")
    with open("names.csv", "w", encoding="utf-8") as file:
        file.writelines(f"{c},class {c}\n" for c in range(49))
    e2e.write_data(n=1200, d=784, n_classes=49, dtype="u1")
    return "data.features=x.npy data.labels=y.npy data.class_names=names.csv "


def train(directory, keys, ranks=1):
    """best.h5 of an M1 that trains an epoch on this data."""
    e2e.train(directory, f"{DATA} train.epochs=1 {keys}", ranks=ranks, job=JOB)
    return f"{directory}/best.h5"


def train_other(directory, keys):
    told = subprocess.run([OTHER, JOB, f"run.dir={directory}", *f"{DATA} train.epochs=1 {keys}".split()], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=e2e.LIMIT_SECONDS, check=False)
    assert told.returncode == 0, f"{OTHER}: exit code {told.returncode}\n{told.stdout[-2000:]}{told.stderr[-2000:]}"
    return f"{directory}/best.h5"


def same_bits():
    """On 1, 2 and 3 ranks that share a copy of the weights, and on 2 with a copy each, this build has the other's weights to the last bit."""
    apart = "parallel.ranks_per_replica=1 parallel.exchange="
    wanted = train_other("other", "")
    for ranks in (1, 2, 3):
        e2e.same_bytes(wanted, train(f"ranks-{ranks}", "", ranks), "model")
    wanted = train_other("other-norm", "model.batch_norm=true")
    for exchange in ("factors", "allreduce"):
        e2e.same_bytes(wanted, train(exchange, f"model.batch_norm=true {apart}{exchange}", 2), "model")


def other_bits():
    """Another seed gives other bits: the test above would see a difference."""
    a, b = train("seed-1", ""), train("seed-2", "run.seed=2")
    assert not np.array_equal(*(next(iter(e2e.tensors(path, "model").values())) for path in (a, b)))


DATA = keys_of_data()
e2e.main(same_bits, other_bits)
