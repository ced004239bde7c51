#!/usr/bin/env python3
"""Writes the golden vectors of the unit tests: random.txt, activation.txt, network.txt, optimizer.txt, schedule.txt, metrics.txt.

Independent of ktrain: the draws are a second Philox in NumPy, everything else is PyTorch or NumPy in float64.
Needs numpy and torch (Debian: python3-numpy, python3-torch). Run it in this folder; the files are committed.
Lines that are there stay as they are, since another PyTorch may round otherwise: remove what is to be made again.
A line is `name count value value ...`; whole numbers are written as such, others with 17 digits.
"""
import itertools
import math
import os

import numpy as np
import torch

torch.set_default_dtype(torch.float64)

SPLIT, ORDER, INIT, DROPOUT = 1, 2, 3, 4


class Golden:
    def __init__(self, name):
        path = name + ".txt"
        lines = open(path).read().splitlines() if os.path.exists(path) else []
        self.there = {line.split(" ", 1)[0]: line for line in lines}
        self.file = open(path, "w")

    def put(self, name, values):
        values = np.asarray(values.detach() if isinstance(values, torch.Tensor) else values).reshape(-1)
        whole = np.issubdtype(values.dtype, np.integer)
        words = [str(v) if whole else format(v, ".17g") for v in values.tolist()]
        print(self.there.get(name, " ".join([name, str(len(words)), *words])), file=self.file)


# ---- draws ----

def philox(counter, key):
    """Philox4x32-10 of counter[..., 4] under key[2]."""
    c = [np.asarray(counter)[..., i].astype(np.uint64) for i in range(4)]
    low = np.uint64(0xFFFFFFFF)
    k = [np.uint64(key[0]), np.uint64(key[1])]
    for _ in range(10):
        p, q = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(q >> np.uint64(32)) ^ c[1] ^ k[0], q & low, (p >> np.uint64(32)) ^ c[3] ^ k[1], p & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, axis=-1)


def bits(seed, purpose, layer, epoch, sample, first, n):
    blocks = np.arange(first // 4, (first + n + 3) // 4, dtype=np.uint64)
    words = [sample, epoch, (purpose << 24) | layer]
    counter = np.stack([blocks] + [blocks * 0 + word for word in words], axis=-1)
    return philox(counter, [seed & 0xFFFFFFFF, seed >> 32]).reshape(-1)[:n]


def uniform(*place_and_range):
    return (bits(*place_and_range) >> np.uint64(8)).astype(np.float64) / 2**24


def normal(seed, purpose, layer, epoch, sample, first, n):
    b = bits(seed, purpose, layer, epoch, sample, first, n + n % 2).astype(np.float64)
    r = np.sqrt(-2 * np.log((b[0::2] + 1) / 2**32))
    angle = 2 * np.pi * b[1::2] / 2**32
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1).reshape(-1)[:n]


def shuffle(seed, purpose, n):
    b = [int(v) for v in bits(seed, purpose, 0, 0, 0, 0, n)]
    items = list(range(n))
    for i in range(n - 1, 0, -1):
        j = b[i] * (i + 1) >> 32
        items[i], items[j] = items[j], items[i]
    return items


def initial(name, seed, layer, n_in, n_out, scale=0.3):
    n = n_in * n_out
    base = name.replace("_uniform", "")
    gain = {"he": 2 / n_in, "glorot": 2 / (n_in + n_out), "lecun": 1 / n_in}
    if name == "normal":
        return scale * normal(seed, INIT, layer, 0, 0, 0, n)
    if name == "uniform":
        return scale * (2 * uniform(seed, INIT, layer, 0, 0, 0, n) - 1)
    if name.endswith("_uniform"):
        return math.sqrt(3 * gain[base]) * (2 * uniform(seed, INIT, layer, 0, 0, 0, n) - 1)
    return math.sqrt(gain[base]) * normal(seed, INIT, layer, 0, 0, 0, n)


def write_random():
    out = Golden("random")
    seed = 0x0123456789ABCDEF
    out.put("bits", bits(seed, DROPOUT, 3, 5, 4999, 8, 203))
    out.put("uniform", uniform(seed, DROPOUT, 3, 5, 4999, 0, 77))
    out.put("normal", normal(seed, INIT, 2, 0, 0, 4, 71))
    out.put("far_normal", normal(seed, INIT, 2, 1, 0, 2**32 - 4, 4))
    out.put("shuffle", np.array(shuffle(seed, ORDER, 2500)))
    for name in ["he", "glorot", "lecun", "he_uniform", "glorot_uniform", "lecun_uniform", "normal", "uniform"]:
        out.put("init/" + name, initial(name, seed, 7, 5, 9))


