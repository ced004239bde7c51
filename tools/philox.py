"""ktrain's random draws again, in NumPy: Philox4x32-10 with the layout of src/base/random.h, and what is drawn.

Written from the headers, and independent of the program: tools/torch_reference.py compares the two.
"""
import numpy as np

SPLIT, ORDER, INIT, DROPOUT = 1, 2, 3, 4  # purposes
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def philox(counter, key):
    """Philox4x32-10. counter: four uint64 arrays (of 32-bit words) that broadcast; key: two integers. Four arrays."""
    c0, c1, c2, c3 = counter
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & LOW, (k1 + np.uint64(0xBB67AE85)) & LOW
    return c0, c1, c2, c3


def check_philox():
    """The known answers that were published with the generator (Random123, kat_vectors)."""
    known = [
        ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ]
    for counter, key, answer in known:
        words = philox([np.array([word], np.uint64) for word in counter], key)
        if [int(word[0]) for word in words] != answer:
            raise AssertionError(f"Philox4x32-10 of {counter} is wrong")


def bits(n, seed, purpose, layer=0, epoch=0, sample=0, first=0):
    """Draws first ... first + n - 1 (first a multiple of 4) of a place. sample[m] gives [m, n], one row a sample."""
    rows = np.asarray(sample, np.uint64)[..., None]
    block = np.arange(first // 4, (first + n + 3) // 4, dtype=np.uint64) + 0 * rows
    words = philox([block, rows, np.uint64(epoch), np.uint64(purpose << 24 | layer)], [seed & 0xFFFFFFFF, seed >> 32])
    return np.stack(words, axis=-1).reshape(*block.shape[:-1], -1)[..., :n]


def uniform(n, *place, **named):
    return ((bits(n, *place, **named) >> np.uint64(8)) * 2.0**-24).astype(np.float32)


def normal(n, *place, **named):
    draws = bits(n + n % 2, *place, **named).astype(np.float64).reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log((draws[:, 0] + 1) * 2.0**-32)), 2 * np.pi * (draws[:, 1] * 2.0**-32)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return both.reshape(-1)[:n].astype(np.float32)


def shuffled(items, *place, **named):
    """Fisher-Yates from the last item down."""
    items = list(items)
    draws = bits(len(items), *place, **named).tolist()
    for i in range(len(items) - 1, 0, -1):
        other = draws[i] * (i + 1) >> 32
        items[i], items[other] = items[other], items[i]
    return items


# ---- the split (split.h) ----


def part_sizes(n, fractions):
    """Largest remainders; the first of equals."""
    exact = [n * fraction / sum(fractions) for fraction in fractions]
    sizes = [int(size) for size in exact]
    by_remainder = sorted(range(3), key=lambda p: sizes[p] - exact[p])  # a stable sort
    for p in by_remainder[: n - sum(sizes)]:
        sizes[p] += 1
    return sizes


class Quota:
    """How many of each class go to each part: count * size / n, rounded so that rows and columns keep their sums."""

    def __init__(self, counts, sizes):
        exact = np.outer(np.asarray(counts, np.int64), np.asarray(sizes, np.int64))
        self.down, self.remainder = exact // sum(sizes), exact % sum(sizes)
        self.up = np.zeros_like(self.down)
        self.room = np.asarray(sizes) - self.down.sum(axis=0)
        for c, count in enumerate(counts):
            for _ in range(count - self.down[c].sum()):
                self.round_one_up(c)
        self.taken = self.down + self.up

    def round_one_up(self, c):
        parts = [p for p in range(3) if self.may_go_up(c, p)]
        with_room = [p for p in parts if self.room[p] > 0]
        if with_room:
            p = max(with_room, key=lambda part: self.remainder[c, part])
        else:
            p = next(part for part in parts if self.make_room(part))
        self.up[c, p] = 1
        self.room[p] -= 1

    def may_go_up(self, c, p):
        return not self.up[c, p] and self.remainder[c, p] > 0

    def mover(self, source, target):
        """The first class that is rounded up in `source` and may be in `target` instead."""
        return next((c for c in range(len(self.up)) if self.up[c, source] and self.may_go_up(c, target)), None)

    def move(self, source, target):
        c = self.mover(source, target)
        if c is not None:
            self.up[c, source], self.up[c, target] = 0, 1
            self.room[source] += 1
            self.room[target] -= 1
        return c is not None

    def make_room(self, p):
        """Moves an earlier class out of part p: straight to a part with room, or over the third part."""
        if any(self.room[target] > 0 and self.move(p, target) for target in range(3)):
            return True
        for target in range(3):
            between = 3 - p - target
            if target == p or self.room[target] == 0 or self.mover(p, between) is None:
                continue
            if self.move(between, target):
                return self.move(p, between)
        return False


def split(labels, n_classes, fractions, shuffle, stratify, seed):
    """The rows of the three parts, in their order."""
    n = len(labels)
    classes = labels if stratify else np.zeros(n, np.int64)
    n_classes = n_classes if stratify else 1
    taken = Quota(np.bincount(classes, minlength=n_classes).tolist(), part_sizes(n, fractions)).taken
    parts = [[], [], []]
    for c in range(n_classes):
        rows = np.flatnonzero(classes == c).tolist()
        rows = shuffled(rows, seed, SPLIT, layer=c, epoch=0) if shuffle else rows
        for p, part in enumerate(parts):
            part += rows[: taken[c, p]]
            rows = rows[taken[c, p]:]
    return [shuffled(part, seed, SPLIT, layer=p, epoch=1) if shuffle else sorted(part) for p, part in enumerate(parts)]


# ---- training ----


def epoch_order(samples, seed, epoch, n_steps):
    return np.array(shuffled(samples, seed, ORDER, epoch=epoch) if n_steps > 1 else samples)


# deviation of a normal, or half width of a uniform distribution
INITIALIZERS = {
    "he": (normal, lambda n_in, n_out, scale: np.sqrt(2 / n_in)),
    "glorot": (normal, lambda n_in, n_out, scale: np.sqrt(2 / (n_in + n_out))),
    "lecun": (normal, lambda n_in, n_out, scale: np.sqrt(1 / n_in)),
    "he_uniform": (uniform, lambda n_in, n_out, scale: np.sqrt(6 / n_in)),
    "glorot_uniform": (uniform, lambda n_in, n_out, scale: np.sqrt(6 / (n_in + n_out))),
    "lecun_uniform": (uniform, lambda n_in, n_out, scale: np.sqrt(3 / n_in)),
    "normal": (normal, lambda n_in, n_out, scale: scale),
    "uniform": (uniform, lambda n_in, n_out, scale: scale),
}


def initial_weights(name, n_in, n_out, scale, seed, layer):
    """[n_out, n_in] of dense layer number `layer` (from 1), drawn in pieces to keep the double arrays small."""
    draw, size_of = INITIALIZERS[name]
    size, n, piece = size_of(n_in, n_out, scale), n_in * n_out, 1 << 20
    weights = np.empty(n, np.float32)
    for first in range(0, n, piece):
        draws = draw(min(piece, n - first), seed, INIT, layer=layer, first=first).astype(np.float64)
        weights[first:first + piece] = size * draws if draw is normal else 2 * size * draws - size
    return weights.reshape(n_out, n_in)


def dropout_mask(rate, n_units, seed, layer, epoch, samples):
    """[samples, n_units]: 0 where the unit is dropped, else 1 / (1 - rate)."""
    kept = uniform(n_units, seed, DROPOUT, layer=layer, epoch=epoch, sample=samples).astype(np.float64) >= rate
    return kept.astype(np.float32) * np.float32(1 / (1 - rate))
