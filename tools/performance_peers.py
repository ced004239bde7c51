"""Tables of steps next to those of peers, out of what `kbench --peers --json` leaves. Rounds of several files are put
together and then told apart by the time from core to core that they met, so that each figure is of near or of far cores.
Rounds around which others used the machine do not count. Figures are medians; a dash is what no round has measured."""
import json
import math
import statistics

ENOUGH = 5  # rounds
AUTO = 0.97  # the least of its speed
LOUD = 0.1  # part of the machine that others use
DISTANCES = {"near": lambda before, after: max(before, after) < 60e-9, "far": lambda before, after: min(before, after) > 100e-9}

# shape: its name for people, the least gain over the best peer with near and with far cores, and of one rank over the best
# with one thread; the least gain of all ranks over one with near and with far cores
SHAPES = {
    "m0": ("M0, full batch", 1.8, 1.6, 1.5, 1.7, 1.45),
    "m1": ("M1, batch 16", 4, 3.3, 1.5, 1.5, 1.3),
    "m3": ("M3, batch 16", 3.5, 3.2, 1.5, 1.7, 1.45),
    "m4": ("M4, batch 64", 3, 2.5, 1.5, 1.7, 1.45),
    "s16": ("784,512,256,128,49, batch 16", 3, 2.4, 1.5, 1.7, 1.45),
    "s256": ("784,512,256,128,49, batch 256", 1.8, 1.6, 1.5, 1.7, 1.45),
    "q128": ("784,256,128,10, batch 128", 2.4, 2, 1.5, 1.7, 1.45),
    "m1-dense": ("M1, batch 16, no input is 0", 1.5, 1.5, 1.5, 1.5, 1.3),
    "s256-dense": ("784,512,256,128,49, batch 256, no input is 0", 1.2, 1.1, 1.1, 1.7, 1.45),
}


class Rounds:
    """A shape's rounds with one distance: seconds of a step by (ranks, variant), and of each peer."""

    def __init__(self):
        self.ours, self.peers, self.cores = {}, {}, []

    def add(self, shape, cases, i):
        self.cores += [shape["before"][i], shape["after"][i]]
        for case in cases:
            self.ours.setdefault((case["ranks"], case["variant"]), []).append(case["repetitions"]["step"][i])
        for peer in shape["peers"]:
            if peer["repetitions"][i] is not None:
                name = peer["name"], peer["version"], peer["mode"], peer["threads"]
                self.peers.setdefault(name, []).append(peer["repetitions"][i])

    def n(self):
        return len(self.cores) // 2

    def on(self, n_ranks):
        return median(self.ours.get((n_ranks, "default"), []))

    def most_ranks(self):
        return max((ranks for ranks, _ in self.ours), default=1)

    def best(self, but=None):
        """Ours, the fastest of all arrangements but one variant."""
        return min((median(steps) for (_, variant), steps in self.ours.items() if variant != but), default=math.nan)

    def auto(self):
        """How many times as fast as the best fixed arrangement the variant is that finds its own."""
        return self.best(but="default") / self.on(self.most_ranks())

    def best_peer(self, most_threads=math.inf):
        """Its name and its step. What failed in some of the rounds does not count."""
        found = [(median(steps), name) for name, steps in self.peers.items() if name[3] <= most_threads and len(steps) == self.n()]
        step, name = min(found, default=(math.nan, None))
        return name, step


def median(values):
    return statistics.median(values) if values else math.nan


def read(paths):
    """Rounds by shape and distance."""
    rounds = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            results = json.load(file)
        for shape in results["shapes"]:
            cases = [case for case in results["cases"] if case["shape"] == shape["shape"]]
            for i, (before, after, others) in enumerate(zip(shape["before"], shape["after"], shape["others"])):
                for name, holds in DISTANCES.items():
                    if before is not None and after is not None and holds(before, after) and (others or 0) < LOUD:
                        rounds.setdefault((shape["shape"], name), Rounds()).add(shape, cases, i)
    return rounds


def lacking(rounds):
    """(shape, distance) that have not been met often enough."""
    return [(shape, name) for shape in SHAPES for name in DISTANCES
            if (shape, name) not in rounds or rounds[shape, name].n() < ENOUGH]


# ---- tables ----