# ---- networks ----

ACTIVATIONS = {
    "relu": torch.relu,
    "leaky_relu": lambda x: torch.nn.functional.leaky_relu(x, 0.01),
    "elu": torch.nn.functional.elu,
    "gelu": lambda x: x * 0.5 * torch.erfc(-x / math.sqrt(2)),  # torch.nn.functional.gelu has no digits far to the left
    "silu": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def write_activation():
    out = Golden("activation")
    x = np.arange(-12, 12, 0.37).astype(np.float32).astype(np.float64)
    out.put("x", x)
    for name, function in ACTIVATIONS.items():
        out.put(name, function(torch.tensor(x)))


N_IN, HIDDEN, N_CLASSES, SEED, EPOCH, RATE = 6, [5, 8], 4, 42, 2, 0.3
SMOOTHING, CLASS_WEIGHTS = 0.1, [0.5, 1.0, 2.0, 1.25]


def mask(layer, n, samples):
    rows = [uniform(SEED, DROPOUT, layer, EPOCH, int(s), 0, n) >= RATE for s in samples]
    return torch.tensor(np.array(rows), dtype=torch.float64) / (1 - RATE)


def network_case(out, activation, full, x, labels, samples):
    """full: batch norm, dropout, label smoothing and class weights as well."""
    widths = [N_IN] + HIDDEN + [N_CLASSES]
    parameters, state, h = [], [], x
    for i in range(1, len(widths)):
        n_in, n = widths[i - 1], widths[i]
        # what ktrain holds is a float32
        w = initial("he", SEED, i, n_in, n).astype(np.float32).astype(np.float64)
        w = torch.tensor(w.reshape(n, n_in), requires_grad=True)
        b = torch.zeros(n, requires_grad=True)
        parameters += [w, b]
        h = torch.nn.functional.linear(h, w, b)
        if i == len(widths) - 1:
            break
        if full:
            gain, shift = torch.ones(n, requires_grad=True), torch.zeros(n, requires_grad=True)
            mean, variance = torch.zeros(n), torch.ones(n)
            h = torch.nn.functional.batch_norm(h, mean, variance, gain, shift, training=True, momentum=0.1, eps=1e-5)
            parameters += [gain, shift]
            state += [mean, variance]
        h = ACTIVATIONS[activation](h)
        if full:
            h = h * mask(i, n, samples)
    log_p = torch.log_softmax(h, dim=1)
    smoothing = SMOOTHING if full else 0
    q = (1 - smoothing) * torch.nn.functional.one_hot(labels, N_CLASSES) + smoothing / N_CLASSES
    weight = torch.tensor(CLASS_WEIGHTS)[labels] if full else torch.ones(len(labels))
    loss = (weight * -(q * log_p).sum(dim=1)).sum() / len(labels)
    loss.backward()
    name = activation + ("/full/" if full else "/plain/")
    out.put(name + "parameters", torch.cat([p.reshape(-1) for p in parameters]))
    out.put(name + "logits", h)
    out.put(name + "loss", [loss.item()])
    out.put(name + "cross_entropy", [torch.nn.functional.cross_entropy(h, labels).item()])
    out.put(name + "gradients", torch.cat([p.grad.reshape(-1) for p in parameters]))
    if full:
        out.put(name + "state", torch.cat(state))


def write_network():
    out = Golden("network")
    generator = np.random.default_rng(1)
    m = 9
    x = np.round(generator.normal(size=(m, N_IN)) * 64) / 64  # exact in float32
    labels = generator.integers(0, N_CLASSES, m)
    samples = generator.integers(0, 5000, m)
    out.put("x", x)
    out.put("labels", labels)
    out.put("samples", samples)
    for activation, full in itertools.product(ACTIVATIONS, [False, True]):
        network_case(out, activation, full, torch.tensor(x), torch.tensor(labels), samples)


# ---- optimizers ----

L2, M, LR, MU, BETAS, EPS, RHO = 0.05, 4, 0.02, 0.9, (0.8, 0.95), 1e-6, 0.95


OPTIMIZERS = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=LR),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=MU),
    "nesterov": lambda groups: torch.optim.SGD(groups, lr=LR, momentum=MU, nesterov=True),
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=LR, alpha=RHO, eps=EPS),
    "adam": lambda groups: torch.optim.Adam(groups, lr=LR, betas=BETAS, eps=EPS),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=LR, betas=BETAS, eps=EPS),
}


