"""Bad configurations: one sentence, the right exit code, on one rank and on two, at once."""
import itertools
import os

import e2e

GOOD = e2e.JOB + "[run]\ndir = never-made\n"
numbers = itertools.count(1)


def refused(text, *words, code=e2e.CONFIG, keys="", ranks=(1, 2)):
    """A job of this text (bytes or str) ends with one sentence that holds the words, and makes no directory."""
    path = f"bad-{next(numbers)}.ini"
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    for n in ranks:
        e2e.ktrain(path, *keys.split(), ranks=n, code=code, words=words)
    assert not os.path.exists("never-made"), f"{path} made a directory"


def line_of(text, part):
    return text[:text.index(part)].count("\n") + 1


def bad_line(line, *words, section="train", ranks=(1,)):
    """GOOD with this line in a section: the sentence also names the file's line."""
    text = GOOD + f"[{section}]\n{line}\n"
    refused(text, f".ini:{line_of(text, line)}:", *words, ranks=ranks)


def unknown_names():
    """An unknown key or section is refused with the nearest name when one is near, or with what is meant by it elsewhere."""
    bad_line("learning_rat = 0.1", "optimizer.learning_rat", "did you mean optimizer.learning_rate", section="optimizer", ranks=(1, 2))
    bad_line("epoch = 3", "train.epoch", "did you mean train.epochs")
    bad_line("Epochs = 3", "did you mean train.epochs")
    bad_line("hidden = [3]", "train.hidden", "did you mean model.hidden")
    bad_line("wd = 0.1", "did you mean optimizer.l2? (l2_form = coupled is what PyTorch's Adam", section="optimizer")
    bad_line("activation = Relu", "did you mean relu?", section="model")
    refused(GOOD, "there is no key optimizer.lr; did you mean optimizer.learning_rate? (", "train.device: ranks are mpirun's", "[network]; did you mean model.hidden?",
            "must be one of sgd |", "did you mean adamw?", "no section [wandb] (ktrain options lists all)", "run.foo (ktrain options run lists all)", ranks=(1,),
            keys="optimizer.lr=0.1 train.device=gpu network.hidden=[3] optimizer.name=AdamW wandb.project=x run.foo=1")
    text = GOOD + "[trian]\nepochs = 3\n"
    refused(text, f".ini:{line_of(text, '[trian]')}:", "[trian]", "did you mean [train]", ranks=(1, 2))


def duplicates():
    """A key that is set twice is refused with both lines."""
    text = GOOD + "[train]\nepochs = 5\n"
    refused(text, f":{line_of(text, 'epochs = 5')}:", "train.epochs", "twice", f"line {line_of(text, 'epochs = 4')}")


def arrangements_that_do_not_fit():
    """Ranks that were not started, unit shards that are no power of two, products and kernels that do not exist."""
    refused(GOOD, "parallel.ranks = 9 with 3 ranks started: must be at most that", ranks=(3,), keys="parallel.ranks=9")
    refused(GOOD, "parallel.unit_shards = 12: must be a power of two", ranks=(1, 3), keys="parallel.unit_shards=12")
    refused(GOOD, "parallel.ranks_per_replica = 0: must be", "node | all", ranks=(3,), keys="parallel.ranks_per_replica=0")
    refused(GOOD, "must be one of auto | own | openblas", ranks=(1,), keys="parallel.products=fast")
    refused(GOOD, "parallel.kernels = sse9: must be one of auto |", ranks=(3,), keys="parallel.kernels=sse9")


def ranks_that_bring_nothing():
    """More ranks than panels, and teams of more ranks than there are, are trained with and told of."""
    e2e.write_data()
    with open("job.ini", "w", encoding="utf-8") as file:
        file.write(GOOD)
    e2e.write_data("wide-", d=700)
    team = "parallel.ranks=all parallel.ranks_per_replica=all model.hidden=[40,12]"
    waits = e2e.train("wide", team + " data.features=wide-x.npy data.labels=wide-y.npy", ranks=5)
    assert "the widest layer is dealt to 3 ranks at most: 2 of a team's 5 only wait" in waits.out, waits.out
    waits = e2e.train("small", team, ranks=5)
    assert "every layer is so small that each rank computes all of it: 4 of a team's 5 only wait" in waits.out, waits.out
    e2e.train("alone", "parallel.ranks_per_replica=4", warns=("parallel.ranks_per_replica = 4 with 1 rank started: teams have at most that",))
    e2e.train("two", "parallel.ranks_per_replica=3", ranks=2, warns=("parallel.ranks_per_replica = 3 with 2 ranks started",))


def malformed_values():
    """A value that is not wholly what the key takes is refused with what it must be."""
    bad_line("learning_rate = 1e-3x", "optimizer.learning_rate = 1e-3x", "must be a number above 0", section="optimizer", ranks=(1, 2))


