#!/usr/bin/python3
"""Trains a ktrain INI in PyTorch: the same split, initial weights, batches and dropout masks, but PyTorch's layers,
gradients and optimizers. Model M2 of the founding report is this check.

  tools/torch_reference.py jobs/m2.ini --ktrain-program build/release/ktrain
      starts ktrain (1 rank) in a temporary folder, trains the same in PyTorch, prints the losses of the first 200 steps
      side by side, then the epochs and the scores of both.
  tools/torch_reference.py jobs/m2.ini --ktrain runs/m2
      the same against a run made before with run.log_steps=200.

The two usually stay within 1e-7 of each other. Where rounding gives a relu's input near 0 the other sign, one sample's
gradient changes, and from that step on the difference grows. Another run.seed, or model.activation=gelu, tells such an
accident from a mistake, which would show there too. train.max_steps is not followed here: say --steps.

Exit codes: 0 done, 1 the losses differ by more than --tolerance, 2 it could not be tried.
Needs NumPy and PyTorch (Debian: python3-numpy, python3-torch).
"""
import argparse
import copy
import csv
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from torch import nn

import philox
from reference_job import PARTS, Data, Failure, read_config

ACTIVATIONS = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
OPTIMIZERS = {
    "sgd": lambda groups, o: torch.optim.SGD(groups, o["learning_rate"]),
    "momentum": lambda groups, o: torch.optim.SGD(groups, o["learning_rate"], momentum=o["momentum"]),
    "nesterov": lambda groups, o: torch.optim.SGD(groups, o["learning_rate"], momentum=o["momentum"], nesterov=True),
    "rmsprop": lambda groups, o: torch.optim.RMSprop(groups, o["learning_rate"], alpha=o["beta2"], eps=o["epsilon"]),
    "adam": lambda groups, o: torch.optim.Adam(groups, o["learning_rate"], (o["beta1"], o["beta2"]), o["epsilon"]),
    "adamw": lambda groups, o: torch.optim.AdamW(groups, o["learning_rate"], (o["beta1"], o["beta2"]), o["epsilon"]),
}
# t is in epochs or steps after warm-up; n the number of plateau's reductions.
SCHEDULES = {
    "constant": lambda o, t, n: o["learning_rate"],
    "linear": lambda o, t, n: o["learning_rate"]
    + (o["final_learning_rate"] - o["learning_rate"]) * min(t / o["period"], 1),
    "exponential": lambda o, t, n: o["learning_rate"] * o["gamma"] ** t,
    "step": lambda o, t, n: o["learning_rate"] * o["gamma"] ** (t // o["period"]),
    "cosine": lambda o, t, n: o["final_learning_rate"]
    + (o["learning_rate"] - o["final_learning_rate"]) * (1 + math.cos(math.pi * min(t / o["period"], 1))) / 2,
    "plateau": lambda o, t, n: max(o["learning_rate"] * o["gamma"] ** n, o["final_learning_rate"]),
}

# ---- network and optimizer: shared by the reference and the timing ----


def build_network(m, n_in, n_classes, make_dropout):
    layers = []
    for n_out in m["hidden"]:
        layers.append(nn.Linear(n_in, n_out))
        if m["batch_norm"]:
            layers.append(nn.BatchNorm1d(n_out, eps=m["batch_norm_epsilon"], momentum=m["batch_norm_momentum"]))
        layers.append(ACTIVATIONS[m["activation"]]())
        if m["dropout"] > 0:
            layers.append(make_dropout(m["dropout"]))
        n_in = n_out
    return nn.Sequential(*layers, nn.Linear(n_in, n_classes))


class Optimizer:
    """One update from a loss, in PyTorch's terms. The batch form of L2 is a term of the loss, but is not clipped."""

    def __init__(self, config, network):
        o = self.options = config["optimizer"]
        self.clip_norm, self.parameters = config["train"]["clip_norm"], list(network.parameters())
        self.decayed = [w for w in self.parameters if o["l2_biases"] or w.dim() == 2]
        others = [w for w in self.parameters if not (o["l2_biases"] or w.dim() == 2)]
        self.form = "torch" if o["name"] == "adamw" or o["l2_form"] == "coupled" else o["l2_form"]
        decay = o["l2"] if self.form == "torch" else 0  # torch.optim's weight_decay
        groups = [{"params": self.decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0}]
        self.torch = OPTIMIZERS[o["name"]]([group for group in groups if group["params"]], o)

    def update(self, loss, rate, n_samples):
        l2 = self.options["l2"]
        self.torch.zero_grad()
        loss.backward()
        if self.clip_norm > 0:
            nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        if l2 > 0 and self.form == "batch":
            (l2 / (2 * n_samples) * sum(w.square().sum() for w in self.decayed)).backward()
        if l2 > 0 and self.form == "decoupled":
            with torch.no_grad():
                for w in self.decayed:
                    w.mul_(1 - rate * l2)
        for group in self.torch.param_groups:
            group["lr"] = rate
        self.torch.step()


# ---- training as ktrain means it ----


class GivenDropout(nn.Module):
    """Dropout by a mask from outside."""

    def __init__(self, rate):
        super().__init__()
        self.rate, self.mask = rate, None

    def forward(self, x):
        return x * self.mask if self.training else x


class Reference:
    def __init__(self, config, data):
        self.config, self.data, self.seed = config, data, config["run"]["seed"]
        self.x, self.y = torch.from_numpy(data.x), torch.from_numpy(data.y)
        self.network = build_network(config["model"], data.x.shape[1], data.n_classes, GivenDropout)
        n, batch_size = len(data.rows[0]), config["train"]["batch_size"]
        if config["model"]["batch_norm"] and (batch_size or n) == 1:
            raise Failure("there is no batch normalization of one sample: change train.batch_size")
        self.set_initial_weights()
        self.optimizer = Optimizer(config, self.network)
        self.class_weights = self.make_class_weights()
        self.step = self.epoch = self.n_reductions = self.plateau_bad = 0
        self.plateau_best = math.inf

    def set_initial_weights(self):
        m = self.config["model"]
        dense = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        for number, layer in enumerate(dense, 1):
            n_out, n_in = layer.weight.shape
            weights = philox.initial_weights(m["init"], n_in, n_out, m["init_scale"], self.seed, number)
            layer.weight.data = torch.from_numpy(weights)
            layer.bias.data.zero_()

    def make_class_weights(self):
        given, n_classes = self.config["train"]["class_weights"], self.data.n_classes
        if given == "balanced":
            counts = np.bincount(self.data.y[self.data.rows[0]], minlength=n_classes)
            given = np.where(counts > 0, len(self.data.rows[0]) / ((counts > 0).sum() * np.maximum(counts, 1)), 0)
        return torch.as_tensor(np.asarray(given, np.float64)) if len(given) > 0 else None

    def loss(self, logits, y):
        """Summed in double. A sample's weight is its label's, also for the smoothed part, and the sum is divided by the
        number of samples: PyTorch's own `weight` means neither."""
        smoothing = self.config["train"]["label_smoothing"]
        each = nn.functional.cross_entropy(logits.double(), y, reduction="none", label_smoothing=smoothing)
        return (each if self.class_weights is None else each * self.class_weights[y]).mean()

    def rate(self):
        o = self.config["optimizer"]
        t = self.step if o["schedule_unit"] == "step" else self.epoch
        if t < o["warmup"]:
            return o["learning_rate"] * (t + 1) / (o["warmup"] + 1)
        return SCHEDULES[o["schedule"]](o, t - o["warmup"], self.n_reductions)

    def train_epoch(self):
        """Yields the loss and the number of samples of each step. Masks are drawn for many steps at once."""
        samples = self.data.rows[0]
        batch_size = self.config["train"]["batch_size"] or len(samples)
        bounds = [*range(0, len(samples), batch_size), len(samples)]
        if self.config["model"]["batch_norm"] and bounds[-1] - bounds[-2] == 1:
            del bounds[-2]  # a last batch of one sample joins the one before
        order = philox.epoch_order(samples, self.seed, self.epoch, len(bounds) - 1)
        together = max(1, (1 << 20) // (batch_size * max(self.config["model"]["hidden"], default=1)))
        dropouts = [layer for layer in self.network if isinstance(layer, GivenDropout)]
        for k in range(0, len(bounds) - 1, together):
            cuts = bounds[k:k + together + 1]
            rows = order[cuts[0]:cuts[-1]]
            masks = [philox.dropout_mask(layer.rate, n, self.seed, number, self.epoch, rows)
                     for number, (layer, n) in enumerate(zip(dropouts, self.config["model"]["hidden"]), 1)]
            for begin, end in zip(cuts, cuts[1:]):
                for layer, mask in zip(dropouts, masks):
                    layer.mask = torch.from_numpy(mask[begin - cuts[0]:end - cuts[0]])
                yield self.train_step(torch.from_numpy(order[begin:end]))
        self.epoch += 1

    def train_step(self, rows):
        self.network.train()
        loss = self.loss(self.network(self.x[rows]), self.y[rows])
        self.optimizer.update(loss, self.rate(), len(rows))
        self.step += 1
        return loss.item(), len(rows)

    def score(self, part):
        """Accuracy and mean cross-entropy; None for an empty part."""
        self.network.eval()
        entropy, correct, rows = 0.0, 0, self.data.rows[PARTS.index(part)]
        with torch.no_grad():
            for begin in range(0, len(rows), 1024):
                some = rows[begin:begin + 1024]
                logits, y = self.network(self.x[some]).double(), self.y[some]
                entropy += nn.functional.cross_entropy(logits, y, reduction="sum").item()
                correct += (logits.argmax(dim=1) == y).sum().item()
        return (correct / len(rows), entropy / len(rows)) if rows else None

    def observe(self, validation_loss):
        """Plateau: more than plateau_patience epochs in a row without a new lowest loss."""
        self.plateau_bad += 1
        if validation_loss < self.plateau_best:
            self.plateau_best, self.plateau_bad = validation_loss, 0
        elif self.plateau_bad > self.config["optimizer"]["plateau_patience"]:
            self.n_reductions, self.plateau_bad = self.n_reductions + 1, 0


# ---- the comparison ----

MAY_DIFFER = ["dir", "log_steps", "max_minutes", "hang_minutes", "max_steps", "epochs", "class_names"]  # and paths, in two runs of one training


def read_losses(run, n_steps, config):
    """The losses of a ktrain run's first steps, n_steps of them if given. The run must be of the same configuration."""
    theirs = read_config(os.path.join(run, "config.ini"))
    for section, keys in config.items():
        for key, value in keys.items():
            is_free = key in MAY_DIFFER or key.endswith(("features", "labels"))
            if not is_free and theirs[section][key] != value:
                raise Failure(f"{run}: was trained with {section}.{key} = {theirs[section][key]}, not {value}")
    path = os.path.join(run, "steps.csv")
    try:
        with open(path, encoding="utf-8") as file:
            losses = [float(row["loss"]) for row in csv.DictReader(file)]
    except OSError as error:
        remedy = "run ktrain with run.log_steps=200 and checkpoint.resume=never"
        raise Failure(f"{path}: {error.strerror}; {remedy}") from None
    if len(losses) < max(1, n_steps or 0):
        raise Failure(f"{path}: has {len(losses)} steps, where {n_steps or 1} are to be compared")
    return losses[:n_steps]


def compare(ours, theirs, tolerance):
    """Prints both curves. True when they agree."""
    differences = [abs(a - b) / max(abs(a), abs(b), 1e-300) for a, b in zip(ours, theirs)]
    print(f"{'step':>6} {'ktrain':>14} {'PyTorch':>14} {'relative difference':>20}")
    for step, difference in enumerate(differences, 1):
        if step == 1 or step % 10 == 0:
            print(f"{step:6} {theirs[step - 1]:14.9f} {ours[step - 1]:14.9f} {difference:20.2e}")
    worst = int(np.argmax(differences))  # a NaN counts as the largest
    agree = differences[worst] <= tolerance
    print(f"largest relative difference of the first {len(differences)} steps: {differences[worst]:.2e} "
          f"(step {worst + 1}), {'within' if agree else 'ABOVE'} the tolerance of {tolerance:g}", flush=True)
    return agree


def start_ktrain(program, arguments, run):
    """A run of ktrain in folder `run`, on one rank."""
    environment = dict(os.environ)
    if os.geteuid() == 0:  # Open MPI refuses to run as root unless told twice
        environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    command = [program, arguments.config, *arguments.overrides, f"run.log_steps={arguments.steps or 200}",
               f"run.dir={run}", "checkpoint.every_epochs=0"]
    command += [f"train.max_steps={arguments.steps}"] if arguments.steps else []
    command += [f"train.epochs={arguments.epochs}"] if arguments.epochs else []
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False)
    except OSError as error:
        raise Failure(f"{program}: {error.strerror}") from None
    if done.returncode != 0:
        raise Failure(f"{program} failed (exit code {done.returncode}): {done.stderr.strip()}")


def print_scores(reference, which, run):
    summary, path = {}, os.path.join(run or "", "summary.json")
    if run is not None and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            summary = json.load(file)
    columns = f"{'accuracy':>10} {'cross-entropy':>14}"
    print(f"\n{f'weights of the {which} epoch':22}{'PyTorch':>25}{'ktrain' if summary else '':>25}"
          f"\n{'':12} {'samples':>8} {columns}{columns if summary else ''}")
    for p, part in enumerate(PARTS):
        ours, theirs = reference.score(part), summary.get(part, {})
        if ours is not None:
            line = f"{part:12} {len(reference.data.rows[p]):8} {ours[0]:10.4f} {ours[1]:14.4f}"
            print(line + (f"{theirs['accuracy']:10.4f} {theirs['cross_entropy']:14.4f}" if theirs else ""))
    if summary:
        print("ktrain stopped after epoch {epochs} ({stop_reason}); best epoch {best_epoch}".format(**summary))


def train(config, data, arguments, run):
    """Trains, and compares on the way when there is a run of ktrain. Returns the exit code."""
    t = config["train"]
    reference = Reference(config, data)
    theirs = read_losses(run, arguments.steps, config) if run else []
    n_compared, losses = len(theirs) or arguments.steps or 0, []
    best, best_epoch, best_weights, n_bad = math.inf, 0, None, 0
    while reference.epoch < t["epochs"] and not (t["early_stopping"] and n_bad >= t["patience"]):
        epoch_sum = 0.0
        for loss, n_samples in reference.train_epoch():
            epoch_sum += loss * n_samples
            losses.append(loss)
            if reference.step == n_compared:
                if theirs and not compare(losses, theirs, arguments.tolerance):
                    return 1
                if arguments.steps:
                    return 0
        accuracy, entropy = reference.score("validation")
        reference.observe(entropy)
        n_bad += 1
        if entropy < best - t["min_delta"]:
            best, best_epoch, n_bad = entropy, reference.epoch, 0
            best_weights = copy.deepcopy(reference.network.state_dict())
        print(f"epoch {reference.epoch:5}/{t['epochs']}  train {epoch_sum / len(data.rows[0]):.4f}  "
              f"validation {entropy:.4f} ({accuracy:.3f})  {'best' if n_bad == 0 else n_bad}", flush=True)
    if len(losses) < n_compared:
        raise Failure(f"training ended after {len(losses)} steps, before the {n_compared} to be compared")
    leaves_best = t["restore_best"] == "true" or (t["restore_best"] == "auto" and t["early_stopping"])
    if leaves_best and best_weights:
        reference.network.load_state_dict(best_weights)
    print_scores(reference, "best" if leaves_best else "last", run)
    print(f"PyTorch stopped after epoch {reference.epoch}; best epoch {best_epoch}")
    return 0


# ---- command line ----


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("config", metavar="CONFIG.ini", help="a job file of ktrain")
    add("overrides", metavar="section.key=value", nargs="*", help="as ktrain takes them")
    add("--ktrain", metavar="RUN_DIR", help="compare with this run, made with run.log_steps=200")
    add("--ktrain-program", metavar="PATH", help="start this ktrain first, in a temporary folder, and compare with it")
    add("--steps", type=int, metavar="N", help="compare the first N steps and stop (default: 200 steps, or all that "
        "steps.csv has, then train to the end)")
    add("--epochs", type=int, metavar="E", help="train for at most E epochs, instead of the INI's")
    add("--tolerance", type=float, default=1e-4, help="largest relative difference of two losses (default 1e-4)")
    add("--threads", type=int, default=1, metavar="N", help="of PyTorch (default 1)")
    arguments = parser.parse_intermixed_args()
    if arguments.ktrain and arguments.ktrain_program:
        parser.error("--ktrain and --ktrain-program are two ways to say the same: give one")
    if any(n is not None and n < 1 for n in (arguments.steps, arguments.epochs, arguments.threads)):
        parser.error("--steps, --epochs and --threads are at least 1")
    return arguments


def main():
    arguments = read_arguments()
    torch.set_num_threads(arguments.threads)
    philox.check_philox()
    config = read_config(arguments.config, arguments.overrides)
    config["train"]["epochs"] = arguments.epochs or config["train"]["epochs"]
    data = Data(config["data"])
    if not arguments.ktrain_program:
        return train(config, data, arguments, arguments.ktrain)
    with tempfile.TemporaryDirectory(prefix="ktrain-reference-") as folder:
        run = os.path.join(folder, "run")
        start_ktrain(arguments.ktrain_program, arguments, run)
        return train(config, data, arguments, run)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError) as error:
        print(f"torch_reference.py: {error}", file=sys.stderr)
        sys.exit(2)
