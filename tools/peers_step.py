#!/usr/bin/env python3
"""Training steps in PyTorch or JAX, measured whenever kbench asks: peers_step.py MODE THREADS SHAPE...

kbench carries this program and gives it to the python of an environment that tools/peers.sh has made. MODE is eager or
compile (PyTorch), jit or scan (JAX; scan makes 10 steps a call). A SHAPE is one argument: "784,128,49 BATCH SAMPLES
DROPOUT DECAY RATE OPTIMIZER DENSITY". First it says "ready NAME VERSION". To "start K" it makes shape number K and
answers "ok"; to "measure K SECONDS" it answers "step SECONDS", of one. In the place of each may stand "failed SENTENCE".

All of it is what one writes for speed: data in memory as float32, batches one after the other without gathering,
PyTorch's fused optimizers, JAX's state given away to each call. DECAY is added to the gradient, times the weight.
"""
import os
import sys
import time

MODE, THREADS, SHAPES = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
STEPS_A_SCAN = 10


class Shape:
    def __init__(self, text):
        import numpy
        widths, batch, samples, dropout, decay, rate, optimizer, density = text.split()
        self.widths = [int(width) for width in widths.split(",")]
        self.batch, self.dropout, self.decay, self.rate = int(batch), float(dropout), float(decay), float(rate)
        self.optimizer = optimizer
        self.n_batches = int(samples) // self.batch
        n = self.n_batches * self.batch
        self.random = numpy.random.default_rng(1)
        self.x = (1 - self.random.random((n, self.widths[0]), dtype=numpy.float32))  # none is 0
        self.x *= self.random.random(self.x.shape, dtype=numpy.float32) < float(density)
        self.y = numpy.arange(n) % self.widths[-1]


class Torch:
    """Plain PyTorch: eager, or its loss compiled."""
    steps_a_call = 1

    def __init__(self, shape):
        import torch
        torch.manual_seed(1)
        layers = []
        for n_in, n_out in zip(shape.widths[:-2], shape.widths[1:-1]):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
            if shape.dropout > 0:
                layers.append(torch.nn.Dropout(shape.dropout))
        model = torch.nn.Sequential(*layers, torch.nn.Linear(*shape.widths[-2:]))
        kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
        self.optimizer = kinds[shape.optimizer](model.parameters(), lr=shape.rate, weight_decay=shape.decay, fused=True)
        self.loss = lambda x, y: torch.nn.functional.cross_entropy(model(x), y)
        if MODE == "compile":
            self.loss = torch.compile(self.loss)
        self.batches = list(zip(torch.from_numpy(shape.x).split(shape.batch), torch.from_numpy(shape.y).split(shape.batch)))
        self.at = 0

    def call(self):
        self.loss(*self.batches[self.at]).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.at = (self.at + 1) % len(self.batches)

    def finish(self):
        pass


class Jax:
    """One compiled function that takes all of the state and returns the next."""

    def __init__(self, shape):
        import jax
        import jax.numpy as jnp
        self.steps_a_call = STEPS_A_SCAN if MODE == "scan" else 1
        x = jnp.asarray(shape.x.reshape(shape.n_batches, shape.batch, -1))
        y = jnp.asarray(shape.y.reshape(shape.n_batches, shape.batch))
        decay, rate = shape.decay, shape.rate

        def loss(parameters, x, y, key):
            for i, (weight, bias) in enumerate(parameters):
                x = x @ weight + bias
                if i + 1 < len(parameters):
                    x = jax.nn.relu(x)
                    if shape.dropout > 0:
                        kept = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - shape.dropout, x.shape)
                        x = jnp.where(kept, x / (1 - shape.dropout), 0)
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

        def update(p, g, m, v, t):
            g = g + decay * p
            if shape.optimizer == "sgd":
                return p - rate * g, m, v
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            return p - rate / (1 - 0.9 ** t) * m / (jnp.sqrt(v / (1 - 0.999 ** t)) + 1e-8), m, v

        def step(state, _):
            parameters, means, squares, t = state
            xs = jax.lax.dynamic_index_in_dim(x, t % shape.n_batches, keepdims=False)
            ys = jax.lax.dynamic_index_in_dim(y, t % shape.n_batches, keepdims=False)
            value, gradient = jax.value_and_grad(loss)(parameters, xs, ys, jax.random.fold_in(jax.random.key(1), t))
            t = t + 1
            updated = jax.tree.map(lambda *of: update(*of, t.astype(jnp.float32)), parameters, gradient, means, squares)
            parts = [jax.tree.map(lambda row: row[i], updated, is_leaf=lambda node: isinstance(node, tuple)
                                  and len(node) == 3) for i in range(3)]
            return (*parts, t), value

        steps = step if MODE == "jit" else lambda state, _: jax.lax.scan(step, state, length=STEPS_A_SCAN)
        self.compiled = jax.jit(steps, donate_argnums=0)
        parameters = [(jnp.asarray(shape.random.standard_normal((n_in, n_out), dtype="float32") * (2 / n_in) ** 0.5),
                       jnp.zeros(n_out)) for n_in, n_out in zip(shape.widths[:-1], shape.widths[1:])]
        has_moments = shape.optimizer == "adam"
        zeros = [jax.tree.map(lambda p: jnp.zeros(p.shape if has_moments else 0), parameters) for _ in range(2)]
        self.state = (parameters, *zeros, jnp.int32(0))

    def call(self):
        self.state, _ = self.compiled(self.state, None)

    def finish(self):
        import jax
        jax.block_until_ready(self.state)


class Case:
    """A shape that is compiled and warm."""

    def __init__(self, text):
        self.peer = KINDS[MODE](Shape(text))
        self.run(3)
        self.seconds_a_call = self.run(2)

    def run(self, n):
        start = time.perf_counter()
        for _ in range(n):
            self.peer.call()
        self.peer.finish()
        return (time.perf_counter() - start) / n

    def measure(self, seconds):
        self.seconds_a_call = self.run(max(1, round(seconds / self.seconds_a_call)))
        return self.seconds_a_call / self.peer.steps_a_call


KINDS = {"eager": Torch, "compile": Torch, "jit": Jax, "scan": Jax}


def set_up():
    """Before the library is loaded, which looks at all of this. Returns its name and version."""
    os.environ.update(OMP_NUM_THREADS=str(THREADS), JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="")
    try:
        os.sched_setaffinity(0, range(os.cpu_count()))  # mpirun may have bound kbench, and us with it, to one core
        if KINDS[MODE] is Jax:  # it has a thread for each processor that it may use
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    except OSError:
        pass
    if KINDS[MODE] is Jax:
        import jax
        return f"JAX {jax.__version__}"
    import torch
    torch.set_num_threads(THREADS)
    return f"PyTorch {torch.__version__}"


def answer(line, cases):
    verb, which, *seconds = line.split()
    if verb == "start":
        cases[which] = Case(SHAPES[int(which)])
        return "ok"
    return f"step {cases[which].measure(float(seconds[0]))!r}"


def describe(problem):
    return f"failed {type(problem).__name__}: {' '.join(str(problem).split())[:200]}"


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # what libraries print is not for kbench
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        print("ready", set_up(), file=answers)
    except Exception as problem:  # a library that is broken may raise anything
        print(describe(problem), file=answers)
        return
    cases = {}
    for line in sys.stdin:
        try:
            said = answer(line, cases)
        except Exception as problem:
            said = describe(problem)
        time.sleep(0.01)  # until the threads of the library have gone to sleep
        print(said, file=answers)


main()
