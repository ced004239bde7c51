"""The constants of docs/numbers.md are those of the sources."""
import os
import re
import sys

SOURCE = os.environ["KT_SOURCE_DIR"]
NUMBER = r"-?0x1\.[0-9a-f]{8,}p[+-]\d+"
# Where each polynomial of the page is evaluated.
FUNCTIONS = {"E": "kt_real_exp_reduced", "L": "kt_real_log", "C": "kt_real_cos_octant", "S": "kt_real_sin_octant", "N": "kt_real_normal_below"}


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


page, real, philox = read("docs", "numbers.md"), read("src", "base", "real.h"), read("src", "base", "random_private.h")


def columns():
    """Coefficients of each polynomial, from that of x^0 on."""
    found, names = {name: {} for name in FUNCTIONS}, []
    for line in page.splitlines():
        cells = [cell.strip(" `") for cell in line.split("|")[1:-1]]
        if re.match(r"\| \| [A-Z] \|", line):
            # E, L, C, S share the first column of powers; the columns of N have one each
            names = [(cell, at - 1 if cells[1] == "N" else 0) for at, cell in enumerate(cells) if cell]
            places = [at for at, cell in enumerate(cells) if cell]
        elif names and re.match(r"\| \d+ \|", line):
            for (name, power), place in zip(names, places):
                if cells[place]:
                    found[name][int(cells[power])] = float.fromhex(cells[place])
        elif not line.startswith("| ---"):
            names = []
    return {name: [by_power[power] for power in range(len(by_power))] for name, by_power in found.items()}


def horner(function):
    """The same from the source, which begins with that of the highest power."""
    body = re.search(rf"double {function}\(.*?\n}}", real, re.S).group(0)
    steps = re.findall(rf"\bp = (?:__builtin_fma\(p, \w, )?({NUMBER})\)?;", body)
    return [float.fromhex(step) for step in reversed(steps)]


def values(text):
    return {float.fromhex(number) for number in re.findall(NUMBER, text)}


failures = []
for name, of_page in columns().items():
    if not of_page or of_page != horner(FUNCTIONS[name]):
        failures.append(f"polynomial {name}: {of_page} in docs/numbers.md, {horner(FUNCTIONS[name])} in src/base/real.h")
bits_of_root = "0x1.6a09e667f3bcdp-1"  # sqrt(1/2), which the source has as an integer
for number in (values(real + bits_of_root) ^ values(page)) - {sys.float_info.max}:
    failures.append(f"{number.hex()} is in one of docs/numbers.md and src/base/real.h")
for constant, name in ("MULTIPLIER_0", "A ="), ("MULTIPLIER_1", "B ="), ("WEYL_0", "k0 +="), ("WEYL_1", "k1 +="):
    number = re.search(rf"KT_RANDOM_{constant} +0x([0-9A-F]+)u", philox).group(1)
    if f"{name} 0x{number}" not in page:
        failures.append(f"'{name} 0x{number}' of src/base/random_private.h is not in docs/numbers.md")
if f"{re.search('KT_RANDOM_ROUNDS = ([0-9]+)', philox).group(1)} times:" not in page:
    failures.append("Philox's rounds differ")
print("\n".join(failures))
sys.exit(bool(failures))
