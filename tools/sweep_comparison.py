#!/usr/bin/python3
"""Times the same grid of 24 points by three programs in one run and prints a table in Markdown.

  tools/sweep_comparison.py --peers DIR         all of it, best with nothing else running; tools/peers.sh makes DIR
  tools/sweep_comparison.py --peers DIR --only sklearn,torch --points 2 --epochs 1 --repetitions 1    to see that it works

  ktrain    mpirun -np 2 ktrain sweep: one rank per trial
  sklearn   GridSearchCV over MLPClassifier, n_jobs = 2
  torch     PyTorch, two processes that take trials from a queue, longest first

All have the same points, training and validation samples (ktrain's split), batch size, optimizer (Adam, relu, constant
rate, L2 as lambda / (2 m) times the sum of squares, m the batch) and the same number of epochs: none stops early, so
the work is equal. Each has two processes with one thread each. What is timed is a program from its start to its
results: imports, reading the data and, for ktrain, the files it leaves count. The programs take turns, so that a slow
minute of the machine does not hit one of them alone. ktrain and PyTorch score the validation samples after every epoch,
ktrain also the training and test samples in the end; scikit-learn scores the validation samples in the end only. The
best validation loss, after the last epoch, tells whether all three learned the same; their random numbers differ.

Exit codes: 0 done, 2 it could not be tried.
Needs NumPy and h5py (tools/packages.sh compare), and scikit-learn and PyTorch in DIR.
"""
import argparse
import csv
import glob
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MPIRUN = os.environ.get("KT_MPIRUN", "mpirun")
N_PROCESSES = 2

# The last axis changes fastest, as in ktrain.
AXES = {"hidden": [(64,), (128,), (128, 64)], "learning_rate": [0.001, 0.01], "l2": [0.001, 0.01], "batch_size": [16, 64]}
POINTS = [1, 2, 4, 8, 16, 24]  # the first so many are a grid, too

JOB = """[run]
dir = {folder}/sweep
[data]
features = {data}/X_images.npy
labels = {data}/y_images.npy
scale = 255
split = 0.70, 0.15, 0.15
split_seed = 1
[model]
activation = relu
dropout = 0
init = he
[train]
epochs = {epochs}
early_stopping = false
[optimizer]
name = adam
schedule = constant
l2_form = batch
[checkpoint]
every_epochs = 0
keep = 1
"""
SWEEP = """[sweep]
model.hidden = {hidden}
optimizer.learning_rate = {learning_rate}
optimizer.l2 = {l2}
train.batch_size = {batch_size}
"""


class Failure(Exception):
    """No figures; the message says why."""


def grid(n_points):
    """The axes, cut to the first n_points of the grid."""
    axes, n = {}, n_points
    for name in reversed(AXES):
        n_values = min(n, len(AXES[name]))
        axes[name], n = AXES[name][:n_values], n // n_values
    return {name: axes[name] for name in AXES}


def points_of(axes):
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


# ---- the programs in Python: started by this one as `sweep_comparison.py --program NAME JOB.json`. Each returns the
# validation losses of all points, in the order of the grid, and its version.

def read_parts(job):
    """(x, y) of the training and of the validation samples."""
    x = np.load(os.path.join(job["data"], "X_images.npy"))
    y = np.load(os.path.join(job["data"], "y_images.npy")).astype(np.int64)
    x = x.reshape(len(x), -1).astype(np.float32) / np.float32(255)
    with np.load(job["split"]) as split:
        return [(x[split[part]], y[split[part]]) for part in ("train", "validation")]


def search_sklearn(job):
    import sklearn
    from sklearn.model_selection import GridSearchCV, PredefinedSplit
    from sklearn.neural_network import MLPClassifier
    parts = read_parts(job)
    fold = np.repeat([-1, 0], [len(y) for _, y in parts])  # -1: always trains, 0: the validation samples
    x, y = (np.concatenate(both) for both in zip(*parts))
    epochs, axes = job["epochs"], dict(job["axes"], hidden=[tuple(hidden) for hidden in job["axes"]["hidden"]])
    network = MLPClassifier(solver="adam", activation="relu", max_iter=epochs, early_stopping=False, tol=0,
                            n_iter_no_change=epochs + 1, shuffle=True, random_state=1)
    # alpha / 2 times the sum of squares over the samples of the batch: what ktrain calls l2_form = batch
    names = {"hidden": "hidden_layer_sizes", "learning_rate": "learning_rate_init", "l2": "alpha",
             "batch_size": "batch_size"}
    values = {names[name]: axes[name] for name in axes}
    search = GridSearchCV(network, values, scoring="neg_log_loss", n_jobs=N_PROCESSES, cv=PredefinedSplit(fold),
                          refit=False, error_score="raise")
    search.fit(x, y)
    tried, scores = search.cv_results_["params"], search.cv_results_["mean_test_score"]
    wanted = [{names[name]: value for name, value in point.items()} for point in points_of(axes)]
    return {"losses": [-float(scores[tried.index(point)]) for point in wanted],
            "version": f"scikit-learn {sklearn.__version__}"}