def optimizer_case(out, name, form, biases, start, gradients):
    w = torch.tensor(start[:6], requires_grad=True)
    b = torch.tensor(start[6:], requires_grad=True)
    decoupled = form == "decoupled" or name == "adamw"
    decay = {"batch": L2 / M, "coupled": L2, "decoupled": L2}[form]
    if name == "adamw":
        decay = L2
    by_torch = not decoupled or name == "adamw"
    groups = [{"params": [w], "weight_decay": decay if by_torch else 0},
              {"params": [b], "weight_decay": decay if by_torch and biases else 0}]
    optimizer = OPTIMIZERS[name](groups)
    steps = []
    for t, g in enumerate(gradients):
        w.grad, b.grad = torch.tensor(g[:6]), torch.tensor(g[6:])
        for group in optimizer.param_groups:
            group["lr"] = LR / (t + 1)
        if not by_torch:
            with torch.no_grad():
                w *= 1 - LR / (t + 1) * decay
                if biases:
                    b *= 1 - LR / (t + 1) * decay
        optimizer.step()
        steps.append(np.concatenate([w.detach().numpy(), b.detach().numpy()]).copy())
    out.put(f"{name}/{form}/{int(biases)}", np.array(steps))


def write_optimizer():
    out = Golden("optimizer")
    generator = np.random.default_rng(2)
    start = np.round(generator.normal(size=8) * 64) / 64
    gradients = np.round(generator.normal(size=(6, 8)) * 64) / 64
    gradients[2, 3] = 0
    out.put("start", start)
    out.put("gradients", gradients)
    for name in OPTIMIZERS:
        for form in ["batch", "coupled", "decoupled"]:
            for biases in [False, True]:
                optimizer_case(out, name, form, biases, start, gradients)


# ---- schedules ----

def rates(make, steps, losses=None):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = make(optimizer)
    values = []
    for t in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([] if losses is None else [losses[t]]))
    return values


def write_schedule():
    out = Golden("schedule")
    s = torch.optim.lr_scheduler
    n, period, final, gamma = 30, 12, 0.01, 0.9
    losses = [3, 2, 2.5, 2.2, 2.1, 1.9, 2, 2, 2, 2, 2, 2, 2, 1.5, 1.5, 1.6, 1.6] + [1.7] * 13
    out.put("losses", np.array(losses, dtype=float))
    out.put("constant", rates(lambda o: s.ConstantLR(o, factor=1), n))
    out.put("linear", rates(lambda o: s.LinearLR(o, 1, final / 0.1, period), n))
    out.put("exponential", rates(lambda o: s.ExponentialLR(o, gamma), n))
    out.put("step", rates(lambda o: s.StepLR(o, period, gamma), n))
    # torch's cosine goes up again after its period, ours stays
    cosine = rates(lambda o: s.CosineAnnealingLR(o, period, final), period + 1)
    out.put("cosine", cosine + [final] * (n - period - 1))
    # above `final` the product of factors and the cut of each step are the same
    plateau = {"factor": 0.5, "patience": 2, "threshold": 0, "min_lr": final, "eps": 0}
    out.put("plateau", rates(lambda o: s.ReduceLROnPlateau(o, **plateau), n, losses))


# ---- metrics ----

def write_metrics():
    out = Golden("metrics")
    generator = np.random.default_rng(3)
    n, C = 60, 5
    z = (generator.normal(size=(n, C)) * 2).astype(np.float32)
    z[:, 3] -= 40  # never predicted
    z[7, 1] = z[7, 2] = 9  # equals: the first wins
    y = generator.choice([0, 1, 2, 3], n)  # class 4 has no samples
    for i in range(0, n, 2):
        z[i, y[i]] += 2
    z[8, 0] = 3000  # the exponential of it is no float
    predicted = z.argmax(axis=1)
    confusion = np.zeros((C, C), dtype=np.int64)
    np.add.at(confusion, (y, predicted), 1)
    log_p = torch.log_softmax(torch.tensor(z.astype(np.float64)), dim=1).numpy()
    hit, real, said = np.diag(confusion).astype(float), confusion.sum(axis=1), confusion.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = np.nan_to_num(hit / said), np.nan_to_num(hit / real)
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    present, seen = real > 0, real + said > 0
    out.put("z", z.astype(np.float64))
    out.put("y", y)
    out.put("confusion", confusion)
    out.put("precision", precision)
    out.put("recall", recall)
    out.put("f1", f1)
    out.put("scores", [hit.sum() / n, -log_p[np.arange(n), y].mean(), recall[present].mean(), f1[seen].mean()])


write_random()
write_activation()
write_network()
write_optimizer()
write_schedule()
write_metrics()
