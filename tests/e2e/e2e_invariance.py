"""The number of ranks changes no bit, in one copy of the weights or in several, however those are kept alike."""
import os

import e2e

# 434 training samples: 27 batches of 16 and one of 2, which leaves most shards and ranks without a sample; or 250 and 184.
EVERYTHING = ("model.dropout=0.2 model.batch_norm=true train.clip_norm=1.5 train.label_smoothing=0.1 train.class_weights=balanced "
              "optimizer.l2=0.05 optimizer.schedule=exponential optimizer.gamma=0.9 train.early_stopping=false parallel.shards=8 ")
EXCHANGE, STATE, PER_REPLICA = "parallel.exchange=", "parallel.optimizer_state=", "parallel.ranks_per_replica="
OPENBLAS = "parallel.products=openblas "


def compare(name, keys, *others, wrap=(), job="job.ini"):
    """Runs `keys` on one rank, and must find the same run in each of the others: (ranks, keys)."""
    e2e.train(f"{name}-one", keys, wrap=wrap, job=job)
    for i, (n, more) in enumerate(others):
        directory = f"{name}-{i}"
        e2e.train(directory, keys + more, ranks=n, wrap=wrap, job=job)
        assert e2e.summary(directory)["ranks"] == n
        try:
            e2e.check_same_run(f"{name}-one", directory)
        except AssertionError as error:
            raise AssertionError(f"{n} ranks, {more or 'as chosen'}: {error}") from None


def one_copy():
    """Batches of 16, and one of 2, with everything on (adam): 2, 3, 5 and 8 ranks that share one copy of the weights."""
    keys = EVERYTHING + "train.epochs=2 train.batch_size=16 "
    compare("copy", keys, (2, ""), (3, ""), (5, PER_REPLICA + "node"), (8, ""))
    e2e.train("copy-shards", keys + "parallel.shards=4")  # another order of the sums, and so other bits: this test would see it
    difference, _ = e2e.largest_difference(e2e.checkpoints("copy-one")[0], e2e.checkpoints("copy-shards")[0], "model")
    assert 0 < difference < 1e-2, difference


def several_copies():
    """The same with 2 to 8 copies, by factors, allreduce and as chosen, the state on rank 0 or in slices."""
    compare("copies", EVERYTHING + "train.epochs=2 train.batch_size=16 ",
            (2, PER_REPLICA + "1 " + EXCHANGE + "factors"),
            (3, PER_REPLICA + "1 " + EXCHANGE + "allreduce " + STATE + "sharded"),
            (4, PER_REPLICA + "2 " + EXCHANGE + "allreduce " + STATE + "rank0"),
            (5, PER_REPLICA + "2 " + EXCHANGE + "factors"),
            (8, PER_REPLICA + "1"))


def batches_of_250():
    """Batches of 250 and 184, by ktrain's own products, without clipping (nesterov), and by OpenBLAS's with everything (adamw)."""
    keys = EVERYTHING + "train.epochs=4 train.batch_size=250 model.hidden=[300,40] "
    compare("own", keys + "train.clip_norm=0 optimizer.name=nesterov ",
            (2, PER_REPLICA + "1 " + EXCHANGE + "factors"), (4, PER_REPLICA + "2 " + EXCHANGE + "allreduce"), (5, ""))
    compare("large", keys + OPENBLAS + "optimizer.name=adamw ",
            (2, ""), (3, PER_REPLICA + "node"), (5, PER_REPLICA + "2 " + EXCHANGE + "factors"),
            (8, PER_REPLICA + "3 " + EXCHANGE + "allreduce " + STATE + "rank0"))


def joined_batch():
    """421 samples in 6 batches of 60 and one of 61: batch norm takes no batch of 1."""
    split = "data.split=0.679,0.16,0.161 "
    keys = EVERYTHING + split + "train.epochs=2 train.batch_size=60 "
    for name, products in (("joined-own", ""), ("joined-openblas", OPENBLAS)):
        compare(name, keys + products, (2, ""), (3, PER_REPLICA + "1 " + EXCHANGE + "factors"),
                (4, PER_REPLICA + "2 " + EXCHANGE + "allreduce " + STATE + "sharded"))
        assert e2e.summary(f"{name}-one")["steps"] == 14, e2e.summary(f"{name}-one")
    assert "batch of 60 (the last of 61" in e2e.train("joined-line", keys).out
    keys = EVERYTHING + split + "train.epochs=3 train.batch_size="
    e2e.train("joined-full", keys + "full")
    e2e.train("joined-all", keys + "420")  # and 1 more
    e2e.same_bytes("joined-full/best.h5", "joined-all/best.h5", "model")
    e2e.train("joined-plain", split + "train.epochs=3 train.batch_size=420")
    assert e2e.summary("joined-plain")["steps"] == 6 and e2e.summary("joined-all")["steps"] == 3
    e2e.train("joined-never", "train.batch_size=1 model.batch_norm=true", code=e2e.CONFIG, words=("must be 2 or more",))


def copies_of_unequal_size():
    """3 ranks, of which 2 share a copy: all must choose the same exchange, at sizes where the two cost nearly the same."""
    for size in (64, 96, 128, 160):
        keys = f"model.hidden=[600,500] train.batch_size={size} train.epochs=1 "
        compare(f"unequal-{size}", keys, (3, PER_REPLICA + "2"))


