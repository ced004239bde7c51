"""Nothing outside of a run's directory is written, whatever keys, names and points say."""
import os
import re

import e2e

NAMES = "data.class_names=names.csv"


def text_keys():
    """section.key of each, but for run.dir."""
    keys = re.findall(r"## \[(\w+)\]|^\| `(\w+)` .* a text of ", e2e.ktrain("options", "--markdown").out, re.M)
    texts, section = [], ""
    for heading, key in keys:
        section = heading or section
        texts += [f"{section}.{key}"] if key and key != "dir" else []
    return texts


def others():
    """Bytes of every file here that is in no run's directory."""
    return {os.path.join(at, name): open(os.path.join(at, name), "rb").read() for at, _, names in os.walk(".") for name in names
            if not at.startswith("./run")}


def keys_that_are_texts():
    """A text with .. in it leads no file out of the run's directory."""
    texts = text_keys()
    assert "data.features" in texts and "checkpoint.resume" in texts, texts
    for key in texts:
        process = e2e.start("run", f"train.epochs=1 {NAMES} {key}=run/../outside.h5").finish()
        assert process.code in (0, e2e.CONFIG, e2e.DATA, e2e.NO_INPUT), f"{process}: {process.code}\n{process.err}"
        assert others() == BEFORE, f"{key}: {others().keys() ^ BEFORE.keys()}"


def names_of_classes():
    """Nor does the name of a class."""
    e2e.train("run-names", f"train.epochs=1 {NAMES}")
    e2e.ktrain("evaluate", "run-names")
    assert others() == BEFORE and not os.path.exists("/tmp/outside")


def points_of_sweeps():
    """Nor does the name of a point, which is one of letters and digits."""
    for name in ("../outside", "/tmp/outside", "a/b"):
        e2e.ktrain("sweep", "sweep.ini", "run.dir=run-sweep", f"sweep.point.{name}=model.dropout=0.1", code=e2e.CONFIG, words=("the name must be of",))
    e2e.ktrain("sweep", "sweep.ini", "run.dir=run-sweep", NAMES, "sweep.keep_trials=all")
    assert others() == BEFORE and not os.path.exists("/tmp/outside")


e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\npoint... = model.dropout=0.1\npoint.. = model.dropout=0\n")
e2e.write_job("names.csv", "0,../../outside\n1,/tmp/outside\n2,..\n3,a/b\n4,~\n5,$HOME\n6,.\n")
BEFORE = others()
e2e.main(keys_that_are_texts, names_of_classes, points_of_sweeps)
