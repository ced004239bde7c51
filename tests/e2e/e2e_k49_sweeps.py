"""The sweeps of table 1 on the real images, where those are."""
import configparser
import re

import e2e

JOBS = e2e.link_k49()


def every_sweep_is_accepted():
    """ktrain sweep --list takes the sweeps of the report's grids and lists the 1,920 points of table 1."""
    done = e2e.ktrain("sweep", f"{JOBS}/grid_m1.ini", "--list")
    assert "\n1920 trials by 1 group of 1 rank: " in done.out, done.out[-600:]
    lines = [line.split("  ")[-1] for line in done.out.splitlines() if "model.hidden = " in line]
    assert len(lines) == len(set(lines)) == 1920
    m1 = ("model.hidden = [128], optimizer.learning_rate = 0.001, optimizer.schedule = exponential, optimizer.l2 = 0.01, "
          "model.dropout = 0.1, train.batch_size = 16")
    assert m1 in lines, lines[:3]
    best = configparser.ConfigParser(inline_comment_prefixes=";")
    best.read(f"{JOBS}/best_m1.ini")
    keys = [text.split(" = ")[0] for text in re.split(", (?=[a-z])", m1)]
    assert ", ".join(f"{key} = {best[key.split('.')[0]][key.split('.')[1]]}" for key in keys) in lines
    narrow = ("sweep.model.hidden=[32]", "sweep.train.batch_size=256")
    for name, n_certain in (("greedy_m1", 1), ("halving_m1", 32)):
        done = e2e.ktrain("sweep", f"{JOBS}/{name}.ini", "--list", *narrow)
        assert done.out.count("model.hidden = ") == n_certain and "\nand about " in done.out, done.out[-600:]
    for name, n_points, seeds in (("ablation_m1", 9, 5), ("best_m1_seeds", 2, 10)):
        done = e2e.ktrain("sweep", f"{JOBS}/{name}.ini", "--dry-run", "train.max_steps=20")
        assert f"\npoints {n_points}, {seeds} repetitions each, by strategy list\n" in done.out, done.out[-600:]
    assert e2e.ktrain("sweep", f"{JOBS}/grid_m3.ini", "--dry-run", "sweep.model.hidden=[32] | [64, 32]").out.count("model.hidden = ") == 2


e2e.main(every_sweep_is_accepted)