def has_kernels(kernels):
    """Whether this processor has them; says so where it has not."""
    started = e2e.Process(["job.ini", f"run.dir=try-{kernels}", f"parallel.kernels={kernels}", "train.max_steps=1"]).finish()
    if started.code == e2e.CONFIG:
        print(f"left out: {started.err.strip()}")
    return started.code != e2e.CONFIG


def another_arrangement_after_each_step():
    """As teams, as copies, with ranks that sleep, in turn, a step or two each: 2 to 5 ranks."""
    if os.environ.get("KT_TEST_POINTS") != "ON":
        return
    keys = EVERYTHING + "train.batch_size=16 train.epochs=1 model.hidden=[70,40] "
    e2e.train("still", keys)
    for n in (2, 3, 4, 5):
        said = e2e.train(f"turns-{n}", keys, ranks=n, point="arrange:1:always").out
        assert "the fastest of" in said, said  # all were tried
        e2e.check_same_run("still", f"turns-{n}")


def mixed_processors():
    """Ranks with different kernels, each with a copy of its own or all with one, come to the bits of the best."""
    keys = EVERYTHING + "train.batch_size=16 train.epochs=1 model.hidden=[300,40] "
    if not has_kernels("avx2"):
        return
    differ = 'kernels=avx2; test "$OMPI_COMM_WORLD_RANK" = 0 || kernels=portable; exec "$@" parallel.kernels=$kernels'
    e2e.train("best", keys)
    for each in ("1", "node"):
        e2e.train(f"mixed-{each}", keys + PER_REPLICA + each, ranks=2, wrap=("sh", "-c", differ, "sh"))
        e2e.check_same_run("best", f"mixed-{each}")


def full_batch():
    """The whole training set as one batch: 2, 3, 4 and 8 ranks (momentum)."""
    compare("full", EVERYTHING + "train.batch_size=full train.epochs=6 optimizer.name=momentum model.hidden=[300] ",
            (2, PER_REPLICA + "node"), (3, EXCHANGE + "allreduce"), (4, PER_REPLICA + "2 " + EXCHANGE + "factors"), (8, ""))


def more_ranks_than_work():
    """More ranks than tiles, samples and shards: a batch of 3 and one of 2, in 2 shards, through a layer of 5 units, on 8 ranks."""
    keys = "train.batch_size=3 train.epochs=1 train.max_steps=150 parallel.shards=2 model.hidden=[5] model.dropout=0.1 train.clip_norm=1 "
    for products, layouts in (("", (PER_REPLICA + "1 " + EXCHANGE + "allreduce", PER_REPLICA + "3 " + EXCHANGE + "factors", "")),
                              (OPENBLAS, (PER_REPLICA + "1 " + EXCHANGE + "factors", PER_REPLICA + "2 " + EXCHANGE + "allreduce"))):
        compare("few" + products[:8], keys + products, *((8, layout) for layout in layouts))


def other_instructions():
    """Each of ktrain's kernels that this processor has gives the same bits on any number of ranks; OpenBLAS as on Haswell gives its own."""
    keys = EVERYTHING + "train.epochs=2 model.hidden=[300,40] "
    compare("haswell", keys + "train.batch_size=250 " + OPENBLAS, (3, PER_REPLICA + "1"), (4, PER_REPLICA + "2 " + EXCHANGE + "allreduce"),
            wrap=("env", "OPENBLAS_CORETYPE=Haswell"))
    kernels = [f"parallel.kernels={name} " for name in ("avx2", "portable") if has_kernels(name)]
    compare("kernels", keys + "train.batch_size=16 ",
            *((n, name + more) for name in kernels for n, more in ((1, ""), (3, ""), (5, PER_REPLICA + "2 " + EXCHANGE + "allreduce"))))


def order_left_to_mpi():
    """With reproducible = false runs agree to rounding (momentum, adam)."""
    # Adam divides by the square root of what may be rounding alone, so it is given few steps.
    for name, keys in (("momentum", "train.epochs=2 optimizer.name=momentum"), ("adam", "train.max_steps=10 model.batch_norm=true")):
        keys = "train.batch_size=16 train.clip_norm=1.5 model.dropout=0.2 optimizer.learning_rate=0.001 " + keys
        e2e.train(f"fixed-{name}", keys)
        for n, more in ((3, PER_REPLICA + "1 " + EXCHANGE + "allreduce"), (4, PER_REPLICA + "2 " + EXCHANGE + "factors"), (3, "")):
            directory = f"free-{name}-{n}-{len(more)}"
            e2e.train(directory, f"{keys} parallel.reproducible=false {more}", ranks=n)
            a, b = e2e.checkpoints(f"fixed-{name}")[0], e2e.checkpoints(directory)[0]
            difference, where = e2e.largest_difference(a, b, "model")
            assert difference < 1e-4, f"{directory}: {where} differs by {difference}"
            for part in ("validation", "test"):
                x, y = e2e.summary(f"fixed-{name}")[part], e2e.summary(directory)[part]
                assert abs(x["cross_entropy"] - y["cross_entropy"]) < 1e-4 and x["samples"] == y["samples"] > 0, f"{x}, {y}"


e2e.write_data(n=620)
e2e.write_job()
e2e.main(several_copies, joined_batch, copies_of_unequal_size, mixed_processors, batches_of_250, one_copy, another_arrangement_after_each_step, other_instructions, full_batch, more_ranks_than_work, order_left_to_mpi)
