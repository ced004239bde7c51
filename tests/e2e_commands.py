"""Wrong command lines: one sentence, the right exit code, on one rank and on two, at once."""
import os

import e2e


def no_file():
    """A configuration that is not there, or a directory, is missing input."""
    for n in (1, 2):
        e2e.ktrain("nothere.ini", ranks=n, code=e2e.NO_INPUT, words=("nothere.ini", "No such file"))
    os.makedirs("folder.ini")
    e2e.ktrain("folder.ini", code=e2e.NO_INPUT, words=("folder.ini", "not a regular file"))


def overrides():
    """Overrides are as strict as the file: no section or no value is wrong usage, a bad value a bad configuration."""
    for argument, code, words in (("epochs=3", e2e.USAGE, ("epochs=3", "section.key=value")), ("train.epochs", e2e.USAGE, ("train.epochs",)),
                                  ("--fast", e2e.USAGE, ("--fast",)), ("train.epochs=three", e2e.CONFIG, ("train.epochs = three", "whole number")),
                                  ("train.epoch=3", e2e.CONFIG, ("did you mean train.epochs",)), ("", e2e.USAGE, ())):
        e2e.ktrain("job.ini", argument, code=code, words=words)
    e2e.ktrain("job.ini", "nonsense", ranks=2, code=e2e.USAGE, words=("nonsense",))
    e2e.ktrain("job.ini", "train.epochs=0", ranks=2, code=e2e.CONFIG, words=("train.epochs = 0",))
    assert not os.path.exists("runs")


def commands():
    """Wrong command lines are wrong usage, with the nearest command."""
    for arguments, words in (((), ("--help",)), (("evalute", "runs"), ("evalute", "did you mean evaluate")), (("--hlep",), ("--hlep",)),
                             (("train",), ("configuration",)), (("evaluate",), ("RUN",)), (("evaluate", "a", "b"), ("FEATURES LABELS",)),
                             (("predict", "a", "b"), ("-o FILE",)), (("predict", "a", "-o", "p.csv"), ("predict",)), (("check",), ()),
                             (("predict", "a", "b", "-x"), ("-x",)), (("predict", "a", "b", "-o", "p.txt"), ("p.txt", ".csv, .npy or .h5"))):
        e2e.ktrain(*arguments, code=e2e.USAGE, words=words)
    e2e.ktrain("evalute", "runs", ranks=2, code=e2e.USAGE, words=("did you mean evaluate",))
    for word in ("options", "check", "info", "predict", "evaluate", "train"):
        assert "usage: " in e2e.ktrain(word, "--help").out
    assert "evaluate" in e2e.ktrain("--help").out and e2e.ktrain("--version").out.startswith("ktrain ")


e2e.write_data()
e2e.write_job()
e2e.main(no_file, overrides, commands)
