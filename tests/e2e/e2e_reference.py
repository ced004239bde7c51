"""ktrain's weights are those of a short program in plain C that knows docs/numbers.md alone (reference.c), to the last bit."""
import os
import subprocess
import sys

import h5py
import numpy as np

import e2e

sys.path.insert(0, os.path.join(os.environ["KT_SOURCE_DIR"], "tools"))
import philox  # noqa: E402

REFERENCE = os.path.join(os.environ["KT_BINARY_DIR"], "tests", "reference")
JOB = os.path.join(os.environ["KT_SOURCE_DIR"], "jobs", "m1.ini")
TENSORS = ("dense1/weight", "dense1/bias", "output/weight", "output/bias")
CLASSES, STEPS = 49, 50


def write_images(folder, n):
    """Like the founding report's: dark around the middle, and classes of all sizes from 3 on."""
    draw = np.random.default_rng(n)
    y = draw.permutation(np.concatenate([np.arange(CLASSES).repeat(3), (CLASSES * draw.random(n - 3 * CLASSES) ** 1.5).astype(int)]))
    x = 60 * draw.standard_normal((CLASSES, 784))[y] + 40 * draw.standard_normal((n, 784))
    os.makedirs(folder)
    np.save(f"{folder}/X_images.npy", np.clip(np.round(x), 0, 255).astype("f4"))
    np.save(f"{folder}/y_images.npy", y)


def train_as_reference(folder, batch_size):
    """The weights of 50 steps on these images, and of ktrain on 1 and 3 ranks, with each instruction set that this processor has."""
    data = [f"{folder}/{name}_images.npy" for name in "Xy"]
    labels = np.load(data[1])
    parts = philox.split(labels, CLASSES, (0.7, 0.15, 0.15), True, True, 1)
    name = f"{folder}-{batch_size}"
    np.save(f"{name}.npy", np.array(parts[0], "u4"))
    done = subprocess.run([REFERENCE, *data, f"{name}.npy", str(batch_size), str(STEPS)], stdout=subprocess.PIPE, check=True)
    expected = np.frombuffer(done.stdout, "u4")
    keys = [f"data.features={data[0]}", f"data.labels={data[1]}", "data.class_names=", "parallel.products=own",
            "train.early_stopping=false", f"train.max_steps={STEPS}", f"train.batch_size={batch_size}"]
    for kernels in ("avx512", "avx2", "neon", "portable"):
        compare(f"{name}-{kernels}", [*keys, f"parallel.kernels={kernels}"], parts, expected, may_lack=kernels != "portable")


def compare(name, keys, parts, expected, may_lack):
    for ranks in (1, 3):
        run = f"{name}-{ranks}"
        process = e2e.Process([JOB, f"run.dir={run}", *keys], ranks).finish()
        if may_lack and process.code == e2e.CONFIG and "kernels" in process.err:
            return  # not this processor's
        e2e.expect(process)
        with h5py.File(e2e.checkpoints(run)[0]) as file:
            for part, rows in zip(("train", "validation", "test"), parts):
                assert file["split"][part][()].tolist() == rows, f"{run}: {part}"
            found = np.concatenate([file["model"][tensor][()].reshape(-1).view("u4") for tensor in TENSORS])
        assert found.size == expected.size
        different = np.flatnonzero(found != expected)
        assert different.size == 0, f"{run}: {different.size} of {found.size} differ, the first is number {different[0]}"
        print(f"{run}: the same")


def small_batches():
    """400 images in batches of 16, the last of an epoch of 8: two epochs and a part of the third."""
    train_as_reference("small", 16)


def shards():
    """1500 images in batches of 300 and one of 150: 4 shards, ten epochs."""
    train_as_reference("large", 300)


def real_images():
    """The Kuzushiji-49 images, where they are."""
    if e2e.find_k49() is not None:
        train_as_reference("k49", 16)


write_images("small", 400)
write_images("large", 1500)
if e2e.find_k49() is not None:
    os.symlink(e2e.find_k49(), "k49")
e2e.main(small_batches, shards, real_images)