def build_torch(torch, point, n_inputs, n_classes):
    widths, layers = [n_inputs, *point["hidden"], n_classes], []
    for n_in, n_out in zip(widths, widths[1:]):
        layer = torch.nn.Linear(n_in, n_out)
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # as init = he of ktrain
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def parameters_torch(network, l2, batch_size):
    """weight_decay adds l2 / m w to the gradient, that of l2 / (2 m) times the sum of squares, m the batch. That the
    last batch of an epoch is smaller is left out: it would take time. A second group takes time, too."""
    if l2 == 0:
        return network.parameters()
    parameters = list(network.parameters())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": l2 / batch_size},
            {"params": [p for p in parameters if p.dim() == 1]}]


def train_torch(trial):
    """The validation loss of one trial, after its number. The data is what the process inherited when it was made."""
    import torch
    number, point = trial
    (x, y), (x_validation, y_validation) = train_torch.parts
    torch.manual_seed(1)
    batch_size = point["batch_size"]
    network = build_torch(torch, point, x.shape[1], int(y.max()) + 1)
    optimizer = torch.optim.Adam(parameters_torch(network, point["l2"], batch_size), lr=point["learning_rate"],
                                 fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(train_torch.epochs):
        rows = torch.randperm(len(x))
        for x_batch, y_batch in zip(x[rows].split(batch_size), y[rows].split(batch_size)):
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(x_batch), y_batch).backward()
            optimizer.step()
        with torch.no_grad():
            loss = float(loss_of(network(x_validation), y_validation))
    return number, loss


def search_torch(job):
    import torch
    from torch import multiprocessing
    torch.set_num_threads(1)
    train_torch.parts = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in read_parts(job)]
    train_torch.epochs = job["epochs"]
    # A step takes about the same time whatever its batch, so that the small batches take longest; then the larger nets.
    trials = sorted(enumerate(points_of(job["axes"])), key=lambda trial: (
        trial[1]["batch_size"], -len(trial[1]["hidden"]), -trial[1]["hidden"][0]))
    with multiprocessing.get_context("fork").Pool(N_PROCESSES) as pool:
        losses = dict(pool.imap_unordered(train_torch, trials, chunksize=1))
    return {"losses": [losses[number] for number in range(len(trials))], "version": f"PyTorch {torch.__version__}"}


SEARCHES = {"sklearn": search_sklearn, "torch": search_torch}

# ---- starting them ----


def start(command, environment):
    """Seconds that the command takes, and its standard output."""
    begin = time.monotonic()
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise Failure(f"{command[0]}: {error.strerror}") from None
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr.strip()}")
    return seconds, done.stdout