def number(value, form=None):
    form = form or (".3g" if value < 1000 else ".0f")
    return "-" if math.isnan(value) else f"{value:{form}}"


def table(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def count(n, word):
    return f"{n} {word}{'' if n == 1 else 's'}"


def peer_text(name, step):
    if name is None:
        return "-"
    library, version, mode, threads = name
    return f"{number(1e3 * step)} ({library} {version} {mode}, {count(threads, 'thread')})"


def found(rounds):
    """Shape, its words, distance and rounds of what was measured."""
    for shape, words in SHAPES.items():
        for name in DISTANCES:
            if (shape, name) in rounds:
                yield shape, words[0], name, rounds[shape, name]


def steps_table(rounds):
    """Milliseconds, every shape and distance."""
    n_ranks = max((r.most_ranks() for r in rounds.values()), default=2)
    rows = []
    for _, words, name, r in found(rounds):
        peer, step = r.best_peer()
        one_peer, one_step = r.best_peer(1)
        rows.append([words, f"{name}, {number(1e9 * median(r.cores), '.0f')} ns", str(r.n()), number(1e3 * r.on(1)),
                     number(1e3 * r.on(n_ranks)), peer_text(peer, step), number(step / r.best(), ".2f"),
                     peer_text(one_peer, one_step), number(one_step / r.on(1), ".2f")])
    return table(["shape", "cores", "rounds", "1 rank", count(n_ranks, "rank"), "best peer", "ours against it",
                  "best with 1 thread", "1 rank against it"], rows)


def targets_table(rounds):
    """The least gain that is wanted, and what was measured."""
    rows = []
    for shape, (words, near, far, one, near_ranks, far_ranks) in SHAPES.items():
        by = {name: rounds.get((shape, name), Rounds()) for name in DISTANCES}
        rows.append([f"{words}: ours against the best peer"] + [text for name, target in (("near", near), ("far", far))
                    for text in (f"{target:g}", number(by[name].best_peer()[1] / by[name].best(), ".2f"))])
        rows.append([f"{words}: 1 rank against the best with 1 thread"] +
                    [text for name in DISTANCES for text in (f"{one:g}", number(by[name].best_peer(1)[1] / by[name].on(1), ".2f"))])
        rows.append([f"{words}: all ranks against 1"] + [
            text for name, target in (("near", near_ranks), ("far", far_ranks))
            for text in (f"{target:g}", number(by[name].on(1) / by[name].on(by[name].most_ranks()), ".2f"))])
        rows.append([f"{words}: `parallel.ranks = auto` against the best fixed arrangement"] +
                    [text for name in DISTANCES for text in (f"{AUTO:g}", number(by[name].auto(), ".2f"))])
    return table(["gain", "near: at least", "measured", "far: at least", "measured"], rows)


def peers_table(rounds):
    """Milliseconds of every peer, over all distances that have enough rounds."""
    steps = {}
    for shape, _, _, r in found(rounds):
        for name, values in r.peers.items():
            steps.setdefault(name, {}).setdefault(shape, []).extend(values)
    shapes = [shape for shape in SHAPES if any(shape in of for of in steps.values())]
    return table(["peer", "threads", *shapes], [[f"{library} {version} {mode}", str(threads)] + [
        number(1e3 * median(of.get(shape, []))) for shape in shapes]
        for (library, version, mode, threads), of in sorted(steps.items())])


def short_table(rounds):
    """For a page that has little room."""
    rows = []
    for shape, words in SHAPES.items():
        near, far = (rounds.get((shape, name), Rounds()) for name in ("near", "far"))
        some = far if far.n() > 0 else near
        rows.append([words[0], number(1e3 * some.on(1)), number(1e3 * near.on(near.most_ranks())), number(1e3 * far.on(far.most_ranks())),
                     peer_text(*some.best_peer()),
                     f"{number(near.best_peer()[1] / near.best(), '.2f')} / {number(far.best_peer()[1] / far.best(), '.2f')}"])
    n_ranks = max((r.most_ranks() for r in rounds.values()), default=2)
    return table(["", "1 rank", f"{count(n_ranks, 'rank')}, cores near", f"{count(n_ranks, 'rank')}, cores far", "best peer",
                  "ours against it, near / far"], rows)
