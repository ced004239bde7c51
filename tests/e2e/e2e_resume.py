"""A run that was stopped and goes on ends as if it had never stopped."""
import e2e

# Every part of the state: moments, running statistics, dropout's place, a schedule and early stopping that wait for the validation loss.
STATE = ("model.dropout=0.2 model.batch_norm=true train.clip_norm=2 train.patience=5 train.epochs=60 optimizer.learning_rate=0.05 "
         "optimizer.schedule=plateau optimizer.plateau_patience=1 optimizer.gamma=0.5 ")
STEPS = 9  # of an epoch: 142 training samples in batches of 17


def stopped_in_mid_epoch():
    """Stopped within an epoch, also while early stopping and plateau wait, and continued: the same bits on 1 and on 3 ranks."""
    for n, owner in ((1, "auto"), (3, "sharded")):
        whole, cut, keys = f"whole-{n}-{owner}", f"cut-{n}-{owner}", STATE + f"parallel.optimizer_state={owner} "
        e2e.train(whole, keys, ranks=n)
        assert e2e.summary(whole)["stop_reason"] == "patience", e2e.summary(whole)
        waiting = e2e.summary(whole)["best_epoch"] + 1  # and all epochs after it are no better
        for stop in (5, 37, waiting * STEPS + 4):
            e2e.train(cut, keys + f"train.max_steps={stop}", ranks=n)
            assert e2e.summary(cut)["stop_reason"] == "max_steps" and e2e.summary(cut)["steps"] == stop
        with e2e.h5py.File(e2e.checkpoints(cut)[0]) as file:
            assert file["early_stopping/n_bad"][()] == 1 and file["schedule/n_bad"][()] == 1 and file["progress/step_in_epoch"][()] == 4
        e2e.train(cut, keys, ranks=n)
        e2e.check_same_run(whole, cut)


def stopped_at_epoch_end():
    """Stopped at the end of an epoch and given more epochs: the same bits, whatever the step limit was."""
    keys = STATE + "optimizer.schedule=cosine optimizer.period=6 train.early_stopping=false parallel.optimizer_state=rank0 optimizer.name="
    for name in ("adam", "nesterov"):
        e2e.train(f"six-{name}", keys + name + " train.epochs=6", ranks=2)
        e2e.train(f"two-{name}", keys + name + " train.epochs=2", ranks=2)
        e2e.train(f"two-{name}", keys + name + f" train.epochs=6 train.max_steps={4 * STEPS}", ranks=2)
        assert e2e.summary(f"two-{name}")["epochs"] == 4
        e2e.train(f"two-{name}", keys + name + " train.epochs=6", ranks=2)
        e2e.check_same_run(f"six-{name}", f"two-{name}")


def other_number_of_ranks():
    """Stopped on 3 ranks and continued on 2, 1, 4 and 5, each in another layout and by another exchange: the same bits."""
    e2e.train("straight", STATE + "train.epochs=6")
    for n, stop, layout in ((3, 14, "ranks_per_replica=1 parallel.exchange=allreduce"),
                            (2, 25, "ranks_per_replica=1 parallel.exchange=factors"),
                            (1, 37, "exchange=auto"),
                            (4, 41, "ranks_per_replica=2 parallel.exchange=allreduce parallel.optimizer_state=rank0"),
                            (5, 0, "ranks_per_replica=node")):
        e2e.train("wander", STATE + f"train.epochs=6 train.max_steps={stop} parallel.{layout}", ranks=n)
    e2e.check_same_run("straight", "wander")


e2e.write_data()
e2e.write_job()
e2e.main(stopped_in_mid_epoch, stopped_at_epoch_end, other_number_of_ranks)