def read_trials(path, epochs):
    """The validation losses of a sweep of ktrain, in the order of the grid. All trials must have trained to the end."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows, 1):
        if row["epochs"] != str(epochs) or not row["validation_cross_entropy"]:
            raise Failure(f"{path}: trial {number} has {row['epochs'] or 'no'} epochs instead of {epochs}, "
                          f"{row['stop_reason'] or 'no stop_reason'} {row.get('error') or ''}".strip())
    return [float(row["validation_cross_entropy"]) for row in rows]


def format_axis(name, values):
    if name == "hidden":
        return " | ".join(f"[{', '.join(map(str, value))}]" for value in values)
    return ", ".join(f"{value:g}" for value in values)


def run_ktrain(job, folder, environment):
    path = os.path.join(folder, "job.ini")
    with open(path, "w", encoding="utf-8") as file:
        file.write(JOB.format(folder=folder, **job))
        file.write(SWEEP.format(**{name: format_axis(name, values) for name, values in job["axes"].items()}))
    seconds, _ = start([MPIRUN, "-np", str(N_PROCESSES), job["ktrain"], "sweep", path], environment)
    return seconds, {"losses": read_trials(os.path.join(folder, "sweep", "trials.csv"), job["epochs"]),
                     "version": "ktrain"}


def run_python(name):
    def run(job, folder, environment):
        path = os.path.join(folder, "job.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(job, file)
        seconds, output = start([job["python"], os.path.abspath(__file__), "--program", name, path], environment)
        return seconds, json.loads(output)
    return run


PROGRAMS = {"ktrain": run_ktrain, "sklearn": run_python("sklearn"), "torch": run_python("torch")}


def make_split(job, folder, environment):
    """The samples that ktrain trains on and validates with, out of the checkpoint of one epoch."""
    import h5py
    path, run = os.path.join(folder, "split.ini"), os.path.join(folder, "sweep")
    with open(path, "w", encoding="utf-8") as file:
        file.write(JOB.format(folder=folder, **dict(job, epochs=1)))
    start([job["ktrain"], path], environment)
    with h5py.File(glob.glob(os.path.join(run, "checkpoints", "*.h5"))[0]) as file:
        parts = {part: file["split"][part][:] for part in ("train", "validation")}
    np.savez(job["split"], **parts)
    return {part: len(rows) for part, rows in parts.items()}


def make_environment():
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
                       # a ConvergenceWarning for each trial, also in the processes that scikit-learn starts
                       PYTHONWARNINGS="ignore:Stochastic Optimizer")
    if os.geteuid() == 0:  # Open MPI refuses to run as root unless told twice
        environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    return environment


# ---- the table ----

def measure(job, names, n_repetitions, folder):
    """For each program its seconds, and the losses and version of its last run."""
    environment = make_environment()
    job["samples"] = make_split(job, tempfile.mkdtemp(dir=folder), environment)
    results = {name: {"seconds": []} for name in names}
    for repetition in range(n_repetitions):
        for name in names:
            seconds, result = PROGRAMS[name](job, tempfile.mkdtemp(dir=folder), environment)
            print(f"repetition {repetition + 1}/{n_repetitions}: {name} {seconds:.2f} s", file=sys.stderr)
            if len(result["losses"]) != job["points"]:
                raise Failure(f"{name} has results of {len(result['losses'])} points instead of {job['points']}")
            results[name]["seconds"].append(seconds)
            results[name].update(result)
    for result in results.values():
        result["median"] = statistics.median(result["seconds"])
        result["trials_per_minute"] = 60 * job["points"] / result["median"]
        result["best"] = min(result["losses"])
    return results


def print_table(job, results, n_repetitions):
    samples, first = job["samples"], next(iter(results))
    print(f"{job['points']} points, {job['epochs']} epochs each, {samples['train']} training and "
          f"{samples['validation']} validation samples; {N_PROCESSES} processes of 1 thread on {os.cpu_count()} cores; "
          f"medians of {n_repetitions}, imports and loading included\n")
    print(f"| program | seconds | from - to | trials a minute | time / {first}'s | best validation loss |"
          "\n| --- | --- | --- | --- | --- | --- |")
    for result in results.values():
        seconds = result["seconds"]
        print(f"| {result['version']} | {result['median']:.2f} | {min(seconds):.2f} - {max(seconds):.2f} | "
              f"{result['trials_per_minute']:.1f} | {result['median'] / results[first]['median']:.2f} | "
              f"{result['best']:.4f} |")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = os.path.join(os.environ.get("KTRAIN_WORK", ROOT), "build", "release")
    add = parser.add_argument
    add("--ktrain", default=os.path.join(release, "ktrain"), help="also makes the split (%(default)s)")
    add("--data", default=os.path.join(ROOT, "data", "k49"), help="X_images.npy, y_images.npy (%(default)s)")
    add("--peers", metavar="DIR", help="an environment with scikit-learn and PyTorch, of tools/peers.sh")
    add("--epochs", type=int, default=10, help="of every trial (%(default)s)")
    add("--repetitions", type=int, default=3, help="of which the median counts (%(default)s)")
    add("--only", default=",".join(PROGRAMS), help="programs; ratios are to the first (%(default)s)")
    add("--points", type=int, default=24, choices=POINTS, help="the first of the grid (%(default)s)")
    add("--json", metavar="FILE", help="leaves all figures there")
    add("--program", nargs=2, metavar=("NAME", "JOB"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.only.split(",")) - set(PROGRAMS)
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))}: must be of {', '.join(PROGRAMS)}")
    if not arguments.peers and not arguments.program and arguments.only != "ktrain":
        parser.error("--peers DIR is wanted: tools/peers.sh makes one")
    if arguments.epochs < 1 or arguments.repetitions < 1:
        parser.error("--epochs and --repetitions are at least 1")
    return arguments


def main():
    arguments = read_arguments()
    if arguments.program:
        name, path = arguments.program
        with open(path, encoding="utf-8") as file:
            print(json.dumps(SEARCHES[name](json.load(file))))
        return 0
    with tempfile.TemporaryDirectory(prefix="ktrain-sweep-") as folder:
        job = {"ktrain": os.path.abspath(arguments.ktrain), "data": os.path.abspath(arguments.data),
               "python": os.path.join(os.path.abspath(arguments.peers or "."), "bin", "python"),
               "epochs": arguments.epochs, "points": arguments.points, "axes": grid(arguments.points),
               "split": os.path.join(folder, "split.npz")}
        results = measure(job, arguments.only.split(","), arguments.repetitions, folder)
    print_table(job, results, arguments.repetitions)
    if arguments.json:
        figures = {key: job[key] for key in ("points", "epochs", "axes", "samples")}
        figures.update(cores=os.cpu_count(), processes=N_PROCESSES, repetitions=arguments.repetitions, programs=results)
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(figures, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, ImportError) as error:
        print(f"sweep_comparison.py: {error}", file=sys.stderr)
        sys.exit(2)
