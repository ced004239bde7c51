"""The sweeps of table 1 on the real images, where those are."""
import e2e

JOBS = e2e.link_k49()


def every_sweep_is_accepted():
    """ktrain sweep --dry-run takes the sweeps of table 1 and lists its 1,920 points."""
    done = e2e.ktrain("sweep", f"{JOBS}/grid_m1.ini", "--dry-run")
    assert "\n1920 trials by 1 group of 1 rank: " in done.out, done.out[-600:]
    lines = [line.split("  ")[-1] for line in done.out.splitlines() if "model.hidden = " in line]
    assert len(lines) == len(set(lines)) == 1920
    m1 = ("model.hidden = [128], optimizer.learning_rate = 0.001, optimizer.schedule = exponential, optimizer.l2 = 0.01, "
          "model.dropout = 0.1, train.batch_size = 16")
    assert m1 in lines, lines[:3]
    narrow = ("sweep.model.hidden=[32]", "sweep.train.batch_size=256")
    for name, n_certain in (("greedy_m1", 1), ("halving_m1", 32)):
        done = e2e.ktrain("sweep", f"{JOBS}/{name}.ini", "--dry-run", *narrow)
        assert done.out.count("model.hidden = ") == n_certain and "\nand about " in done.out, done.out[-600:]


e2e.main(every_sweep_is_accepted)
