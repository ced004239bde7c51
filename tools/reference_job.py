"""A ktrain job as Python sees it: the INI with overrides, and the data with its split."""
import configparser
import copy
import csv
import os

import numpy as np

import philox

PARTS = ["train", "validation", "test"]

# ---- configuration: ktrain's keys with its defaults, whose types are the keys' types ----

DEFAULTS = {
    "run": {"dir": "runs/default", "seed": 1, "log_steps": 0, "max_minutes": 0.0, "hang_minutes": 10.0},
    "data": {"features": "", "labels": "", "class_names": "", "validation_features": "", "validation_labels": "",
             "test_features": "", "test_labels": "", "scale": 1.0, "split": [0.7, 0.15, 0.15], "split_seed": 1,
             "shuffle": True, "stratify": True, "header": "auto", "index_column": "auto"},  # the last two are of tables
    "model": {"hidden": [128], "activation": "relu", "dropout": 0.0, "batch_norm": False, "batch_norm_momentum": 0.1,
              "batch_norm_epsilon": 1e-5, "init": "he", "init_scale": 0.01},
    "train": {"epochs": 200, "batch_size": 16, "max_steps": 0, "early_stopping": True, "patience": 10, "min_delta": 0.0,
              "restore_best": "auto", "label_smoothing": 0.0, "class_weights": [], "clip_norm": 0.0},
    "optimizer": {"name": "adam", "learning_rate": 0.001, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999,
                  "epsilon": 1e-8, "l2": 0.0, "l2_form": "batch", "l2_biases": False, "schedule": "constant",
                  "schedule_unit": "epoch", "gamma": 0.99, "final_learning_rate": 0.0, "period": 100, "warmup": 0,
                  "plateau_patience": 5},
}
WORDS = {("train", "batch_size"): {"full": 0}, ("train", "class_weights"): {"none": [], "balanced": "balanced"}}
CHOICES = {("model", "activation"): ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"],
           ("model", "init"): list(philox.INITIALIZERS), ("optimizer", "schedule_unit"): ["epoch", "step"],
           ("optimizer", "name"): ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"],
           ("optimizer", "schedule"): ["constant", "linear", "exponential", "step", "cosine", "plateau"],
           ("optimizer", "l2_form"): ["batch", "coupled", "decoupled"],
           ("train", "restore_best"): ["auto", "true", "false"]}
IGNORED = ["parallel", "checkpoint"]  # sections without meaning here


class Failure(Exception):
    """What the user must mend; its text is one sentence."""


def parse_value(section, key, text):
    default = DEFAULTS[section][key]
    if text in WORDS.get((section, key), {}):
        return WORDS[section, key][text]
    if text not in CHOICES.get((section, key), [text]):
        raise ValueError(text)
    if isinstance(default, bool):
        return {"true": True, "false": False}[text]
    if isinstance(default, list):
        number = int if key == "hidden" else float
        return [number(word) for word in text.strip("[]").replace("\n", " ").split(",") if word.strip()]
    return type(default)(text)


def set_value(config, where, section, key, text):
    if section in IGNORED:
        return
    if key not in DEFAULTS.get(section, {}):
        raise Failure(f"{where}: there is no key {section}.{key}")
    try:
        config[section][key] = parse_value(section, key, text)
    except (ValueError, KeyError):
        raise Failure(f"{where}: {section}.{key} = {text}: not a value of it") from None


def read_config(path, overrides=()):
    parser = configparser.ConfigParser(delimiters="=", inline_comment_prefixes=";", interpolation=None,
                                       default_section="")
    parser.optionxform = str
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, UnicodeError, configparser.Error) as error:
        raise Failure(f"{path}: {error}") from None
    config = copy.deepcopy(DEFAULTS)
    for section in parser.sections():
        for key, text in parser.items(section):
            set_value(config, path, section, key, text)
    for override in overrides:
        name, equals, text = override.partition("=")
        section, dot, key = name.partition(".")
        if not (equals and dot):
            raise Failure(f"{override}: not of the form section.key=value")
        set_value(config, "command line", section, key, text)
    return config


# ---- data ----


def read_array(name, usual):
    path, colon, member = name.rpartition(":")
    if not colon or os.path.isfile(name):
        path, member = name, ""
    try:
        if path.endswith((".h5", ".hdf5")):
            import h5py
            with h5py.File(path) as file:
                return file[member][()]
        loaded = np.load(path)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise Failure(f"{name}: {error}") from None
    if isinstance(loaded, np.ndarray):
        return loaded
    member = member or next((name for name in usual if name in loaded.files), loaded.files[0])
    return loaded[member]


def read_pair(features, labels, scale):
    x = read_array(features, ["X", "x", "features", "images", "data"]).astype(np.float32)
    y = read_array(labels, ["y", "labels", "targets"])
    y = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    return x.reshape(len(x), -1) / np.float32(scale), y.astype(np.int64)


class Data:
    """x[n, d], y[n], and the rows of each part."""

    def __init__(self, c):
        files = [("features", "labels")] + [(f"{part}_features", f"{part}_labels") for part in PARTS[1:]]
        pairs = [read_pair(c[x], c[y], c["scale"]) if c[x] else None for x, y in files]
        if pairs[0] is None:
            raise Failure("data.features is not set")
        self.n_classes = max(int(pair[1].max()) + 1 for pair in pairs if pair)
        if c["class_names"]:
            with open(c["class_names"], encoding="utf-8-sig") as file:
                self.n_classes = 1 + max(int(row[0]) for row in csv.reader(file) if row and row[0].isdigit())
        fractions = [0 if p > 0 and pairs[p] else c["split"][p] for p in range(3)]
        fractions = [fraction / sum(fractions) for fraction in fractions]
        self.rows = philox.split(pairs[0][1], self.n_classes, fractions, c["shuffle"], c["stratify"], c["split_seed"])
        first = len(pairs[0][0])
        for p in (1, 2):
            if pairs[p]:
                self.rows[p] = list(range(first, first + len(pairs[p][0])))
                first += len(pairs[p][0])
        self.x = np.concatenate([pair[0] for pair in pairs if pair])
        self.y = np.concatenate([pair[1] for pair in pairs if pair])