def malformed_lists_and_words():
    """The same for lists, words, whole numbers and nothing at all."""
    for line, section, words in (
            ("activation = rellu", "model", ("model.activation = rellu", "relu | leaky_relu")),
            ("dropout = nan", "model", ("model.dropout = nan", "must be")),
            ("max_steps = 3.5", "train", ("train.max_steps = 3.5", "whole number")),
            ("max_steps = 9999999999999999999999", "train", ("train.max_steps", "whole number")),
            ("min_delta =", "train", ("train.min_delta", "must be")),
            ("restore_best = maybe", "train", ("train.restore_best = maybe", "auto | true | false")),
            ("class_weights = 1, 2, x", "train", ("train.class_weights", "must be"))):
        bad_line(line, *words, section=section)
    refused(GOOD.replace("[16, 12]", "[16, 0]"), "model.hidden = [16, 0]", "from 1 to", ranks=(1,))
    refused(GOOD.replace("[16, 12]", "16, 12"), "model.hidden", "[128, 64]", ranks=(1,))


def out_of_bounds():
    """A number out of bounds is refused with the bounds."""
    for line, section, words in (("dropout = 1", "model", ("model.dropout = 1", "from 0 below 1")), ("gamma = 0", "optimizer", ("above 0",)),
                                 ("patience = -1", "train", ("train.patience = -1", "from 1")), ("keep = 0", "checkpoint", ("from 1",))):
        bad_line(line, *words, section=section)
    refused(GOOD.replace("epochs = 4", "epochs = 0"), "train.epochs = 0", "from 1")
    refused(GOOD.replace("batch_size = 17", "batch_size = 0"), "train.batch_size = 0", "from 1", "full")
    refused(GOOD.replace("batch_size = 17", "batch_size = -3"), "train.batch_size = -3", ranks=(1,))
    refused(GOOD.replace("learning_rate = 0.01", "learning_rate = 0"), "optimizer.learning_rate = 0", ranks=(1,))


def inconsistent():
    """Keys that contradict each other are refused."""
    refused(GOOD + "[data]\nsplit = 0.7, 0.2, 0.2\n", "data.split", "sum 1")
    refused(GOOD + "[data]\nsplit = 0.5, 0.5\n", "data.split", "three", ranks=(1,))
    refused(GOOD + "[data]\nsplit = 0.8, 0, 0.2\n", "data.split", "validation", ranks=(1,))
    refused(GOOD + "[data]\ntest_features = x.npy\n", "data.test_labels", "not set", ranks=(1,))
    refused(GOOD + "[optimizer]\nfinal_learning_rate = 1\n", "optimizer.final_learning_rate", ranks=(1,))
    refused(GOOD + "[train]\nclass_weights = 1, 2\n", "train.class_weights has 2", "7", keys="run.dir=weights")


def cannot_train():
    """What can never train, or never fit, is refused before it starts."""
    refused(GOOD, "train.class_weights", "all 0", keys="train.class_weights=0,0,0,0,0,0,0")
    refused(GOOD, "train.batch_size = 1", "model.batch_norm", keys="model.batch_norm=true train.batch_size=1")
    refused(GOOD, "model.hidden", "GiB", keys="model.hidden=[10000000,10000000]")
    refused(GOOD, "data.scale = 1e-30", keys="data.scale=1e-30", ranks=(1,))
    refused(GOOD, "checkpoint.resume = AUTO", "auto, never", code=e2e.NO_INPUT, keys="checkpoint.resume=AUTO run.dir=resumed", ranks=(1,))


def all_mistakes():
    """All mistakes of a file and of the command line are told, each with its place; of very many the first 20."""
    text = GOOD + "[optimizer]\nlearning_rat = 1\ngamma = 0\n[checkpoint]\nkeep = 3\n"
    at = line_of(text, "learning_rat =")
    refused(text, ".ini: 4 mistakes:", f".ini:{at}: there is no key optimizer.learning_rat;", f".ini:{at + 1}: optimizer.gamma = 0: must be",
            "command line: train.epochs = -1", "command line: there is no key checkpoint.keeps;", keys="train.epochs=-1 run.seed=2 checkpoint.keeps=1")
    refused(GOOD + "[train]\n" + "".join(f"no{i} = 1\n" for i in range(31)), ".ini: 31 mistakes:", "train.no19 (", "\n  and 11 more", ranks=(1,))
    refused("[data]\nsplit = 0.5, 0.4, 0.3\n[run]\ndir =\n", "3 mistakes", "data.features is not set", "sum 1.2", "run.dir is empty", ranks=(1,))


def no_ini():
    """An empty, garbage or binary INI file is refused."""
    for text in ("", "\n\n; nothing\n", "[data]\n"):
        refused(text, "data.features", "not set", ranks=(1,))
    refused("", "data.features", "not set")
    refused("what is this?\n", ":1:", "neither [section]")
    refused("[data\nfeatures = x.npy\n", ":1:", ranks=(1,))
    refused("epochs = 3\n", ":1:", ranks=(1,))
    refused(bytes(range(256)) * 20, ":1:", ranks=(1,))
    refused(b"[run]\n\0\0\0", ":2:", "NUL", ranks=(1,))
    refused(GOOD.encode("utf-16"), ":1:", ranks=(1,))
    refused("[model]\nhidden = [" + "1, " * 400000 + "1]\n", ":2:", "longer", ranks=(1,))
    with open("x.npy", "rb") as file:
        refused(file.read(), ":1:", ranks=(1,))


e2e.write_data()
e2e.main(unknown_names, duplicates, malformed_values, arrangements_that_do_not_fit, ranks_that_bring_nothing, malformed_lists_and_words, out_of_bounds, inconsistent, cannot_train, all_mistakes, no_ini)
